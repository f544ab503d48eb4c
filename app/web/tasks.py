"""`POST /tasks/{name}` and `POST /tasks` enqueue one task or many; `GET` and `DELETE /tasks/{id}` answer about one and cancel it."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Request, Response

from app.enqueuing import Outcome, TaskCall
from app.routing import TaskRouter
from app.store import StoreError
from app.web.access import charge, client_of
from app.web.bodies import Accepted, BatchAnswer, BatchBody, BatchedTask, BatchTask, InvalidTask, TaskAnswer, TaskBody
from app.web.idempotency import (
    KEY_PATTERN,
    STATUS_HEADER,
    Claim,
    IdempotencyKeys,
    KeyBusyError,
    KeyReusedError,
    fingerprint,
)
from app.web.metrics import Metrics
from app.web.publishing import RETRY_AFTER_SECONDS, BrokerUnavailableError, Publisher
from app.web.results import Results, TaskView

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=KEY_PATTERN,
        description="A request that is sent again with the same key within a day enqueues nothing twice.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TaskParts:
    """What the endpoints of tasks work with."""

    app: Any
    """The configured Celery application, with its tasks registered."""
    router: TaskRouter
    publisher: Publisher
    results: Results
    keys: IdempotencyKeys
    metrics: Metrics


def add_tasks(api: FastAPI, parts: TaskParts) -> None:
    """Enqueueing, reading and cancelling."""
    _add_enqueuing(api, parts)
    _add_batches(api, parts)
    _add_reading(api, parts)


def _add_enqueuing(api: FastAPI, parts: TaskParts) -> None:
    known = known_tasks(parts)

    # Plain functions: FastAPI runs them in threads, so a broker that is slow holds up no other request.
    @api.post("/tasks/{name}", status_code=202)
    def enqueue(
        name: str,
        request: Request,
        response: Response,
        body: TaskBody | None = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Accepted:
        """Enqueue a task; 202 once the broker has confirmed it, 503 with Retry-After when it does not."""
        if name not in known:
            raise HTTPException(404, f"there is no task {name!r}; there are {', '.join(sorted(known))}")
        given = body or TaskBody()
        if problem := argument_problem(parts.app.tasks[name], given):
            raise HTTPException(422, problem)
        calls, content = [_call(name, given)], fingerprint(name, given.model_dump())
        with _claimed(parts, request, response, key=idempotency_key, calls=calls, content=content) as claim:
            queue = claim.queues[0]
            if claim.missing:
                _enqueue_one(parts, _call(name, given, task_id=claim.ids[0]), queue, response)
                claim.accepted.add(0)
            answer = Accepted(id=claim.ids[0], queue=queue)
        _tell_status(response, claim)
        return answer


def _enqueue_one(parts: TaskParts, call: TaskCall, queue: str, response: Response) -> None:
    try:
        with parts.metrics.publish_seconds.time():
            parts.publisher.enqueue(call, before=lambda: parts.results.mark_accepted({call.id: queue}))
    except BrokerUnavailableError as error:
        parts.metrics.refused.labels(queue).inc()
        raise unavailable(f"not enqueued: {error}", response) from None
    parts.metrics.accepted.labels(queue).inc()


def _add_batches(api: FastAPI, parts: TaskParts) -> None:
    known = known_tasks(parts)

    @api.post("/tasks", status_code=202, responses={207: {"model": BatchAnswer}, 503: {"model": BatchAnswer}})
    def enqueue_batch(
        body: BatchBody, request: Request, response: Response, idempotency_key: IdempotencyKey = None
    ) -> BatchAnswer:
        """Enqueue many tasks in their order: 202 where all are confirmed, 207 where some are, 503 where none is.

        A batch with a task that is wrong is refused as a whole (422). Nothing is tried again: send those that were refused once more, or the whole
        batch under its key, which enqueues what is missing.
        """
        problems = [_invalid(place, task, parts, known) for place, task in enumerate(body.tasks)]
        if wrong := [problem.model_dump() for problem in problems if problem]:
            raise HTTPException(422, wrong)
        charge(request, len(body.tasks) - 1)
        calls, content = [_call(task.name, task) for task in body.tasks], fingerprint(body.model_dump())
        with _claimed(parts, request, response, key=idempotency_key, calls=calls, content=content) as claim:
            answer = _enqueue_missing(parts, body.tasks, claim, response)
            claim.accepted |= {place for place, task in enumerate(answer.tasks) if task.outcome is Outcome.ACCEPTED}
        _tell_status(response, claim)
        response.status_code = 202 if not claim.missing else 207 if claim.accepted else 503
        if claim.missing:
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return answer


def _enqueue_missing(parts: TaskParts, tasks: list[BatchTask], claim: Claim, response: Response) -> BatchAnswer:
    told = [
        BatchedTask(id=task_id, queue=queue, outcome=Outcome.ACCEPTED)
        for task_id, queue in zip(claim.ids, claim.queues, strict=True)
    ]
    calls = [_call(tasks[place].name, tasks[place], task_id=claim.ids[place]) for place in claim.missing]
    marks = {claim.ids[place]: claim.queues[place] for place in claim.missing}
    if not calls:
        return BatchAnswer(tasks=told)
    try:
        with parts.metrics.batch_seconds.time():
            found = parts.publisher.enqueue_many(calls, before=lambda: parts.results.mark_accepted(marks))
    except BrokerUnavailableError as error:
        for queue in marks.values():
            parts.metrics.refused.labels(queue).inc()
        raise unavailable(f"not known to be enqueued: {error}", response) from None
    for place, ended in zip(claim.missing, found, strict=True):
        queue = claim.queues[place]
        told[place] = BatchedTask(id=ended.id, queue=queue, outcome=ended.outcome, reason=ended.reason)
        counter = parts.metrics.accepted if ended.outcome is Outcome.ACCEPTED else parts.metrics.refused
        counter.labels(queue).inc()
    return BatchAnswer(tasks=told)


def _add_reading(api: FastAPI, parts: TaskParts) -> None:
    @api.get("/tasks/{task_id}", response_model=TaskAnswer, responses={202: {"model": TaskAnswer}})
    def read(task_id: str, response: Response) -> TaskAnswer:
        """200 with the result of a finished task, 202 while it waits or runs, 404 for an id that was never given out."""
        view = _find(parts.results, task_id)
        response.status_code = 200 if view.finished else 202
        return TaskAnswer(id=view.id, state=view.state, queue=view.queue, result=view.result, error=view.error)

    @api.delete("/tasks/{task_id}", status_code=202)
    def cancel(task_id: str) -> TaskAnswer:
        """Cancel a task: one that waits is skipped, one that runs is ended where its pool can. A finished one stays as it is."""
        view = _find(parts.results, task_id)
        if not view.finished:
            parts.results.remember_cancelled(task_id)
            try:
                parts.publisher.cancel(task_id)
            except BrokerUnavailableError as error:
                raise unavailable(f"not cancelled: {error}") from None
        return TaskAnswer(id=view.id, state=view.state, queue=view.queue)


def known_tasks(parts: TaskParts) -> frozenset[str]:
    """Names of the tasks that clients may enqueue."""
    return frozenset(name for name in parts.app.tasks if not name.startswith("celery.") and parts.router.takes(name))


def argument_problem(task: Any, body: TaskBody) -> str | None:
    """What the worker could only fail on."""
    if not getattr(task, "typing", True):
        return None
    signature = inspect.signature(task.run)
    try:
        signature.bind(*body.args, **body.kwargs)
    except TypeError as error:
        return f"{task.name}{signature}: {error}"
    return None


def _invalid(place: int, task: BatchTask, parts: TaskParts, known: frozenset[str]) -> InvalidTask | None:
    if task.name not in known:
        problem = f"there is no task {task.name!r}; there are {', '.join(sorted(known))}"
        return InvalidTask(loc=["body", "tasks", place, "name"], msg=problem)
    if wrong := argument_problem(parts.app.tasks[task.name], task):
        return InvalidTask(loc=["body", "tasks", place], msg=wrong)
    return None


def _call(name: str, body: TaskBody, task_id: str | None = None) -> TaskCall:
    identity = {} if task_id is None else {"id": task_id}
    return TaskCall(
        name=name, args=body.args, kwargs=body.kwargs, countdown=body.countdown, priority=body.priority, **identity
    )


@contextmanager
def _claimed(
    parts: TaskParts, request: Request, response: Response, *, key: str | None, calls: list[TaskCall], content: str
) -> Iterator[Claim]:
    try:
        with parts.keys.claim(
            key,
            client=client_of(request),
            request=content,
            ids=[call.id for call in calls],
            queues=[parts.router.queue_of(call.name) for call in calls],
        ) as claim:
            _tell_status(response, claim)
            yield claim
    except KeyReusedError:
        raise HTTPException(
            422, "this Idempotency-Key was used with another request; take a new key for a new one"
        ) from None
    except KeyBusyError:
        raise HTTPException(
            409, "a request with this Idempotency-Key is being answered", headers={"Retry-After": "1"}
        ) from None


def _tell_status(response: Response, claim: Claim) -> None:
    if claim.status is not None:
        response.headers[STATUS_HEADER] = claim.status


def _find(results: Results, task_id: str) -> TaskView:
    try:
        view = results.find(task_id)
    except StoreError as error:
        raise unavailable(f"the results store does not answer ({type(error).__name__})") from None
    if view is None:
        raise HTTPException(404, f"there is no task with the id {task_id!r}, or it ended more than a day ago")
    return view


def unavailable(problem: str, response: Response | None = None) -> HTTPException:
    """503 with the time after which to try again, and what the answer says already."""
    said = dict(response.headers) if response is not None else {}
    kept = {STATUS_HEADER: said[STATUS_HEADER.lower()]} if STATUS_HEADER.lower() in said else {}
    return HTTPException(503, problem, headers={"Retry-After": str(RETRY_AFTER_SECONDS), **kept})
