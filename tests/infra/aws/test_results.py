"""The results store as AWS runs it."""

import dataclasses
from typing import Any

import pulumi
import pytest

from infra.aws.place import Place
from infra.aws.results import ManagedResults, ManagedResultsArgs
from tests.infra.aws.samples import PLACE
from tests.infra.recording import Recorded, record
from tests.infra.samples import PASSWORD

KEY = "arn:aws:kms:us-east-1:123456789012:key/results"


def results(place: Place = PLACE, **changes: Any) -> Recorded:
    """The store of an environment."""
    fields: dict[str, Any] = {
        "vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"], "client_security_group_id": "sg-cluster",
        "instance": "m7g.large", "nodes": 2, "key_arn": KEY,
    }  # fmt: skip
    return record(
        lambda: ManagedResults(
            "results", ManagedResultsArgs(place=place, password=pulumi.Output.secret(PASSWORD), **{**fields, **changes})
        )
    )


def test_nothing_travels_or_lies_in_clear() -> None:
    """TLS for every client, the fleet's password as its token, and a key for the disks."""
    group = results().one("ReplicationGroup")
    assert (group.inputs["engine"], group.inputs["engineVersion"]) == ("valkey", "8.1")
    assert (group.inputs["transitEncryptionEnabled"], group.inputs["transitEncryptionMode"]) == (True, "required")
    assert (group.inputs["atRestEncryptionEnabled"], group.inputs["kmsKeyId"]) == (True, KEY)
    assert group.inputs["authToken"] == PASSWORD
    assert group.secret_paths == {"authToken"}


def test_another_password_leaves_the_old_one_until_the_pods_are_rolled() -> None:
    """Two tokens open the store after a rotation; with `SET` every pod fails until it is replaced."""
    assert results().one("ReplicationGroup").inputs["authTokenUpdateStrategy"] == "ROTATE"


@pytest.mark.parametrize(
    ("nodes", "failover"), [pytest.param(1, False, id="alone"), pytest.param(2, True, id="with-one-that-stands-by")]
)
def test_a_second_node_stands_by_in_another_zone(nodes: int, failover: bool) -> None:
    """AWS refuses a failover where there is nobody to fail over to."""
    group = results(nodes=nodes).one("ReplicationGroup").inputs
    assert group["numCacheClusters"] == nodes
    assert (group["automaticFailoverEnabled"], group["multiAzEnabled"]) == (failover, failover)


@pytest.mark.parametrize(
    ("protect", "kept"),
    [
        pytest.param(True, (7, "celery-fleet-prod-results-final", False), id="kept"),
        pytest.param(False, (0, None, True), id="given-up"),
    ],
)
def test_a_protected_store_has_snapshots_and_waits_for_its_window(
    protect: bool, kept: tuple[int, str | None, bool]
) -> None:
    """And leaves one behind when it goes."""
    group = results(dataclasses.replace(PLACE, protect=protect, keep=protect)).one("ReplicationGroup")
    told = group.inputs
    assert (told["snapshotRetentionLimit"], told.get("finalSnapshotIdentifier"), told["applyImmediately"]) == kept
    assert group.protect is protect


def test_the_snapshot_is_taken_before_the_maintenance() -> None:
    """AWS refuses windows that meet."""
    told = results().one("ReplicationGroup").inputs
    assert (told["snapshotWindow"], told["maintenanceWindow"]) == ("03:00-04:00", "sun:05:00-sun:06:00")


def test_only_the_nodes_of_the_cluster_reach_it() -> None:
    """One port, from one security group, and no way out."""
    recorded = results()
    (rule,) = recorded.of("SecurityGroupIngressRule")
    assert {key: rule.inputs[key] for key in ("referencedSecurityGroupId", "ipProtocol", "fromPort", "toPort")} == {
        "referencedSecurityGroupId": "sg-cluster", "ipProtocol": "tcp", "fromPort": 6379, "toPort": 6379,
    }  # fmt: skip
    group = recorded.one("SecurityGroup")
    assert group.inputs.get("ingress") is None
    assert group.inputs.get("egress") is None
    assert rule.inputs["securityGroupId"] == "results-security-group-id"
    assert recorded.one("ReplicationGroup").inputs["securityGroupIds"] == ["results-security-group-id"]
    assert recorded.of("SecurityGroupEgressRule") == []
    assert recorded.one("SubnetGroup").inputs["subnetIds"] == ["subnet-1", "subnet-2"]


def test_a_full_store_gives_up_results_and_keeps_counters() -> None:
    """Results end by themselves and counters do not; ElastiCache's own default would take what was used least."""
    recorded = results()
    parameters = recorded.one("ParameterGroup").inputs
    assert parameters["family"] == "valkey8"
    assert parameters["parameters"] == [{"name": "maxmemory-policy", "value": "volatile-ttl"}]


def test_pods_are_told_where_it_is() -> None:
    """By the name that a failover moves to the other node."""
    made: list[ManagedResults] = []

    def program() -> None:
        args = ManagedResultsArgs(
            place=PLACE, vpc_id="vpc-1", subnet_ids=["subnet-1"], client_security_group_id="sg-cluster",
            instance="t4g.micro", nodes=1, key_arn=KEY, password=pulumi.Output.secret(PASSWORD),
        )  # fmt: skip
        made.append(ManagedResults("results", args))
        pulumi.export("host", made[0].address.host)

    assert record(program).exports == {"host": "master.results-group.use1.cache.amazonaws.com"}
    assert (made[0].address.port, made[0].address.tls) == (6379, True)


def test_it_goes_by_the_name_of_the_stack() -> None:
    """Runbooks name it, and the deployer's policy names what begins so; one that takes its place comes after it is gone."""
    recorded = results()
    group = recorded.one("ReplicationGroup")
    assert group.inputs["replicationGroupId"] == "celery-fleet-prod"
    assert group.delete_before_replace
    assert recorded.one("SubnetGroup").inputs["name"] == "celery-fleet-prod"
    assert recorded.one("ParameterGroup").inputs["name"] == "celery-fleet-prod-valkey8"
