"""The HTTP interface: `POST /tasks/{name}` and `POST /tasks`, `GET` and `DELETE /tasks/{id}`, `/queues`, `/fleet`, `/healthz`,
`/readyz`, `/metrics`.

Invariant: 202 means that the broker has confirmed every task. Readiness does not ask the broker: a web layer without a broker still answers, with 503
and a time to try again, which is more than no answer.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from app.routing import TaskRouter
from app.store import StoreError
from app.web.access import Access
from app.web.idempotency import IdempotencyKeys
from app.web.limits import DEFAULTS, WebLimits
from app.web.metrics import Metrics
from app.web.page.collecting import Collector
from app.web.page.routes import add_page
from app.web.publishing import Publisher
from app.web.refusals import add_refusals
from app.web.results import Results
from app.web.tasks import TaskParts, add_tasks, unavailable
from fleet.documents import ProducerDocument, WebDocument


def create_api(
    app: Any,
    document: WebDocument,
    *,
    publisher: Publisher,
    results: Results,
    keys: IdempotencyKeys,
    collector: Collector,
    limits: WebLimits = DEFAULTS,
) -> FastAPI:
    """The web layer of one fleet: `app` is its configured Celery application, with its tasks registered."""
    producer = document.producer
    router = TaskRouter(producer, confirm_timeout_seconds=0)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        collector.start()
        yield
        collector.stop()
        publisher.close()

    api = FastAPI(
        title=producer.fleet, description="Enqueues tasks and answers about them.", version="1", lifespan=lifespan
    )
    add_refusals(api)
    api.add_middleware(Access, limits=limits, metrics=metrics)
    parts = TaskParts(app=app, router=router, publisher=publisher, results=results, keys=keys, metrics=metrics)
    add_tasks(api, parts)
    add_page(api, document, collector)
    _add_operations(api, producer, results, metrics)
    return api


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
