"""The HTTP interface: `POST /tasks/{name}`, `GET` and `DELETE /tasks/{id}`, `/queues`, `/healthz`, `/readyz`, `/metrics`.

Invariant: 202 means that the broker has confirmed the task. Readiness does not ask the broker: a web layer without a broker still answers, with 503
and a time to try again, which is more than no answer.
"""

import inspect
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from app.delays import MAX_DELAY_SECONDS
from app.enqueuing import TaskCall
from app.routing import TaskRouter
from app.store import StoreError
from app.web.metrics import Metrics
from app.web.publishing import RETRY_AFTER_SECONDS, BrokerUnavailableError, Publisher
from app.web.results import Results, TaskView
from fleet.documents import ProducerDocument
from fleet.topology import HIGHEST_PRIORITY


class TaskBody(BaseModel):
    """What to run a task with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    args: list[Any] = Field(default_factory=list, description="Positional arguments.")
    kwargs: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments.")
    countdown: Annotated[float, Field(ge=1, le=MAX_DELAY_SECONDS)] | None = Field(
        default=None,
        description="Seconds until the task may start, from 1 on; the broker delays by whole seconds, so fractions are rounded up.",
    )
    priority: Annotated[int, Field(ge=0, le=HIGHEST_PRIORITY)] | None = Field(
        default=None, description="Higher goes first within its queue; the catalogue's when absent."
    )


class Accepted(BaseModel):
    """A task that the broker keeps."""

    id: str
    queue: str


class TaskAnswer(BaseModel):
    """What is known of a task."""

    id: str
    state: str = Field(
        description="PENDING, PROGRESS or another state of the task's own; SUCCESS, FAILURE, REVOKED at its end."
    )
    queue: str | None = None
    result: Any = Field(default=None, description="What the task returned, or how far it is.")
    error: str | None = None


def create_api(app: Any, document: ProducerDocument, *, publisher: Publisher, results: Results) -> FastAPI:
    """The web layer of one fleet: `app` is its configured Celery application, with its tasks registered."""
    router = TaskRouter(document, confirm_timeout_seconds=0)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        publisher.close()

    api = FastAPI(
        title=document.fleet, description="Enqueues tasks and answers about them.", version="1", lifespan=lifespan
    )
    _add_tasks(api, app=app, router=router, publisher=publisher, results=results, metrics=metrics)
    _add_operations(api, document, results, metrics)
    return api


def _add_tasks(
    api: FastAPI, *, app: Any, router: TaskRouter, publisher: Publisher, results: Results, metrics: Metrics
) -> None:
    known = {name for name in app.tasks if not name.startswith("celery.") and router.takes(name)}

    # Plain functions: FastAPI runs them in threads, so a broker that is slow holds up no other request.
    @api.post("/tasks/{name}", status_code=202)
    def enqueue(name: str, body: TaskBody | None = None) -> Accepted:
        """Enqueue a task; 202 once the broker has confirmed it, 503 with Retry-After when it does not."""
        if name not in known:
            raise HTTPException(404, f"there is no task {name!r}; there are {', '.join(sorted(known))}")
        given = body or TaskBody()
        _check_arguments(app.tasks[name], given)
        queue, task_id = router.queue_of(name), str(uuid.uuid4())
        call = TaskCall(
            id=task_id,
            name=name,
            args=given.args,
            kwargs=given.kwargs,
            countdown=given.countdown,
            priority=given.priority,
        )
        try:
            with metrics.publish_seconds.time():
                publisher.enqueue(call, before=lambda: results.mark_accepted(task_id, queue))
        except BrokerUnavailableError as error:
            metrics.refused.labels(queue).inc()
            raise unavailable(f"not enqueued: {error}") from None
        metrics.accepted.labels(queue).inc()
        return Accepted(id=task_id, queue=queue)

    @api.get("/tasks/{task_id}", response_model=TaskAnswer, responses={202: {"model": TaskAnswer}})
    def read(task_id: str, response: Response) -> TaskAnswer:
        """200 with the result of a finished task, 202 while it waits or runs, 404 for an id that was never given out."""
        view = _find(results, task_id)
        response.status_code = 200 if view.finished else 202
        return TaskAnswer(id=view.id, state=view.state, queue=view.queue, result=view.result, error=view.error)

    @api.delete("/tasks/{task_id}", status_code=202)
    def cancel(task_id: str) -> TaskAnswer:
        """Cancel a task: one that waits is skipped, one that runs is ended where its pool can. A finished one stays as it is."""
        view = _find(results, task_id)
        if not view.finished:
            results.remember_cancelled(task_id)
            try:
                publisher.cancel(task_id)
            except BrokerUnavailableError as error:
                raise unavailable(f"not cancelled: {error}") from None
        return TaskAnswer(id=view.id, state=view.state, queue=view.queue)


def _add_operations(api: FastAPI, document: ProducerDocument, results: Results, metrics: Metrics) -> None:
    @api.get("/queues")
    def queues() -> dict[str, dict[str, dict[str, Any]]]:
        """Tasks started, done and failed, and their waits, for each queue, since the results store started."""
        try:
            return {"queues": results.counters(document.queues)}
        except StoreError as error:
            raise unavailable(f"the results store does not answer ({type(error).__name__})") from None

    # Coroutines: they answer even while every thread waits for the broker.
    @api.get("/healthz", include_in_schema=False)
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @api.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        return JSONResponse({"status": "ready"})

    @api.get("/metrics", include_in_schema=False)
    async def show_metrics() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _find(results: Results, task_id: str) -> TaskView:
    try:
        view = results.find(task_id)
    except StoreError as error:
        raise unavailable(f"the results store does not answer ({type(error).__name__})") from None
    if view is None:
        raise HTTPException(404, f"there is no task with the id {task_id!r}, or it ended more than a day ago")
    return view


def _check_arguments(task: Any, body: TaskBody) -> None:
    """Refuse what the worker could only fail on."""
    if not getattr(task, "typing", True):
        return
    signature = inspect.signature(task.run)
    try:
        signature.bind(*body.args, **body.kwargs)
    except TypeError as error:
        raise HTTPException(422, f"{task.name}{signature}: {error}") from None


def unavailable(problem: str) -> HTTPException:
    """503 with the time after which to try again."""
    return HTTPException(503, problem, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
