"""The EKS add-ons: which, when, in which version, and with which role."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fleet.errors import FleetError
from infra.aws.addons import VERSIONS, Addons, AddonsArgs, AddonStage
from infra.aws.kubernetes_versions import STANDARD_SUPPORT_ENDS
from tests.infra.aws.samples import ACCOUNT, PLACE, TAGS
from tests.infra.recording import Recorded, Registration, record

CLUSTER = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/celery-fleet-prod"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"
BEFORE = AddonsArgs(
    place=PLACE,
    cluster_name="celery-fleet-prod",
    cluster_arn=CLUSTER,
    version="1.36",
    stage=AddonStage.BEFORE_NODES,
    key_arn=KEY,
)
AFTER = replace(BEFORE, stage=AddonStage.AFTER_NODES)


_RECORDED: dict[str, Recorded] = {}


def addons(args: AddonsArgs) -> Recorded:
    """One run for equal arguments."""
    if repr(args) not in _RECORDED:
        _RECORDED[repr(args)] = record(lambda: Addons("addons", args))
    return _RECORDED[repr(args)]


def names(args: AddonsArgs) -> set[str]:
    return {item.inputs["addonName"] for item in addons(args).of("Addon")}


def addon(args: AddonsArgs, name: str) -> Registration:
    return next(item for item in addons(args).of("Addon") if item.inputs["addonName"] == name)


def configuration(args: AddonsArgs, name: str) -> Any:
    return json.loads(addon(args, name).inputs["configurationValues"])


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param(
            BEFORE, ["eks-pod-identity-agent", "vpc-cni", "kube-proxy"], id="what nodes need to join comes before them"
        ),
        pytest.param(
            AFTER,
            ["coredns", "aws-ebs-csi-driver", "metrics-server", "eks-node-monitoring-agent"],
            id="what needs nodes comes after them",
        ),
        pytest.param(
            replace(AFTER, snapshots=True),
            ["coredns", "aws-ebs-csi-driver", "metrics-server", "eks-node-monitoring-agent", "snapshot-controller"],
            id="snapshots are had for the asking",
        ),
        pytest.param(replace(BEFORE, auto_mode=True), [], id="Auto Mode brings what nodes need"),
        pytest.param(replace(AFTER, auto_mode=True), ["metrics-server"], id="Auto Mode brings no metrics"),
        pytest.param(
            replace(AFTER, auto_mode=True, snapshots=True),
            ["metrics-server", "snapshot-controller"],
            id="nor snapshots",
        ),
    ],
)
def test_each_stage_has_its_add_ons(args: AddonsArgs, expected: list[str]) -> None:
    """And says so, in the order in which they are asked for."""
    recorded = addons(args)
    assert recorded.outputs[recorded.resources[0].urn] == [{"installed": expected}]
    assert names(args) == set(expected)


def test_the_network_waits_for_the_agent_that_gives_it_its_role() -> None:
    """And for the role's permissions."""
    recorded = addons(BEFORE)
    before = {recorded.by_urn()[urn].name for urn in addon(BEFORE, "vpc-cni").depends_on if urn in recorded.by_urn()}
    assert {"addons-eks-pod-identity-agent", "addons-vpc-cni-role-AmazonEKS_CNI_Policy"} <= before


@pytest.mark.parametrize(
    ("version", "name", "pinned"),
    [
        pytest.param("1.35", "kube-proxy", "v1.35.3-eksbuild.29", id="the proxy is of the cluster's minor version"),
        pytest.param("1.36", "kube-proxy", "v1.36.0-eksbuild.25", id="of each"),
        pytest.param("1.36", "vpc-cni", "v1.22.4-eksbuild.3", id="the network is of both"),
    ],
)
def test_versions_are_those_of_the_table(version: str, name: str, pinned: str) -> None:
    """Whatever is newest on the day."""
    assert addon(replace(BEFORE, version=version), name).inputs["addonVersion"] == pinned


def test_every_version_of_kubernetes_has_every_add_on() -> None:
    """A new row of one table is a new row of the other."""
    assert set(VERSIONS) == set(STANDARD_SUPPORT_ENDS)
    assert len({frozenset(table) for table in VERSIONS.values()}) == 1


def test_a_version_without_a_table_is_refused() -> None:
    """As everywhere."""
    with pytest.raises(FleetError):
        record(lambda: Addons("addons", replace(BEFORE, version="1.34")))


@pytest.mark.parametrize("args", [pytest.param(BEFORE, id="before nodes"), pytest.param(AFTER, id="after nodes")])
def test_values_that_somebody_changed_survive_an_update(args: AddonsArgs) -> None:
    """And leftovers of a failed creation do not stand in its way."""
    for item in addons(args).of("Addon"):
        assert item.inputs["resolveConflictsOnUpdate"] == "PRESERVE"
        assert item.inputs["resolveConflictsOnCreate"] == "OVERWRITE"
        assert item.inputs["clusterName"] == "celery-fleet-prod"


def test_network_policies_are_enforced_and_nodes_take_addresses_by_sixteens() -> None:
    """The add-on takes texts, not booleans."""
    assert configuration(BEFORE, "vpc-cni") == {
        "enableNetworkPolicy": "true",
        "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
    }


def test_volumes_carry_the_tags_and_the_brokers_nodes_have_the_driver() -> None:
    """Brokers stand on tainted nodes."""
    values = configuration(AFTER, "aws-ebs-csi-driver")
    assert values["controller"]["extraVolumeTags"] == TAGS
    assert values["node"]["tolerateAllTaints"] is True


def test_what_has_no_node_of_its_own_runs_on_the_system_nodes() -> None:
    """Which take nothing that does not tolerate their taint."""
    args = replace(AFTER, snapshots=True)
    for name in ("metrics-server", "snapshot-controller"):
        assert configuration(args, name)["tolerations"] == [
            {"key": "CriticalAddonsOnly", "operator": "Equal", "value": "true", "effect": "NoSchedule"}
        ]


@pytest.mark.parametrize(
    ("args", "name", "service_account", "policy"),
    [
        pytest.param(BEFORE, "vpc-cni", "aws-node", "AmazonEKS_CNI_Policy", id="the network makes interfaces"),
        pytest.param(
            AFTER,
            "aws-ebs-csi-driver",
            "ebs-csi-controller-sa",
            "AmazonEBSCSIDriverPolicyV2",
            id="the driver makes volumes",
        ),
    ],
)
def test_roles_are_of_one_add_on_of_this_cluster(
    args: AddonsArgs, name: str, service_account: str, policy: str
) -> None:
    """By Pod Identity: no other cluster's pods take them."""
    recorded = addons(args)
    role = recorded.one("Role")
    assert addon(args, name).inputs["podIdentityAssociations"] == [
        {"roleArn": f"arn:aws:iam:us-east-1:{ACCOUNT}:{role.name}", "serviceAccount": service_account}
    ]
    trust = json.loads(role.inputs["assumeRolePolicy"])["Statement"][0]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Condition"]["ArnEquals"] == {"aws:SourceArn": CLUSTER}
    assert recorded.one("RolePolicyAttachment").inputs["policyArn"] == f"arn:aws:iam::aws:policy/{policy}"
    assert role.inputs["name"] == f"celery-fleet-prod-{name}"


def test_the_driver_may_use_the_clusters_key_for_volumes() -> None:
    """Grants are for AWS's own services alone; without a key of one's own there is nothing to allow."""
    policy = json.loads(addons(AFTER).one("RolePolicy").inputs["policy"])["Statement"]
    assert {resource for statement in policy for resource in statement["Resource"]} == {KEY}
    grants = next(statement for statement in policy if "kms:CreateGrant" in statement["Action"])
    assert grants["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    assert addons(replace(AFTER, key_arn=None)).of("RolePolicy") == []
