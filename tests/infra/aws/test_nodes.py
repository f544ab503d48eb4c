"""Managed node groups: which ones an environment has, and what their nodes are."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from fleet.cloud import CLOUDS
from fleet.nodes import counted
from infra.aws.node_groups import NodeGroupSpec, node_groups
from infra.aws.nodes import ManagedNodes, ManagedNodesArgs
from infra.manifests.broker import rabbitmq_cluster
from infra.placement import Compute, Placement, eks_placements
from tests.fleet.strategies import Raw, catalogues, load_from
from tests.infra.aws.samples import PLACE
from tests.infra.recording import Recorded, Registration, record
from tests.infra.samples import sample_plan

SUBNETS = ("subnet-a", "subnet-b", "subnet-c")


def groups_of(environment: str, compute: Compute) -> dict[str, NodeGroupSpec]:
    """Name -> group of the repository's catalogue."""
    return {group.name: group for group in node_groups(sample_plan(environment), CLOUDS[environment], compute)}


def managed_nodes(environment: str, compute: Compute, **changes: Any) -> Recorded:
    """The groups of an environment as they are registered."""
    args = ManagedNodesArgs(
        place=PLACE,
        cluster_name=PLACE.name,
        version="1.36",
        subnet_ids=SUBNETS,
        groups=tuple(groups_of(environment, compute).values()),
    )
    return record(lambda: ManagedNodes("nodes", replace(args, **changes)))


def group(recorded: Recorded, name: str) -> Registration:
    (found,) = (item for item in recorded.of("NodeGroup") if item.name == f"nodes-{name}")
    return found


def test_production_has_a_group_for_the_system_and_one_a_zone_for_brokers() -> None:
    """A volume cannot leave its zone, so neither may the node that a broker comes back on."""
    found = groups_of("prod", "karpenter")
    assert {
        name: (spec.instances, spec.zones, spec.minimum, spec.desired, spec.maximum) for name, spec in found.items()
    } == {
        "system": (("m7g.large",), (0, 1, 2), 3, 3, 4),
        "broker-0": (("r7g.xlarge",), (0,), 1, 1, 2),
        "broker-1": (("r7g.xlarge",), (1,), 1, 1, 2),
        "broker-2": (("r7g.xlarge",), (2,), 1, 1, 2),
    }


def test_dev_stands_in_one_zone_and_its_workers_have_the_nodes_of_a_mean_load() -> None:
    """Nothing makes them larger by itself; a person may, up to the nodes of the Plan's maximum, and may send them to sleep."""
    found = groups_of("dev", "mng")
    assert {name: (spec.zones, spec.minimum, spec.desired, spec.maximum) for name, spec in found.items()} == {
        "system": ((0,), 1, 1, 2),
        "broker-0": ((0,), 1, 1, 2),
        "workers-on-demand-c7g-xlarge": ((0,), 0, 3, 8),
        "workers-spot-c7g-xlarge": ((0,), 0, 1, 4),
    }


def test_spot_workers_may_have_every_type_of_the_size() -> None:
    """As many cores and no less memory: capacity of several types is seldom taken back at once."""
    found = groups_of("dev", "mng")
    assert found["workers-spot-c7g-xlarge"].instances == ("c7g.xlarge", "m7g.xlarge", "r7g.xlarge")
    assert found["workers-on-demand-c7g-xlarge"].instances == ("c7g.xlarge",)


def test_auto_mode_has_no_groups() -> None:
    """All its nodes come of node pools."""
    assert groups_of("prod", "auto") == {}


def _tolerated(placement: Placement) -> set[tuple[str, str]]:
    return {(item["key"], item["value"]) for item in placement.tolerations}


def _fits(placement: Placement, labels: Mapping[str, str], taints: set[tuple[str, str]]) -> bool:
    return placement.node_selector.items() <= labels.items() and taints <= _tolerated(placement)


@pytest.mark.parametrize("kind", ["system", "broker", "on_demand", "spot"])
def test_every_pod_finds_the_nodes_that_are_made_for_it(kind: str) -> None:
    """And no others: what a pod says and what a group has are the same words."""
    placement: Placement = getattr(eks_placements("mng"), kind)
    found = [
        name
        for name, spec in groups_of("dev", "mng").items()
        if _fits(placement, spec.labels, {(taint.key, taint.value) for taint in spec.taints})
    ]
    assert (
        found
        == {
            "system": ["system"],
            "broker": ["broker-0"],
            "on_demand": ["workers-on-demand-c7g-xlarge"],
            "spot": ["workers-spot-c7g-xlarge"],
        }[kind]
    )


@given(raw=catalogues())
def test_whatever_the_catalogue_says_eks_takes_the_groups(raw: Raw) -> None:
    """Minimum, desired and maximum in order, a maximum of one at least, and a group for every queue's workers."""
    with tempfile.TemporaryDirectory() as folder:
        plan = load_from(raw, Path(folder))
    found = node_groups(plan, CLOUDS["staging"], "mng")
    assert len({spec.name for spec in found}) == len(found)
    for spec in found:
        assert 0 <= spec.minimum <= spec.desired <= spec.maximum
        assert spec.maximum >= 1
        assert len(spec.name) <= 40
    capacities = {spec.capacity for spec in found if spec.name.startswith("workers-")}
    assert capacities == {queue.capacity for queue in plan.queues if counted(queue)}


def test_brokers_lose_their_nodes_one_after_another() -> None:
    """One `pulumi up` would otherwise drain all three at once."""
    recorded = managed_nodes("prod", "karpenter")
    first, second, third = (group(recorded, f"broker-{zone}") for zone in range(3))
    assert first.urn in second.depends_on
    assert second.urn in third.depends_on
    assert second.urn not in recorded.waits_for(first)
    assert recorded.waits_for(group(recorded, "system")).isdisjoint({first.urn, second.urn, third.urn})


def test_a_broker_leaves_before_eks_gives_up_waiting() -> None:
    """A drain that takes 15 minutes fails the update of the group."""
    plan = sample_plan("prod")
    spec = rabbitmq_cluster(plan.fleet, plan.broker, storage_class=None)["spec"]
    assert spec["terminationGracePeriodSeconds"] < 900


@pytest.mark.parametrize(
    ("name", "subnets"),
    [
        pytest.param("system", ["subnet-a", "subnet-b", "subnet-c"], id="system-in-every-zone"),
        pytest.param("broker-1", ["subnet-b"], id="broker-in-its-own"),
    ],
)
def test_a_group_stands_in_the_subnets_of_its_zones(name: str, subnets: list[str]) -> None:
    assert group(managed_nodes("prod", "karpenter"), name).inputs["subnetIds"] == subnets


def test_every_node_keeps_its_credentials_and_its_disk_to_itself() -> None:
    """IMDSv2 with one hop, an encrypted disk, and tags on all that comes with a node."""
    recorded = managed_nodes("prod", "karpenter")
    templates = recorded.of("LaunchTemplate")
    assert len(templates) == 4
    for template in templates:
        assert template.inputs["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
            "instanceMetadataTags": "disabled",
        }
        assert template.inputs["blockDeviceMappings"] == [
            {
                "deviceName": "/dev/xvda",
                "ebs": {"volumeType": "gp3", "volumeSize": 50, "encrypted": "true", "deleteOnTermination": "true"},
            }
        ]
        tagged = {item["resourceType"]: item["tags"] for item in template.inputs["tagSpecifications"]}
        assert tagged.keys() == {"instance", "volume", "network-interface"}
        assert all(tags["environment"] == "prod" for tags in tagged.values())
        assert "userData" not in template.inputs


def test_disks_may_have_a_key_of_their_own() -> None:
    """Otherwise the account's for EBS encrypts them."""
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    for template in managed_nodes("dev", "mng", key_arn=key).of("LaunchTemplate"):
        assert template.inputs["blockDeviceMappings"][0]["ebs"]["kmsKeyId"] == key


def test_a_group_is_what_its_specification_says() -> None:
    """EKS spells taints and capacity in capitals."""
    inputs = group(managed_nodes("dev", "mng"), "workers-spot-c7g-xlarge").inputs
    assert inputs["capacityType"] == "SPOT"
    assert inputs["amiType"] == "AL2023_ARM_64_STANDARD"
    assert inputs["version"] == "1.36"
    assert inputs["labels"] == {"celery-fleet/nodes": "workers", "celery-fleet/capacity": "spot"}
    assert inputs["taints"] == [{"key": "workload", "value": "celery", "effect": "NO_SCHEDULE"}]
    assert inputs["scalingConfig"] == {"minSize": 0, "desiredSize": 1, "maxSize": 4}
    assert inputs["updateConfig"] == {"maxUnavailable": 1}
    assert inputs["nodeRepairConfig"] == {"enabled": True}
    assert inputs["launchTemplate"] == {"id": "nodes-workers-spot-c7g-xlarge-template-id", "version": "1"}


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        pytest.param("workers-on-demand-c7g-xlarge", ("scalingConfig.desiredSize",), id="people-scale-workers"),
        pytest.param("system", (), id="nobody-scales-the-system"),
        pytest.param("broker-0", (), id="nobody-scales-brokers"),
    ],
)
def test_the_number_of_nodes_belongs_to_whoever_scales(name: str, ignored: tuple[str, ...]) -> None:
    """A deployment does not undo what somebody did between two of them, and a higher minimum is no contradiction."""
    assert group(managed_nodes("dev", "mng"), name).ignore_changes == ignored


@pytest.mark.parametrize(
    ("sessions", "policies"),
    [
        pytest.param(
            False, {"AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"}, id="joining-and-pulling"
        ),
        pytest.param(
            True,
            {
                "AmazonEKSWorkerNodeMinimalPolicy",
                "AmazonEC2ContainerRegistryPullOnly",
                "AmazonSSMManagedInstanceCore",
            },
            id="and-sessions-where-asked-for",
        ),
    ],
)
def test_nodes_may_join_and_pull_and_nothing_else(sessions: bool, policies: set[str]) -> None:
    """Pods have roles of their own; and no node starts before its role may do this."""
    recorded = managed_nodes("dev", "mng", sessions=sessions)
    attached = recorded.of("RolePolicyAttachment")
    assert {item.inputs["policyArn"].rsplit("/", 1)[-1] for item in attached} == policies
    assert {item.urn for item in attached} <= group(recorded, "system").depends_on
    assert recorded.of("AccessEntry") == []
