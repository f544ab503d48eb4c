"""The control plane: what it writes down, who may use it, from where, and what it is encrypted with."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fleet.errors import FleetError
from infra.aws.cluster import AccessEntry, Cluster, ClusterArgs
from tests.infra.aws.samples import ACCOUNT, PLACE
from tests.infra.recording import Recorded, Registration, record

DEPLOYER = f"arn:aws:iam::{ACCOUNT}:role/deploy"
DEVELOPERS = f"arn:aws:iam::{ACCOUNT}:role/teams/developers"
ARGS = ClusterArgs(place=PLACE, version="1.36", subnet_ids=("subnet-a", "subnet-b"), deployer_arn=DEPLOYER)
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:eks-key"


_RECORDED: dict[str, Recorded] = {}


def cluster(args: ClusterArgs = ARGS) -> Recorded:
    """One run for equal arguments."""
    if repr(args) not in _RECORDED:
        _RECORDED[repr(args)] = record(lambda: Cluster("eks", args))
    return _RECORDED[repr(args)]


def named(recorded: Recorded, name: str) -> Registration:
    return next(item for item in recorded.resources if item.name == name)


def statements(item: Registration, field: str = "policy") -> dict[str, dict[str, Any]]:
    return {statement.get("Sid", ""): statement for statement in json.loads(item.inputs[field])["Statement"]}


def test_the_cluster_is_named_by_its_place_and_stays_on_standard_support() -> None:
    """Extended support, the API's own default, costs six times as much."""
    item = named(cluster(), "eks-cluster")
    assert item.inputs["name"] == "celery-fleet-prod"
    assert item.inputs["version"] == "1.36"
    assert item.inputs["upgradePolicy"] == {"supportType": "STANDARD"}
    assert item.inputs["zonalShiftConfig"] == {"enabled": True}
    assert item.inputs["bootstrapSelfManagedAddons"] is False


def test_a_protected_cluster_has_to_be_told_twice_to_go() -> None:
    """By EKS and by Pulumi; what Pulumi forgets of its keys and logs stays in the account."""
    recorded = cluster()
    assert named(recorded, "eks-cluster").inputs["deletionProtection"] is True
    assert named(recorded, "eks-cluster").protect
    for name in ("eks-key", "eks-logs"):
        assert named(recorded, name).protect
        assert named(recorded, name).retain_on_delete
    loose = cluster(replace(ARGS, place=replace(PLACE, protect=False, keep=False), deletion_protection=False))
    assert named(loose, "eks-cluster").inputs["deletionProtection"] is False
    assert not any(item.protect or item.retain_on_delete for item in loose.resources)


def test_the_log_group_is_there_before_the_cluster() -> None:
    """EKS would make one without an end, without tags and without a key."""
    recorded = cluster(replace(ARGS, log_retention_days=365))
    logs = named(recorded, "eks-logs")
    assert logs.inputs["name"] == "/aws/eks/celery-fleet-prod/cluster"
    assert logs.inputs["retentionInDays"] == 365
    assert logs.inputs["kmsKeyId"] == KEY
    assert logs.urn in named(recorded, "eks-cluster").depends_on
    written = named(recorded, "eks-cluster").inputs["enabledClusterLogTypes"]
    assert written == ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def test_eks_has_its_permissions_before_the_cluster_and_until_it_is_gone() -> None:
    """Otherwise it cannot take away the interfaces and the security group that it made."""
    recorded = cluster()
    before = {
        recorded.by_urn()[urn].name for urn in named(recorded, "eks-cluster").depends_on if urn in recorded.by_urn()
    }
    assert {"eks-role-policy", "eks-role-AmazonEKSClusterPolicy"} <= before
    trust = statements(named(recorded, "eks-role"), "assumeRolePolicy")[""]
    assert trust["Principal"] == {"Service": "eks.amazonaws.com"}
    assert trust["Action"] == ["sts:AssumeRole"]


def test_secrets_are_encrypted_with_a_key_that_rotates_and_can_be_called_back() -> None:
    """Thirty days are the longest that KMS waits."""
    recorded = cluster()
    key = named(recorded, "eks-key").inputs
    assert (key["enableKeyRotation"], key["rotationPeriodInDays"], key["deletionWindowInDays"]) == (True, 365, 30)
    alias = named(recorded, "eks-key-alias").inputs
    assert (alias["name"], alias["targetKeyId"]) == ("alias/celery-fleet-prod", "eks-key-id")
    encryption = named(recorded, "eks-cluster").inputs["encryptionConfig"]
    assert encryption == {"provider": {"keyArn": KEY}, "resources": ["secrets"]}


def test_the_account_alone_has_the_whole_key() -> None:
    """Everybody else has what is needed to use it, by way of one service of this account."""
    found = statements(named(cluster(), "eks-key"))
    assert found["Account"]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:Decrypt"} <= set(found["Account"]["Action"])
    others = {sid: statement for sid, statement in found.items() if sid != "Account"}
    assert set(others) == {"Logs", "VolumesThroughEc2"}
    assert not any("kms:PutKeyPolicy" in statement["Action"] for statement in others.values())
    assert not any("*" in action for statement in found.values() for action in statement["Action"])
    assert others["VolumesThroughEc2"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com", "kms:CallerAccount": ACCOUNT}
    }
    assert others["Logs"]["Condition"] == {
        "ArnLike": {
            "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/eks/celery-fleet-prod/*"
        }
    }


def test_without_stated_networks_the_api_answers_inside_the_vpc_alone() -> None:
    """The control plane's interfaces stand in the subnets that are given."""
    config = named(cluster(), "eks-cluster").inputs["vpcConfig"]
    assert config == {
        "subnetIds": ["subnet-a", "subnet-b"],
        "endpointPrivateAccess": True,
        "endpointPublicAccess": False,
    }


def test_stated_networks_reach_the_api_from_outside() -> None:
    """Nodes go on reaching it inside."""
    args = replace(ARGS, public_access=("203.0.113.7/32", "198.51.100.0/24"))
    config = named(cluster(args), "eks-cluster").inputs["vpcConfig"]
    assert (config["endpointPrivateAccess"], config["endpointPublicAccess"]) == (True, True)
    assert config["publicAccessCidrs"] == ["203.0.113.7/32", "198.51.100.0/24"]


@pytest.mark.parametrize(
    ("cidr", "fix"),
    [
        pytest.param("0.0.0.0/0", "203.0.113.7/32", id="the whole internet is not a list of networks"),
        pytest.param("203.0.113.7/24", "203.0.113.7/32", id="an address is no network"),
        pytest.param("office", "203.0.113.7/32", id="a name is no network"),
        pytest.param("10.0.0.0/8", "Leave it out", id="EKS refuses private networks, which reach the API anyway"),
    ],
)
def test_networks_that_eks_would_refuse_or_nobody_means_are_refused(cidr: str, fix: str) -> None:
    """With what to write instead."""
    with pytest.raises(FleetError) as refused:
        record(lambda: Cluster("eks", replace(ARGS, public_access=(cidr,))))
    assert refused.value.where == "celery-fleet:aws.endpoint.publicCidrs"
    assert fix in refused.value.fix


def test_the_whole_internet_is_let_in_by_who_says_so() -> None:
    """A cluster of a day, for example."""
    args = replace(ARGS, public_access=("0.0.0.0/0",), public_access_from_anywhere=True)
    assert named(cluster(args), "eks-cluster").inputs["vpcConfig"]["publicAccessCidrs"] == ["0.0.0.0/0"]


def test_access_is_by_entries_and_whoever_made_the_cluster_has_none_for_that() -> None:
    """The deployer has, and whoever makes Kubernetes objects can wait for it."""
    recorded = cluster()
    assert named(recorded, "eks-cluster").inputs["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": False,
    }
    association = named(recorded, "eks-deployer-policy")
    assert association.inputs["principalArn"] == DEPLOYER
    assert association.inputs["policyArn"] == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    assert association.inputs["accessScope"] == {"type": "cluster"}
    assert named(recorded, "eks-deployer").urn in association.depends_on


@pytest.mark.parametrize(
    ("entry", "policy", "scope"),
    [
        pytest.param(
            AccessEntry(principal_arn=DEVELOPERS, policy="admin"),
            "AmazonEKSClusterAdminPolicy",
            {"type": "cluster"},
            id="an admin without namespaces has the cluster",
        ),
        pytest.param(
            AccessEntry(principal_arn=DEVELOPERS, policy="admin", namespaces=("shop",)),
            "AmazonEKSAdminPolicy",
            {"type": "namespace", "namespaces": ["shop"]},
            id="an admin of a namespace has that namespace",
        ),
        pytest.param(
            AccessEntry(principal_arn=DEVELOPERS, policy="edit", namespaces=("shop", "keda")),
            "AmazonEKSEditPolicy",
            {"type": "namespace", "namespaces": ["shop", "keda"]},
            id="an editor works where the fleet is",
        ),
        pytest.param(
            AccessEntry(principal_arn=DEVELOPERS, policy="view"),
            "AmazonEKSViewPolicy",
            {"type": "cluster"},
            id="a viewer sees everything but Secrets",
        ),
        pytest.param(
            AccessEntry(principal_arn=DEVELOPERS, policy="view-all"),
            "AmazonEKSAdminViewPolicy",
            {"type": "cluster"},
            id="a pipeline that looks sees Secrets and custom resources too",
        ),
    ],
)
def test_everybody_has_the_policy_that_was_stated(entry: AccessEntry, policy: str, scope: dict[str, Any]) -> None:
    """Where it was stated."""
    recorded = cluster(replace(ARGS, access=(entry,)))
    found = next(item for item in recorded.of("AccessPolicyAssociation") if item.inputs["principalArn"] == DEVELOPERS)
    assert found.inputs["policyArn"] == f"arn:aws:eks::aws:cluster-access-policy/{policy}"
    assert found.inputs["accessScope"] == scope


def test_entries_keep_their_names_when_others_come_and_go() -> None:
    """Two roles of one name in two accounts are two."""
    entries = tuple(
        AccessEntry(principal_arn=arn, policy="view")
        for arn in (DEVELOPERS, "arn:aws:iam::999999999999:role/developers", f"arn:aws:iam::{ACCOUNT}:user/ada")
    )
    names = {
        item.inputs["principalArn"]: item.name for item in cluster(replace(ARGS, access=entries)).of("AccessEntry")
    }
    assert len(set(names.values())) == 4
    later = {
        item.inputs["principalArn"]: item.name for item in cluster(replace(ARGS, access=entries[1:])).of("AccessEntry")
    }
    assert later.items() <= names.items()


@pytest.mark.parametrize(
    "arns",
    [
        pytest.param((f"arn:aws:sts::{ACCOUNT}:assumed-role/developers/ada",), id="a session is no identity"),
        pytest.param((f"arn:aws:iam::{ACCOUNT}:root",), id="nor is the account"),
        pytest.param((DEVELOPERS, DEVELOPERS), id="EKS takes one entry for an identity"),
        pytest.param((DEPLOYER,), id="and the deployer has one"),
    ],
)
def test_identities_that_eks_takes_no_entry_for_are_refused(arns: tuple[str, ...]) -> None:
    """Before the cluster is made."""
    access = tuple(AccessEntry(principal_arn=arn, policy="view") for arn in arns)
    with pytest.raises(FleetError) as refused:
        record(lambda: Cluster("eks", replace(ARGS, access=access)))
    assert refused.value.where == "celery-fleet:aws.access"


def test_auto_mode_is_switched_on_as_a_whole() -> None:
    """Compute, storage and load balancing together: EKS takes nothing else."""
    recorded = cluster(replace(ARGS, auto_mode=True))
    inputs = named(recorded, "eks-cluster").inputs
    assert inputs["computeConfig"] == {
        "enabled": True,
        "nodePools": ["general-purpose", "system"],
        "nodeRoleArn": f"arn:aws:iam:us-east-1:{ACCOUNT}:eks-auto-node",
    }
    assert inputs["storageConfig"] == {"blockStorage": {"enabled": True}}
    assert inputs["kubernetesNetworkConfig"] == {"elasticLoadBalancing": {"enabled": True}}
    trust = statements(named(recorded, "eks-role"), "assumeRolePolicy")[""]
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    attached = {item.inputs["policyArn"].rsplit("/", 1)[-1] for item in recorded.of("RolePolicyAttachment")}
    assert attached == {
        "AmazonEC2ContainerRegistryPullOnly", "AmazonEKSBlockStoragePolicy", "AmazonEKSClusterPolicy", "AmazonEKSComputePolicy",
        "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy", "AmazonEKSWorkerNodeMinimalPolicy",
    }  # fmt: skip


def test_without_auto_mode_nothing_of_it_is_asked_for() -> None:
    """A cluster that has it off keeps AWS's defaults."""
    inputs = named(cluster(), "eks-cluster").inputs
    assert not {"computeConfig", "storageConfig", "kubernetesNetworkConfig"} & inputs.keys()


def test_the_identity_provider_of_service_accounts_is_made_when_asked_for() -> None:
    """EKS Pod Identity needs none."""
    issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/eks-cluster"
    found = cluster(replace(ARGS, oidc_provider=True)).one("OpenIdConnectProvider").inputs
    assert (found["url"], found["clientIdLists"]) == (issuer, ["sts.amazonaws.com"])
    assert cluster().of("OpenIdConnectProvider") == []


def test_an_old_version_is_refused_before_anything_is_made() -> None:
    """So is one that nobody has tried."""
    with pytest.raises(FleetError):
        record(lambda: Cluster("eks", replace(ARGS, version="1.33")))


def test_the_cluster_offers_what_others_need() -> None:
    """Strings, whatever shape AWS gives them in."""
    recorded = cluster()
    assert recorded.outputs[recorded.resources[0].urn] == [
        {
            "cluster_name": "celery-fleet-prod",
            "arn": f"arn:aws:eks:us-east-1:{ACCOUNT}:eks-cluster",
            "endpoint": "https://eks-cluster.eks.amazonaws.com",
            "certificate_authority": "Y2VydGlmaWNhdGU=",
            "security_group_id": "sg-cluster",
            "oidc_issuer": "https://oidc.eks.us-east-1.amazonaws.com/id/eks-cluster",
            "key_arn": KEY,
        }
    ]
