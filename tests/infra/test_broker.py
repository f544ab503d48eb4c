"""The RabbitMQ cluster, as it is rendered for each environment."""

from typing import Any

import pytest

from infra.broker import Broker, BrokerArgs
from tests.infra.recording import Recorded, record
from tests.infra.samples import sample_plan


def broker(environment: str, *, storage_class: str | None = None) -> Recorded:
    """The broker of the sample in one environment."""
    plan = sample_plan(environment)
    args = BrokerArgs(fleet=plan.fleet, plan=plan.broker, storage_class=storage_class)
    return record(lambda: Broker("broker", args))


def spec_of(recorded: Recorded) -> dict[str, Any]:
    """What the cluster operator reads."""
    spec: dict[str, Any] = recorded.one("RabbitmqCluster", "broker").inputs["spec"]
    return spec


@pytest.mark.parametrize(
    ("environment", "nodes", "cpu", "memory", "budgets"),
    [
        pytest.param("local", 1, "250m", "1Gi", 0, id="local-is-one-small-node"),
        pytest.param("dev", 1, "1", "2Gi", 0, id="dev-is-one-node"),
        pytest.param("staging", 3, "1500m", "4Gi", 1, id="staging-is-three-with-a-budget"),
        pytest.param("prod", 3, "3", "8Gi", 1, id="prod-is-three-large-ones-with-a-budget"),
    ],
)
def test_the_broker_has_the_size_of_its_environment(
    environment: str, nodes: int, cpu: str, memory: str, budgets: int
) -> None:
    """A budget on a single node would only hold up every drain."""
    recorded = broker(environment)
    spec = spec_of(recorded)
    assert spec["replicas"] == nodes
    assert spec["resources"]["requests"] == {"cpu": cpu, "memory": memory}
    assert spec["resources"]["limits"] == {"memory": memory}
    assert len(recorded.of("PodDisruptionBudget")) == budgets


def test_the_broker_counts_as_deployed_when_all_nodes_are_ready() -> None:
    """Without the annotation a custom resource counts at once, and a condition `Ready` does not exist."""
    metadata = broker("prod").one("RabbitmqCluster").inputs["metadata"]
    assert metadata["annotations"] == {"pulumi.com/waitFor": "condition=AllReplicasReady"}


def test_leaders_are_balanced_and_nothing_without_effect_is_written() -> None:
    """RabbitMQ 4.3 ignores partition handling, and quorum queues ignore `queue_master_locator`."""
    lines = spec_of(broker("prod"))["rabbitmq"]["additionalConfig"].splitlines()
    assert "queue_leader_locator = balanced" in lines
    assert not [line for line in lines if "partition" in line or "master_locator" in line]


def test_the_log_and_the_disk_reserve_fit_a_small_node() -> None:
    """An eighth of 1 GiB for the write-ahead log; a quarter of the 2 GiB volume stays free."""
    lines = spec_of(broker("local"))["rabbitmq"]["additionalConfig"].splitlines()
    assert "raft.wal_max_size_bytes = 134217728" in lines
    assert "disk_free_limit.absolute = 536870912" in lines


def test_the_version_of_the_broker_is_pinned() -> None:
    """The operator's own default moves with the operator."""
    assert spec_of(broker("local"))["image"] == "docker.io/library/rabbitmq:4.3.6-management"


@pytest.mark.parametrize(
    ("storage_class", "written"),
    [
        pytest.param(None, {"storage": "2Gi"}, id="the-clusters-default"),
        pytest.param("fast", {"storage": "2Gi", "storageClassName": "fast"}, id="a-class-of-ones-own"),
    ],
)
def test_the_volume_is_of_the_class_that_was_asked_for(storage_class: str | None, written: dict[str, str]) -> None:
    """No class is written unless one was named."""
    assert spec_of(broker("local", storage_class=storage_class))["persistence"] == written


def test_three_nodes_never_share_a_zone_or_a_machine() -> None:
    """The loss of one leaves a majority."""
    spec = spec_of(broker("prod"))
    pod = spec["override"]["statefulSet"]["spec"]["template"]["spec"]
    assert [rule["whenUnsatisfiable"] for rule in pod["topologySpreadConstraints"]] == ["DoNotSchedule"]
    assert spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert "override" not in spec_of(broker("local"))
