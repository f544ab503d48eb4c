"""What reaches a pod is what the plan says, and no more of it than the pod needs."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from fleet.documents import (
    DelayedDeliveryDocument,
    ProducerDocument,
    WorkerDocument,
    delayed_delivery_document,
    dump_document,
    load_document,
    producer_document,
    worker_document,
)
from fleet.errors import FleetError
from tests.fleet.strategies import catalogues, load_from, sample_catalogue, sample_queue


@given(catalogues())
def test_a_document_that_was_written_is_read_back_the_same(raw: dict[str, Any]) -> None:
    """Pods see exactly what was derived."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = load_from(raw, folder)
        path = folder / "document.json"
        path.write_text(dump_document(producer_document(plan)))
        assert load_document(path, ProducerDocument) == producer_document(plan)
        path.write_text(dump_document(delayed_delivery_document(plan)))
        assert load_document(path, DelayedDeliveryDocument) == delayed_delivery_document(plan)
        for queue in plan.queues:
            for shard in queue.topology.shards:
                path.write_text(dump_document(worker_document(plan, queue, shard)))
                assert load_document(path, WorkerDocument) == worker_document(plan, queue, shard)


@pytest.mark.parametrize(
    ("changes", "rolled"),
    [
        pytest.param(
            {"runtime": {"mean": "200ms", "p99": "1s", "limit": "20s"}}, {"mail"}, id="a-limit-rolls-its-own-queue"
        ),
        pytest.param({"load": {"peak": "50/s"}}, set(), id="more-load-rolls-no-pod"),
        pytest.param({"tasks": ["shop.letters.*"]}, {"mail", "orders"}, id="a-route-concerns-all-who-publish"),
        pytest.param({"priority": {"shop.tasks.pay": 9}}, {"mail", "orders"}, id="so-does-a-priority"),
    ],
)
def test_a_changed_number_rolls_only_the_pods_that_use_it(
    tmp_path: Path, changes: dict[str, Any], rolled: set[str]
) -> None:
    """A worker's document holds nothing of the other queues' numbers."""

    def documents(**changed: Any) -> dict[str, str]:
        raw = sample_catalogue(**changed)
        raw["queues"]["orders"] = sample_queue(tasks=["shop.orders.*"])
        plan = load_from(raw, tmp_path)
        return {queue.name: dump_document(worker_document(plan, queue, queue.name)) for queue in plan.queues}

    before, after = documents(), documents(**changes)
    assert {name for name in before if before[name] != after[name]} == rolled


def test_delayed_messages_of_a_sharded_queue_leave_to_its_own_exchange(tmp_path: Path) -> None:
    """A plain queue's go back to the task exchange, a sharded one's straight to the exchange that spreads them."""
    raw = sample_catalogue(shards=2)
    raw["queues"]["orders"] = sample_queue(tasks=["shop.orders.*"])
    bindings = delayed_delivery_document(load_from(raw, tmp_path)).bindings
    assert [(binding.queue, binding.destination) for binding in bindings] == [("mail", "mail"), ("orders", "tasks")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "cannot be read: No such file", id="a-missing-document"),
        pytest.param("{", "is no ProducerDocument", id="cut-off-json"),
        pytest.param('{"fleet": "f"}', "missing required field", id="a-missing-field"),
        pytest.param(
            '{"fleet":"f","application":"a","vhost":"v","exchange":"e","unrouted":"u","queues":[],"routes":[],"priorities":[],"more":1}',
            "unknown field `more`",
            id="a-field-of-another-version",
        ),
    ],
)
def test_a_document_that_is_none_is_refused_in_words(tmp_path: Path, content: str | None, words: str) -> None:
    """A pod never runs on a plan that it understands only in part."""
    path = tmp_path / "document.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FleetError, match=words):
        load_document(path, ProducerDocument)
