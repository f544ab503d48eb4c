"""The web layer: it only enqueues, and says how far a task is. It runs no task.

Invariant: 202 means that the broker has confirmed the message. Whatever the broker or the store does, an answer comes within five seconds.
"""

import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvicorn
from celery import Celery, signals
from fastapi import FastAPI, HTTPException, Path, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from app.application import load_application
from app.connections import results_endpoint
from app.document import producer_document
from app.publishing import BrokerUnavailableError, Publisher
from app.results import Results, ResultsUnavailableError
from app.settings import configure
from app.worker.waits import stamp_publish
from fleet.documents import ProducerDocument
from fleet.errors import FleetError

PORT = 8000
RETRY_AFTER_SECONDS = 5
COUNTDOWN_MAX_SECONDS = 2**28 - 1
"""Longest delay that Celery's delayed-delivery tree can hold (kombu 5.7: 28 levels)."""

TaskName = Annotated[str, Path(max_length=200, pattern=r"^[A-Za-z0-9_.-]+$")]
TaskId = Annotated[uuid.UUID, Path()]


class TaskRequest(BaseModel):
    """What is asked of a task."""

    model_config = ConfigDict(extra="forbid")

    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    countdown: Annotated[int, Field(ge=1, le=COUNTDOWN_MAX_SECONDS)] | None = None
    """Whole seconds: the delayed-delivery tree knows no fractions."""
    priority: Annotated[int, Field(ge=0, le=31)] | None = None


class Accepted(BaseModel):
    """A task that the broker has confirmed."""

    id: str
    queue: str


def create_app(document: ProducerDocument, celery: Celery, publisher: Publisher, results: Results) -> FastAPI:
    """The web application around its collaborators; tests bring their own."""
    registry = CollectorRegistry()
    enqueued = Counter("fleet_web_enqueued", "Tasks confirmed by the broker", ["queue"], registry=registry)
    refused = Counter("fleet_web_refused", "Tasks the broker did not confirm", ["queue"], registry=registry)
    seconds = Histogram("fleet_web_publish_seconds", "Seconds until the broker confirmed", ["queue"], registry=registry)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        publisher.close()
        await results.close()

    web = FastAPI(
        title=f"Fleet {document.fleet}", summary="Enqueues tasks and says how far they are.", lifespan=lifespan
    )

    @web.exception_handler(BrokerUnavailableError)
    async def broker_unavailable(_: Any, error: BrokerUnavailableError) -> JSONResponse:
        return JSONResponse(
            {"detail": f"Not accepted: {error}. Try again."}, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}
        )

    @web.exception_handler(ResultsUnavailableError)
    async def results_unavailable(_: Any, __: ResultsUnavailableError) -> JSONResponse:
        return JSONResponse(
            {"detail": "The results store does not answer. Try again."}, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}
        )

    @web.post("/tasks/{name}", status_code=202)
    async def enqueue(name: TaskName, request: TaskRequest) -> Accepted:
        """Accepts a task once the broker has confirmed it."""
        if name not in celery.tasks or name.startswith("celery."):
            raise HTTPException(404, f"There is no task {name!r}.")
        queue = route(celery, document, name)
        task_id = str(uuid.uuid4())
        options = {
            key: value
            for key, value in (("countdown", request.countdown), ("priority", request.priority))
            if value is not None
        }
        try:
            with seconds.labels(queue).time():
                await publisher.publish(name, task_id, request.args, request.kwargs, {"queue": queue, **options})
        except BrokerUnavailableError:
            refused.labels(queue).inc()
            raise
        enqueued.labels(queue).inc()
        await results.mark_accepted(task_id, queue)
        return Accepted(id=task_id, queue=queue)

    @web.get("/tasks/{task_id}")
    async def show(task_id: TaskId, response: Response) -> dict[str, Any]:
        """404 unknown, 202 accepted and not finished, 200 finished."""
        state = await results.state(str(task_id))
        if state is None:
            raise HTTPException(404, "There is no such task, or its result has expired.")
        response.status_code = 200 if state.finished else 202
        return {"id": str(task_id), "state": state.state, "result": state.result}

    @web.delete("/tasks/{task_id}", status_code=202)
    async def cancel(task_id: TaskId) -> dict[str, str]:
        """Asks the workers to drop the task, or to terminate it where it runs."""
        await publisher.revoke(str(task_id))
        return {"id": str(task_id), "state": "CANCELLING"}

    @web.get("/queues")
    async def queues() -> dict[str, Any]:
        """What the workers have counted since the results store started."""
        return {"queues": await results.counters(document.queues)}

    @web.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @web.get("/readyz")
    async def readyz() -> dict[str, str]:
        """The broker takes connections."""
        await publisher.reachable()
        return {"status": "ready"}

    @web.get("/metrics")
    async def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return web


def route(celery: Celery, document: ProducerDocument, name: str) -> str:
    """The queue of a task by the catalogue's patterns.

    Raises: HTTPException 404 when the catalogue routes it nowhere.
    """
    queue = celery.amqp.router.route({}, name).get("queue")
    found = getattr(queue, "name", queue)
    if found not in document.queues:
        raise HTTPException(404, f"Task {name!r} has no queue in the catalogue.")
    return str(found)


def main() -> int:
    """Serves until it is told to stop; requests in hand are finished."""
    try:
        document = producer_document()
        celery = load_application(document.application)
        configure(celery, document, os.environ)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    celery.loader.import_default_modules()
    celery.finalize()
    signals.before_task_publish.connect(stamp_publish, weak=False)
    web = create_app(document, celery, Publisher(celery), Results(results_endpoint(os.environ)))
    uvicorn.run(web, host="0.0.0.0", port=PORT, access_log=False, timeout_graceful_shutdown=10)  # noqa: S104 - the pod's own network
    return 0


if __name__ == "__main__":
    sys.exit(main())
