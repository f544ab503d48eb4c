"""Broker, autoscaler and worker figures of a queue, put side by side."""

from typing import Any

from ops.observing import QueueView, queue_views
from ops.target import Target
from ops.waits import Counters
from tests.ops.conftest import Kubernetes


def autoscaler(name: str, desired: int) -> dict[str, Any]:
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"keda-hpa-{name}"},
        "spec": {"scaleTargetRef": {"name": name}},
        "status": {"desiredReplicas": desired},
    }


def view_of(name: str, views: list[QueueView]) -> QueueView:
    return next(view for view in views if view.name == name)


def test_the_shards_of_a_queue_are_one_row(target: Target, deployment: Kubernetes) -> None:
    """A person asks by the queue's name."""
    items = [
        deployment("worker-default-0", wanted=2, ready=2),
        deployment("worker-default-1", wanted=1, ready=1),
        autoscaler("worker-default-0", 3),
        autoscaler("worker-default-1", 1),
    ]
    broker = {
        "default-0": {"messages_ready": 7, "messages_unacknowledged": 4},
        "default-1": {"messages_ready": 1, "messages_unacknowledged": 0},
    }
    view = view_of("default", queue_views(target.plan, items, broker=broker))
    assert (view.ready, view.unacked, view.replicas, view.desired) == (8, 4, 3, 4)


def test_a_queue_at_zero_wants_zero_whatever_its_hpa_last_said(target: Target, deployment: Kubernetes) -> None:
    """KEDA holds the Deployment at zero itself; its HPA keeps an old number."""
    items = [deployment("worker-reports", wanted=0, ready=0), autoscaler("worker-reports", 1)]
    view = view_of("reports", queue_views(target.plan, items))
    assert (view.replicas, view.desired) == (0, 0)


def test_what_cannot_be_read_is_unknown_and_not_zero(target: Target) -> None:
    """A broker that does not answer is not an empty queue, and such a queue does not count as resting."""
    view = view_of("high", queue_views(target.plan, []))
    assert (view.ready, view.unacked, view.replicas, view.desired) == (None, None, None, None)
    assert not view.resting


def test_counts_begin_where_the_demo_began(target: Target) -> None:
    """Tasks of before are not the demo's."""
    views = queue_views(
        target.plan, [], counters={"high": Counters(started=9, done=9)}, start={"high": Counters(started=6, done=6)}
    )
    assert view_of("high", views).counters.done == 3
