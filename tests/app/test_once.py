"""Deliveries of a task with `@once`, as a worker traces them; the broker is a list, the store is fakeredis."""

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from celery import Celery
from celery.app.trace import build_tracer

from app.once import ResultNotKeptError, WithoutStore, fence, keep_leases, once
from app.once.delivery import record_key
from app.once.leases import Held, Lease, Leases
from app.once.renewing import Terms, renewed, terms_of
from app.settings import configure
from tests.app.documents import ENVIRONMENT, worker_document
from tests.app.lease_store import LeaseStore, Trouble, lease_store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store() -> Iterator[LeaseStore]:
    with lease_store() as made:
        keep_leases(Leases(lambda: made), "shop")
        yield made
        keep_leases(None, "shop")


class Deliveries:
    """One task of an application, what its runs saw, and what it published."""

    def __init__(self, *, body: Callable[..., Any] | None = None, bind: bool = False, **options: Any) -> None:
        self.runs: list[tuple[Any, ...]] = []
        self.sent: list[dict[str, Any]] = []
        self.refusing = False
        app: Any = Celery("once", set_as_current=False)
        app.send_task = self._send

        def charge(order_id: str, cents: int = 1) -> Any:
            self.runs.append((order_id, fence()))
            return body(order_id) if body else {"order": order_id, "run": len(self.runs)}

        def bound(self: Any, order_id: str, cents: int = 1) -> Any:
            return charge(order_id, cents)

        decorated = once(**options)(bound if bind else charge)
        self.task = app.task(name="shop.orders.charge", shared=False, ignore_result=True, bind=bind)(decorated)
        app.finalize()
        configure(app, worker_document(), ENVIRONMENT)
        self.app = app

    def _send(self, name: str, args: Any = None, kwargs: Any = None, **call: Any) -> None:
        if self.refusing:
            raise OSError
        self.sent.append({"args": args, **call})

    def deliver(self, order_id: str = "A-1", *, task_id: str = "1", **request: Any) -> tuple[str, Any]:
        """State and result of one delivery."""
        info = {"exchange": "tasks", "routing_key": "high", "priority": 9, "redelivered": False}
        traced = build_tracer(self.task.name, self.task, app=self.app)(
            task_id, [order_id], {}, {"id": task_id, "retries": 3, "delivery_info": info, "is_eager": False, **request}
        )
        return ("SUCCESS" if traced.info is None else traced.info.state), (
            traced.retval if traced.info is None else traced.info.retval
        )


def test_a_second_delivery_gets_the_result_of_the_first(store: LeaseStore) -> None:
    orders = Deliveries()
    assert orders.deliver() == ("SUCCESS", {"order": "A-1", "run": 1})
    assert orders.deliver() == ("SUCCESS", {"order": "A-1", "run": 1})
    assert orders.deliver(task_id="2") == ("SUCCESS", {"order": "A-1", "run": 2})
    assert [order for order, _ in orders.runs] == ["A-1", "A-1"]


def test_a_delivery_beside_a_running_one_waits_in_the_broker(store: LeaseStore) -> None:
    """In another message with the same id, arguments, retries and priority; it writes no state."""
    seen: list[Any] = []
    orders = Deliveries(body=lambda order: seen.append(orders.deliver()) if not seen else None)
    assert orders.deliver()[0] == "SUCCESS"
    assert [state for state, _ in seen] == ["IGNORED"]
    (message,) = orders.sent
    assert (message["args"], message["task_id"], message["retries"], message["priority"]) == (("A-1",), "1", 3, 9)
    # A hard limit of 5 s and the margin.
    assert message["countdown"] == 15
    assert orders.deliver()[0] == "SUCCESS"
    assert len(orders.runs) == 1


def test_after_a_crash_the_next_delivery_waits_for_the_lease_and_runs(store: LeaseStore) -> None:
    """With a higher fence, so that what the first one still writes can be refused."""
    killed = Deliveries(body=_raise(SystemExit))
    patched = Leases(lambda: store)
    patched.release = lambda lease: None  # type: ignore[method-assign]  # the process is gone before it gives anything back
    keep_leases(patched, "shop")
    with pytest.raises(SystemExit):
        killed.deliver()
    keep_leases(Leases(lambda: store), "shop")
    orders = Deliveries()
    store.now += 10
    assert orders.deliver()[0] == "IGNORED"
    assert orders.sent[0]["countdown"] == 5
    store.now += 5
    assert orders.deliver()[0] == "SUCCESS"
    assert orders.runs[0][1] > killed.runs[0][1]


def _raise(kind: type[BaseException]) -> Callable[..., Any]:
    def body(*_: Any) -> None:
        raise kind

    return body


def test_a_task_that_raised_may_run_again_at_once(store: LeaseStore) -> None:
    """Its retry is another delivery."""
    broken = Deliveries(body=_raise(ValueError))
    assert broken.deliver()[0] == "FAILURE"
    orders = Deliveries()
    assert orders.deliver()[0] == "SUCCESS"
    assert orders.runs[0][1] > broken.runs[0][1]


@pytest.mark.parametrize("bind", [False, True], ids=["a-function", "a-bound-task"])
def test_a_key_of_its_own_makes_different_messages_one(store: LeaseStore, bind: bool) -> None:
    orders = Deliveries(bind=bind, key=lambda order_id, cents=1: order_id)
    for number, order in enumerate(["A-1", "A-1", "A-2", "A-1"]):
        orders.deliver(order, task_id=str(number))
    assert [order for order, _ in orders.runs] == ["A-1", "A-2"]


def test_a_key_that_json_cannot_hold_fails_the_task_before_it_runs(store: LeaseStore) -> None:
    orders = Deliveries(key=lambda order_id: object())
    state, error = orders.deliver()
    assert (state, orders.runs) == ("FAILURE", [])
    assert "key for @once that is no JSON" in str(error)


def test_without_a_store_a_task_waits(store: LeaseStore) -> None:
    """Between fifteen and forty-five seconds, in whole ones."""
    orders = Deliveries()
    store.trouble = Trouble.AWAY
    assert orders.deliver()[0] == "IGNORED"
    assert 15 <= orders.sent[0]["countdown"] <= 45
    assert orders.runs == []


def test_without_a_store_a_task_that_says_so_runs(store: LeaseStore, caplog: pytest.LogCaptureFixture) -> None:
    """At least once, without a fence, and the log tells."""
    orders = Deliveries(without_store=WithoutStore.RUN)
    store.trouble = Trouble.AWAY
    assert [orders.deliver()[0], orders.deliver()[0]] == ["SUCCESS", "SUCCESS"]
    assert orders.runs == [("A-1", None), ("A-1", None)]
    assert [record.levelno for record in caplog.records if record.name == "app.once.delivery"] == [logging.WARNING] * 2


def test_a_lost_answer_is_a_store_that_is_away(store: LeaseStore) -> None:
    """The lease that nobody knows of runs out by itself."""
    orders = Deliveries()
    store.trouble = Trouble.ANSWER_LOST
    assert orders.deliver()[0] == "IGNORED"
    store.trouble = Trouble.NONE
    assert orders.deliver()[0] == "IGNORED"
    store.now += 15
    assert orders.deliver()[0] == "SUCCESS"
    assert len(orders.runs) == 1


def test_a_copy_that_cannot_be_published_goes_back_to_its_queue(store: LeaseStore) -> None:
    orders = Deliveries()
    store.trouble, orders.refusing = Trouble.AWAY, True
    state, reject = orders.deliver()
    assert (state, reject.requeue, orders.runs) == ("REJECTED", True, [])


def test_a_task_whose_end_cannot_be_kept_has_its_result_all_the_same(store: LeaseStore) -> None:
    """The store goes away while it runs; whoever comes after the lease runs again."""

    def body(order: str) -> str:
        store.trouble = Trouble.AWAY
        return order

    orders = Deliveries(body=body)
    assert orders.deliver() == ("SUCCESS", "A-1")
    store.trouble = Trouble.NONE
    assert orders.deliver()[0] == "IGNORED"


def test_the_end_of_a_task_is_tried_again(store: LeaseStore) -> None:
    """Its answer was lost once: it is kept all the same."""
    orders = Deliveries(body=lambda order: setattr(store, "trouble", Trouble.ANSWER_LOST))
    orders.deliver()
    store.trouble = Trouble.NONE
    assert orders.deliver() == ("SUCCESS", None)
    assert len(orders.runs) == 1


def test_who_ends_after_its_lease_gets_the_result_of_who_ended_before(store: LeaseStore) -> None:
    later = Deliveries()

    def body(order: str) -> str:
        store.now += 15
        later.deliver()
        return "mine"

    assert Deliveries(body=body).deliver() == ("SUCCESS", {"order": "A-1", "run": 1})


@pytest.mark.parametrize(
    ("result", "words"),
    [
        pytest.param("x" * 70_000, "70002 bytes of JSON", id="too-large"),
        pytest.param(object(), "no JSON", id="no-json"),
    ],
)
def test_what_cannot_be_kept_is_not_run_again_either(store: LeaseStore, result: Any, words: str) -> None:
    orders = Deliveries(body=lambda order: result)
    orders.deliver()
    state, error = orders.deliver()
    assert (state, len(orders.runs)) == ("FAILURE", 1)
    assert isinstance(error, ResultNotKeptError)
    assert words in str(error)


def test_a_plain_call_runs() -> None:
    """By hand, in a test, eagerly, or from another task: nothing was delivered, and there is no store."""
    orders = Deliveries()

    def outer() -> None:
        orders.task("A-2")
        orders.task.run("A-3")

    other = orders.app.task(name="outer", shared=False, ignore_result=True)(outer)
    orders.task("A-1")
    orders.task.run("A-1")
    orders.task.apply(("A-1",))
    build_tracer("outer", other, app=orders.app)("9", [], {}, {"id": "9", "delivery_info": {}, "is_eager": False})
    assert [order for order, _ in orders.runs] == ["A-1", "A-1", "A-1", "A-2", "A-3"]
    assert {number for _, number in orders.runs} == {None}


def test_a_worker_without_a_store_says_what_is_missing() -> None:
    orders = Deliveries()
    state, error = orders.deliver()
    assert (state, orders.runs) == ("FAILURE", [])
    assert "no results store" in str(error)


def test_the_arguments_stay_those_of_the_function() -> None:
    """Whoever enqueues is told at once, as without the decorator."""
    with pytest.raises(TypeError):
        Deliveries().task.apply_async(("A-1", 1, "one too many"))


@pytest.mark.parametrize(
    ("request_limits", "task_limit", "lease_and_whole"),
    [
        pytest.param({}, None, (15, 15), id="the-workers-limit"),
        pytest.param({}, 600, (30, 610), id="a-longer-one-of-the-task"),
        pytest.param({"timelimit": (60, 50)}, 600, (30, 70), id="of-this-message"),
    ],
)
def test_a_lease_is_a_little_longer_than_its_task_may_run(
    request_limits: dict[str, Any], task_limit: float | None, lease_and_whole: tuple[float, float]
) -> None:
    """And no longer than half a minute at a time."""
    orders = Deliveries()
    orders.task.time_limit = task_limit
    orders.task.push_request(**request_limits)
    terms = terms_of(orders.task, 100)
    orders.task.pop_request()
    assert (terms.lease_seconds, terms.whole_seconds) == lease_and_whole


def test_without_any_limit_a_lease_is_renewed_for_as_long_as_its_task_runs() -> None:
    orders = Deliveries()
    orders.app.conf.task_time_limit = None
    orders.task.push_request()
    assert terms_of(orders.task, 100) == Terms(lease_seconds=30, whole_seconds=None, keep_seconds=100)
    orders.task.pop_request()


@pytest.mark.parametrize(
    ("whole_seconds", "renewed_to_the_end"),
    [pytest.param(60.0, True, id="within-its-limit"), pytest.param(0.5, False, id="a-task-that-nobody-ended")],
)
def test_a_lease_is_renewed_while_its_task_runs(
    store: LeaseStore, whole_seconds: float, renewed_to_the_end: bool
) -> None:
    """For a second of five leases. The store's clock turns with each renewal, so that a lease that is not renewed runs out."""
    renewals: list[float] = []
    leases = Leases(lambda: store)
    renew = leases.renew

    def count(lease: Lease, **terms: float) -> bool:
        renewals.append(terms["lease_seconds"])
        store.now += 0.1
        return renew(lease, **terms)

    leases.renew = count  # type: ignore[method-assign]  # counts, and lets the store decide
    lease = leases.claim("key", by="1", lease_seconds=0.2, keep_seconds=10)
    assert isinstance(lease, Lease)
    with renewed(leases, lease, Terms(lease_seconds=0.2, whole_seconds=whole_seconds, keep_seconds=10)):
        time.sleep(1.0)
        store.now += 0.1
        found = leases.claim("key", by="2", lease_seconds=1, keep_seconds=1)
    assert isinstance(found, Held) is renewed_to_the_end
    assert (min(renewals) < 0.2) is not renewed_to_the_end
    assert len(renewals) >= 3


def test_many_threads_run_one_key_once_and_each_key_under_its_own_fence(store: LeaseStore) -> None:
    """As in the threads pool."""
    together = Barrier(8)

    def body(order: str) -> int | None:
        if order != "A-1":
            together.wait(10)
        return fence()

    orders = Deliveries(body=body, key=lambda order_id: order_id)
    with ThreadPoolExecutor(8) as pool:
        same = list(pool.map(lambda number: orders.deliver(task_id=str(number)), range(8)))
        each = list(pool.map(lambda number: orders.deliver(f"B-{number}", task_id=f"b{number}"), range(8)))
    assert len([order for order, _ in orders.runs if order == "A-1"]) == 1
    assert {state for state, _ in same} <= {"SUCCESS", "IGNORED"}
    for number, (_, seen) in enumerate(each):
        key = record_key("shop", "shop.orders.charge", f"B-{number}")
        assert seen == int(str(store.redis.hget(key, "fence")))


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent, time
from tests.app.test_once import Deliveries
from tests.app.lease_store import LeaseStore
from app.once import fence, keep_leases
from app.once.delivery import record_key
from app.once.leases import Leases

store = LeaseStore()
keep_leases(Leases(lambda: store), "shop")

def body(order):
    time.sleep(0.05)
    return fence()

orders = Deliveries(body=body, key=lambda order_id: order_id)
jobs = [gevent.spawn(orders.deliver, "A-1", task_id=str(number)) for number in range(10)]
jobs += [gevent.spawn(orders.deliver, f"B-{number}", task_id=f"b{number}") for number in range(10)]
gevent.joinall(jobs, raise_error=True)
kept = [int(store.redis.hget(record_key("shop", "shop.orders.charge", f"B-{number}"), "fence")) for number in range(10)]
print(len([order for order, _ in orders.runs if order == "A-1"]), [job.value[1] for job in jobs[10:]] == kept)
"""


@pytest.mark.scan
def test_greenlets_run_one_key_once_and_each_key_under_its_own_fence() -> None:
    """As in the gevent pool, in a process whose standard library is gevent's."""
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["1", "True"], done.stderr
