"""Exchanges, queues, bindings, policies and users, as they are rendered for the repository's catalogue."""

import re
from typing import Any

import pytest

from fleet.plan import Plan
from fleet.topology import FleetTopology
from infra.manifests.topology import DeletionPolicy, users
from infra.topology import BrokerTopology, BrokerTopologyArgs, QueueTopology, QueueTopologyArgs
from tests.infra.recording import Recorded, record
from tests.infra.samples import full_plan, queue_of, sample_plan


def queue_topology(
    name: str, *, deletion: DeletionPolicy = DeletionPolicy.RETAIN, plan: Plan | None = None
) -> Recorded:
    """One queue of the sample, or of another plan, in the broker."""
    plan = plan or sample_plan()
    args = QueueTopologyArgs(fleet=plan.fleet, topology=plan.topology, queue=queue_of(plan, name), deletion=deletion)
    return record(lambda: QueueTopology("queue", args))


def shared_topology(*, deletion: DeletionPolicy = DeletionPolicy.RETAIN, plan: Plan | None = None) -> Recorded:
    """What the queues share."""
    plan = plan or sample_plan()
    args = BrokerTopologyArgs(fleet=plan.fleet, topology=plan.topology, counted=plan.counted_queues, deletion=deletion)
    return record(lambda: BrokerTopology("topology", args))


def bindings(recorded: Recorded) -> set[tuple[str, str, str, str]]:
    """(source, destination type, destination, routing key) of every binding."""
    specs = [item.inputs["spec"] for item in recorded.of("Binding")]
    return {(spec["source"], spec["destinationType"], spec["destination"], spec["routingKey"]) for spec in specs}


def test_a_queue_is_bound_by_its_exact_name() -> None:
    """kombu widens a pattern to any prefix, which would deliver delayed tasks twice."""
    assert bindings(queue_topology("high")) == {("tasks", "queue", "high", "high")}


def test_a_sharded_queue_spreads_by_task_id() -> None:
    """One binding to the exchange of the queue's name, one with weight 1 to each shard."""
    recorded = queue_topology("default")
    assert bindings(recorded) == {
        ("tasks", "exchange", "default", "default"),
        ("default", "queue", "default-0", "1"),
        ("default", "queue", "default-1", "1"),
    }
    exchange = recorded.one("Exchange", "default").inputs["spec"]
    assert exchange["type"] == "x-consistent-hash"
    assert exchange["arguments"] == {"hash-property": "correlation_id"}


def test_everything_that_may_change_is_a_policy() -> None:
    """Queue arguments are immutable; RabbitMQ's at-least-once needs reject-publish beside it."""
    recorded = queue_topology("reports")
    assert all("arguments" not in item.inputs["spec"] for item in recorded.of("Queue"))
    policy = recorded.one("Policy", "reports").inputs["spec"]
    assert policy["applyTo"] == "quorum_queues"
    assert policy["definition"] == {
        "delivery-limit": 20,
        "dead-letter-exchange": "",
        "dead-letter-routing-key": "reports-dead",
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
        "max-length": 1_000_000,
        "consumer-timeout": 1_800_000,
    }


@pytest.mark.parametrize(
    ("queue", "matched", "not_matched"),
    [
        pytest.param("high", ["high"], ["high-dead", "higher", "xhigh"], id="plain-queue"),
        pytest.param("default", ["default-0", "default-1"], ["default", "default-2", "default-0x"], id="its-shards"),
    ],
)
def test_a_policy_is_for_its_queue_alone(queue: str, matched: list[str], not_matched: list[str]) -> None:
    """RabbitMQ matches the pattern anywhere in a name, so it has to be anchored."""
    pattern = re.compile(queue_topology(queue).one("Policy", queue).inputs["spec"]["pattern"])
    assert [name for name in matched if pattern.search(name)] == matched
    assert [name for name in not_matched if pattern.search(name)] == []


@pytest.mark.parametrize(
    ("queue", "keep_milliseconds"),
    [
        pytest.param("orders", 172_800_000, id="two-days-as-declared"),
        pytest.param("mail", 1_209_600_000, id="two-weeks-where-nothing-is"),
    ],
)
def test_dead_letters_are_bounded_in_number_and_age(queue: str, keep_milliseconds: int) -> None:
    """One policy for each dead-letter queue, shared by the shards; RabbitMQ applies only one to a queue, so it holds all three keys."""
    policy = queue_topology(queue, plan=full_plan()).one("Policy", f"{queue}-dead").inputs["spec"]
    assert policy["definition"] == {
        "max-length": 100_000,
        "overflow": "reject-publish",
        "delivery-limit": -1,
        "message-ttl": keep_milliseconds,
    }
    assert re.compile(policy["pattern"]).search(f"{queue}-dead")


def test_no_queue_has_two_policies() -> None:
    """RabbitMQ would apply one of them and say nothing of the other."""
    plan = full_plan()
    recorded = [shared_topology(plan=plan), *(queue_topology(queue.name, plan=plan) for queue in plan.queues)]
    policies = [item.inputs["spec"]["pattern"] for part in recorded for item in part.of("Policy")]
    queues = [item.inputs["spec"]["name"] for part in recorded for item in part.of("Queue")]
    assert sorted(queues) == [
        "mail-0", "mail-1", "mail-dead", "orders", "orders-dead", "reports", "reports-dead", "unrouted",
    ]  # fmt: skip
    for queue in queues:
        assert len([pattern for pattern in policies if re.search(pattern, queue)]) == 1, queue


def test_messages_without_a_route_stay_until_someone_looks() -> None:
    """Nobody declared how long they may stay: they were accepted and never ran. However often someone looks, they stay."""
    definition = shared_topology().one("Policy", "unrouted").inputs["spec"]["definition"]
    assert definition == {"max-length": 100_000, "overflow": "reject-publish", "delivery-limit": -1}


def test_other_publishers_reach_a_queue_by_its_patterns() -> None:
    """They stand on an exchange of their own, which Celery never sees; a sharded queue is reached through its exchange."""
    assert bindings(queue_topology("orders", plan=full_plan())) == {
        ("tasks", "queue", "orders", "orders"),
        ("tasks", "queue", "orders-dead", "orders-dead"),
        ("ingress", "queue", "orders", "orders.#"),
        ("ingress", "queue", "orders", "shop.order.*"),
    }
    assert ("ingress", "exchange", "mail", "mail.#") in bindings(queue_topology("mail", plan=full_plan()))
    exchange = shared_topology(plan=full_plan()).one("Exchange", "ingress").inputs["spec"]
    assert (exchange["type"], exchange["arguments"]) == ("topic", {"alternate-exchange": "unrouted"})


def test_workers_reach_the_dead_letters_where_failed_tasks_are_kept() -> None:
    """Over the exchange that they may write already; elsewhere nothing but the broker gets there."""
    dead = ("tasks", "queue", "orders-dead", "orders-dead")
    assert dead in bindings(queue_topology("orders", plan=full_plan()))
    assert {binding[2] for binding in bindings(queue_topology("reports", plan=full_plan()))} == {"reports"}


def test_a_fleet_without_patterns_has_no_way_in_for_others() -> None:
    """Neither an exchange nor a user that nobody needs."""
    recorded = shared_topology()
    assert "ingress" not in {item.inputs["metadata"]["name"] for item in recorded.resources if item.custom}


def test_a_queue_gets_its_policy_before_its_first_message() -> None:
    """The binding comes last."""
    recorded = queue_topology("high")
    binding = recorded.one("Binding")
    before = {recorded.by_urn()[urn].kind for urn in binding.depends_on}
    assert before == {"Policy", "Queue"}


@pytest.mark.parametrize("deletion", [pytest.param(item, id=item.value) for item in DeletionPolicy])
def test_the_fate_of_messages_is_one_choice(deletion: DeletionPolicy) -> None:
    """Vhost, task queues, dead letters and unrouted messages are kept or dropped together."""
    items = queue_topology("high", deletion=deletion).of("Queue")
    shared = shared_topology(deletion=deletion)
    items += [*shared.of("Queue"), *shared.of("Vhost")]
    assert {item.inputs["spec"]["deletionPolicy"] for item in items} == {deletion.value}


def test_what_no_queue_takes_is_kept() -> None:
    """RabbitMQ confirms what it cannot route, so the task exchange hands it to a quorum queue."""
    recorded = shared_topology()
    tasks = recorded.one("Exchange", "tasks").inputs["spec"]
    assert (tasks["type"], tasks["arguments"]) == ("topic", {"alternate-exchange": "unrouted"})
    assert recorded.one("Exchange", "unrouted").inputs["spec"]["type"] == "fanout"
    assert recorded.one("Queue", "unrouted").inputs["spec"]["type"] == "quorum"
    assert bindings(recorded) == {("unrouted", "queue", "unrouted", "")}


def test_every_topology_resource_says_when_it_is_done() -> None:
    """Without the annotation Pulumi goes on before the broker has it."""
    for recorded in (shared_topology(), queue_topology("default")):
        for item in recorded.resources:
            if item.typ.startswith("kubernetes:rabbitmq.com/"):
                assert item.inputs["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}


def _may(user: str, right: str, name: str) -> bool:
    topology = FleetTopology(vhost="shop", ingress="ingress")
    spec = next(spec for spec in users(topology, ("high", "high-dead", "unrouted")) if spec.name == user)
    return re.search(getattr(spec, right), name) is not None


@pytest.mark.parametrize(
    ("user", "right", "name", "allowed"),
    [
        pytest.param("producer", "write", "tasks", True, id="a-producer-publishes"),
        pytest.param("producer", "write", "celery_delayed_27", True, id="also-with-a-countdown"),
        pytest.param("producer", "write", "celery.pidbox", True, id="and-may-cancel"),
        pytest.param("producer", "write", "high", True, id="and-may-ask-how-long-a-queue-is"),
        pytest.param("producer", "write", "high-dead", True, id="of-dead-letters-too"),
        pytest.param("producer", "write", "other", False, id="but-not-of-another-queue"),
        pytest.param("producer", "read", "tasks", False, id="and-binds-nothing-to-it"),
        pytest.param("producer", "read", "high", False, id="but-reads-nothing"),
        pytest.param("producer", "configure", "tasks", False, id="and-declares-nothing-of-ours"),
        pytest.param("worker", "read", "high", True, id="a-worker-consumes"),
        pytest.param("worker", "read", "default-0", True, id="a-shard-too"),
        pytest.param("worker", "read", "high-dead", False, id="no-dead-letters"),
        pytest.param("worker", "read", "unrouted", False, id="nothing-unrouted"),
        pytest.param("worker", "read", "celery_delayed_3", False, id="nothing-before-it-is-due"),
        pytest.param("worker", "write", "high", False, id="a-worker-publishes-to-no-queue"),
        pytest.param("worker", "write", "tasks", True, id="but-like-a-producer"),
        pytest.param("worker", "configure", "high", False, id="a-worker-declares-no-queue"),
        pytest.param("worker", "configure", "celery@worker-high-1.celery.pidbox", True, id="but-its-control-queue"),
        pytest.param("autoscaler", "read", "high", False, id="the-autoscaler-reads-no-message"),
        pytest.param("autoscaler", "write", "tasks", False, id="and-sends-none"),
        pytest.param("topology", "configure", "celery_delayed_0", True, id="the-job-declares-the-tree"),
        pytest.param("topology", "configure", "tasks", False, id="and-only-the-tree"),
        pytest.param("topology", "read", "high", False, id="the-job-reads-no-queue"),
        pytest.param("operator", "read", "high-dead", True, id="the-operator-takes-dead-letters"),
        pytest.param("operator", "read", "unrouted", True, id="and-unrouted-messages"),
        pytest.param("operator", "read", "high", False, id="but-no-tasks"),
        pytest.param("operator", "read", "celery_delayed_3", False, id="nor-what-is-not-due"),
        pytest.param("operator", "write", "amq.default", True, id="the-operator-sends-back-by-a-queues-name"),
        pytest.param("operator", "write", "tasks", False, id="and-by-no-exchange-of-ours"),
        pytest.param("operator", "configure", "high-dead", False, id="the-operator-declares-nothing"),
        pytest.param("worker", "write", "amq.default", False, id="which-no-worker-may"),
        pytest.param("producer", "write", "amq.default", False, id="and-no-producer"),
        pytest.param("ingress", "write", "ingress", True, id="another-publisher-publishes"),
        pytest.param("ingress", "write", "tasks", False, id="but-not-where-celery-does"),
        pytest.param("ingress", "write", "", False, id="nor-to-a-queue-by-its-name"),
        pytest.param("ingress", "read", "high", False, id="and-reads-nothing"),
        pytest.param("ingress", "configure", "ingress", False, id="and-declares-nothing"),
    ],
)
def test_every_user_has_the_least_it_works_with(user: str, right: str, name: str, allowed: bool) -> None:
    """RabbitMQ matches each pattern anywhere in a name."""
    assert _may(user, right, name) is allowed


def test_only_the_autoscaler_may_see_the_management_api() -> None:
    """Its tag is the one that shows and changes nothing; KEDA takes its password from the operator's Secret."""
    recorded = shared_topology()
    tags: dict[str, Any] = {
        item.inputs["metadata"]["name"]: item.inputs["spec"].get("tags") for item in recorded.of("User")
    }
    assert tags == {
        "producer": None, "worker": None, "topology": None, "operator": None, "autoscaler": ["monitoring"],
    }  # fmt: skip
    assert shared_topology(plan=full_plan()).one("User", "ingress").inputs["spec"].get("tags") is None
    references = recorded.one("TriggerAuthentication").inputs["spec"]["secretTargetRef"]
    assert {(item["parameter"], item["name"], item["key"]) for item in references} == {
        ("username", "autoscaler-user-credentials", "username"),
        ("password", "autoscaler-user-credentials", "password"),
    }
