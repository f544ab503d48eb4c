"""A resource's life in the AWS stand-in: planned, made, compared, changed and gone.

Source of what is expected: the outputs of each resource in pulumi-aws 7.51; `ForceNew` in terraform-provider-aws 6;
`pkg/tfbridge/provider.go` of pulumi-terraform-bridge v3.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.runtime.proto import provider_pb2

from sandbox.standins import variables
from sandbox.standins.aws.account import read_account
from sandbox.standins.aws.lookups import answer
from sandbox.standins.aws.provider import AwsProvider
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import UNKNOWN, Properties, SecretValue, marshal, unmarshal
from tests.sandbox.standins.kubernetes_fakes import RememberingLog

CLUSTER = "aws:eks/cluster:Cluster"
SUBNET = "aws:ec2/subnet:Subnet"
ROLE = "aws:iam/role:Role"
SETTINGS = {"aws:config:region": "eu-west-1", "aws:config:defaultTags": '{"tags": {"project": "fleet"}}'}
DIFF_NONE = provider_pb2.DiffResponse.DIFF_NONE


def provider(environment: Mapping[str, str] | None = None) -> AwsProvider:
    return AwsProvider(RememberingLog(), read_account(SETTINGS, environment or {}))


def urn(token: str, name: str = "one") -> str:
    return f"urn:pulumi:prod::fleet::{token}::{name}"


def checked(one: AwsProvider, token: str, news: Properties, olds: Properties | None = None) -> Properties:
    request = provider_pb2.CheckRequest(
        urn=urn(token), news=marshal(news), olds=marshal(olds or {}), randomSeed=b"seed"
    )
    response = asyncio.run(one.check(request))
    assert not response.failures
    return unmarshal(response.inputs)


def created(one: AwsProvider, token: str, inputs: Properties, *, preview: bool = False) -> tuple[str, Properties]:
    request = provider_pb2.CreateRequest(urn=urn(token), properties=marshal(inputs), preview=preview)
    response = asyncio.run(one.create(request))
    return response.id, unmarshal(response.properties)


def deleted(one: AwsProvider, token: str, resource_id: str, state: Properties) -> None:
    asyncio.run(one.delete(provider_pb2.DeleteRequest(urn=urn(token), id=resource_id, properties=marshal(state))))


def compared(token: str, old: Properties, new: Properties) -> Any:
    request = provider_pb2.DiffRequest(urn=urn(token), old_inputs=marshal(old), news=marshal(new))
    return asyncio.run(provider().diff(request))


def cluster(**more: Any) -> Properties:
    return {"name": "prod", "roleArn": "arn:r", "vpcConfig": {"subnetIds": ["subnet-1"]}, **more}


def test_a_preview_knows_what_was_said_and_nothing_that_only_aws_can_say() -> None:
    """A program that used an endpoint while planning would fail on the first preview of a real stack."""
    _, state = created(provider(), CLUSTER, cluster(tags={"a": "b"}), preview=True)
    assert state["name"] == "prod"
    assert state["endpoint"] == UNKNOWN
    assert state["identities"] == UNKNOWN
    assert state["vpcConfig"] == {"subnetIds": ["subnet-1"], "clusterSecurityGroupId": UNKNOWN, "vpcId": UNKNOWN}
    assert state["tagsAll"] == {"project": "fleet", "a": "b"}
    assert state["region"] == "eu-west-1"
    assert "outpostConfig" not in state


def test_it_says_once_that_it_is_a_stand_in() -> None:
    """Nobody takes what is made here for something in an account."""
    one = provider()
    created(one, CLUSTER, cluster(), preview=True)
    created(one, CLUSTER, cluster())
    log = one.log
    assert isinstance(log, RememberingLog)
    assert ["stand-in" in line for _, line in log.lines] == [True]


def test_a_cluster_gets_outputs_of_the_real_shape() -> None:
    """What kubeconfig and identities are made of."""
    made, state = created(provider(), CLUSTER, cluster())
    assert made == "prod"
    assert state["arn"] == "arn:aws:eks:eu-west-1:123456789012:cluster/prod"
    assert re.fullmatch(r"https://[0-9A-F]{32}\.gr7\.eu-west-1\.eks\.amazonaws\.com", state["endpoint"])
    assert re.fullmatch(r"sg-0[0-9a-f]{16}", state["vpcConfig"]["clusterSecurityGroupId"])
    assert state["identities"][0]["oidcs"][0]["issuer"].startswith("https://oidc.eks.eu-west-1.amazonaws.com/id/")
    assert state["certificateAuthority"]["data"]


def test_a_cluster_answers_where_the_kubeconfig_says(tmp_path: Path) -> None:
    """So `up -s dev` can reach the sandbox's own API server."""
    file = tmp_path / "kubeconfig"
    entry = {"server": "https://10.1.2.3:6443", "certificate-authority-data": "Y2E="}
    file.write_text(yaml.safe_dump({"clusters": [{"name": "sandbox", "cluster": entry}]}))
    _, state = created(provider({variables.EKS_KUBECONFIG: str(file)}), CLUSTER, cluster())
    assert state["endpoint"] == "https://10.1.2.3:6443"
    assert state["certificateAuthority"] == {"data": "Y2E="}


@pytest.mark.parametrize(
    ("token", "inputs", "made", "outputs"),
    [
        pytest.param(
            "aws:ecr/repository:Repository", {"name": "fleet/web"}, "fleet/web",
            {"repositoryUrl": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/fleet/web"}, id="registry",
        ),
        pytest.param(
            "aws:sqs/queue:Queue", {"name": "q"}, "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
            {"arn": "arn:aws:sqs:eu-west-1:123456789012:q"}, id="queue",
        ),
        pytest.param(
            ROLE, {"name": "r", "path": "/fleet/", "assumeRolePolicy": "{}"}, "r",
            {"arn": "arn:aws:iam::123456789012:role/fleet/r"}, id="role-with-its-path",
        ),
        pytest.param(
            "aws:eks/nodeGroup:NodeGroup", {"clusterName": "c", "nodeGroupName": "n"}, "c:n", {"status": "ACTIVE"},
            id="node-group",
        ),
        pytest.param(
            "aws:ec2/launchTemplate:LaunchTemplate", {"name": "t"}, r"lt-0[0-9a-f]{16}", {"latestVersion": 1},
            id="launch-template",
        ),
    ],
)  # fmt: skip
def test_ids_and_outputs_have_the_form_of_aws(token: str, inputs: Properties, made: str, outputs: Properties) -> None:
    """Literal forms from the service authorization reference."""
    found, state = created(provider(), token, inputs)
    assert re.fullmatch(made, found)
    assert {name: state[name] for name in outputs} == outputs


def test_a_cache_is_reached_at_its_primary_node() -> None:
    """With the region's short code in the host's name."""
    _, state = created(
        provider(),
        "aws:elasticache/replicationGroup:ReplicationGroup",
        {"replicationGroupId": "results", "description": "x"},
    )
    assert re.fullmatch(r"master\.results\.[0-9a-f]{6}\.euw1\.cache\.amazonaws\.com", state["primaryEndpointAddress"])


def test_what_is_secret_stays_secret() -> None:
    """In the state as in the inputs."""
    inputs = {"replicationGroupId": "results", "description": "x", "authToken": SecretValue("hush" * 5)}
    _, state = created(provider(), "aws:elasticache/replicationGroup:ReplicationGroup", inputs)
    assert state["authToken"] == SecretValue("hush" * 5)


def test_a_name_is_drawn_once_and_kept() -> None:
    """With seven digits at its end, as the real plugin draws it."""
    one = provider()
    first = checked(one, ROLE, {"assumeRolePolicy": '{"Statement": []}'})
    assert re.fullmatch(r"one-[0-9a-f]{7}", first["name"])
    assert checked(one, ROLE, {"assumeRolePolicy": '{"Statement": []}'}, first)["name"] == first["name"]
    assert checked(one, ROLE, {"assumeRolePolicy": '{"Statement": []}', "name": "own"})["name"] == "own"


@pytest.mark.parametrize(
    ("token", "old", "new", "replaces"),
    [
        pytest.param("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": "10.1.0.0/16"}, ["cidrBlock"],
                     id="the-range-of-a-network"),
        pytest.param("aws:ec2/vpc:Vpc", {"tags": {"a": "1"}}, {"tags": {"a": "2"}}, [], id="a-tag"),
        pytest.param(CLUSTER, cluster(version="1.35"), cluster(version="1.36"), [], id="a-cluster-s-version"),
        pytest.param(CLUSTER, cluster(), cluster(roleArn="arn:s"), ["roleArn"], id="a-cluster-s-role"),
        pytest.param(CLUSTER, cluster(encryptionConfig={"resources": ["secrets"]}), cluster(), ["encryptionConfig"],
                     id="encryption-taken-back"),
        pytest.param("aws:eks/nodeGroup:NodeGroup", {"instanceTypes": ["a"]}, {"instanceTypes": ["b"]},
                     ["instanceTypes[0]"], id="instance-types"),
        pytest.param("aws:eks/nodeGroup:NodeGroup", {"launchTemplate": {"id": "a", "version": "1"}},
                     {"launchTemplate": {"id": "a", "version": "2"}}, [], id="a-new-version-of-the-launch-template"),
    ],
)  # fmt: skip
def test_a_change_replaces_what_aws_cannot_change_in_place(
    token: str, old: Properties, new: Properties, replaces: list[str]
) -> None:
    """As the real plugin plans it."""
    found = compared(token, old, new)
    assert found.changes != DIFF_NONE
    assert list(found.replaces) == replaces


def test_the_same_document_in_another_spelling_is_no_change() -> None:
    """The order of keys and the spaces mean nothing."""
    old = {"assumeRolePolicy": '{"Version":"1","Statement":[]}'}
    assert compared(ROLE, old, {"assumeRolePolicy": json.dumps({"Statement": [], "Version": "1"})}).changes == DIFF_NONE


@pytest.mark.parametrize(
    ("new", "first"),
    [
        pytest.param({"name": "prod", "roleArn": "b", "__defaults": []}, True, id="a-name-of-the-program"),
        pytest.param({"name": "prod", "roleArn": "b", "__defaults": ["name"]}, False, id="a-drawn-name"),
        pytest.param({"name": "next", "roleArn": "b", "__defaults": []}, False, id="a-new-name"),
    ],
)
def test_what_keeps_its_name_is_deleted_before_it_is_replaced(new: Properties, first: bool) -> None:
    """Two of one name cannot exist side by side."""
    assert compared(CLUSTER, {"name": "prod", "roleArn": "a"}, new).deleteBeforeReplace is first


def test_an_update_keeps_what_aws_added_and_counts_versions() -> None:
    """A node group that follows the latest version of a launch template sees the change, and a preview cannot know it."""
    one, token = provider(), "aws:ec2/launchTemplate:LaunchTemplate"
    old = {"name": "t", "imageId": "ami-1"}
    made, state = created(one, token, old)
    for preview, version in ((True, UNKNOWN), (False, 2)):
        request = provider_pb2.UpdateRequest(
            id=made, urn=urn(token), olds=marshal(state), old_inputs=marshal(old), preview=preview,
            news=marshal({"name": "t", "imageId": "ami-2"}),
        )  # fmt: skip
        after = unmarshal(asyncio.run(one.update(request)).properties)
        assert (after["imageId"], after["arn"], after["latestVersion"]) == ("ami-2", state["arn"], version)


def test_what_a_program_no_longer_chooses_stays_as_it_is() -> None:
    """AWS keeps the version of a cluster whose program stops naming one, and forgets an option that is off without it."""
    one = provider()
    old = cluster(version="1.35", zonalShiftConfig={"enabled": True})
    made, state = created(one, CLUSTER, old)
    request = provider_pb2.UpdateRequest(
        id=made, urn=urn(CLUSTER), olds=marshal(state), old_inputs=marshal(old), news=marshal(cluster())
    )
    after = unmarshal(asyncio.run(one.update(request)).properties)
    assert after["version"] == "1.35"
    assert "zonalShiftConfig" not in after


def test_subnets_that_overlap_are_refused() -> None:
    """AWS refuses the second one."""
    one = provider()
    made, _ = created(one, "aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"})
    created(one, SUBNET, {"vpcId": made, "cidrBlock": "10.0.0.0/20"})
    with pytest.raises(PluginError, match=r"InvalidSubnet\.Conflict"):
        created(one, SUBNET, {"vpcId": made, "cidrBlock": "10.0.1.0/24"})
    with pytest.raises(PluginError, match=r"InvalidSubnet\.Range"):
        created(one, SUBNET, {"vpcId": made, "cidrBlock": "10.1.0.0/24"})


def test_a_name_that_is_taken_is_refused() -> None:
    """Two resources of the program that mean the same thing of AWS."""
    one = provider()
    created(one, CLUSTER, cluster())
    with pytest.raises(PluginError, match="already exists"):
        created(one, CLUSTER, cluster())


def test_a_container_that_went_before_what_stands_in_it_is_told() -> None:
    """AWS would have refused to delete the network while the subnet was there."""
    one = provider()
    made, state = created(one, "aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"})
    subnet, inside = created(one, SUBNET, {"vpcId": made, "cidrBlock": "10.0.0.0/20"})
    deleted(one, "aws:ec2/vpc:Vpc", made, state)
    with pytest.raises(PluginError, match="DependencyViolation"):
        deleted(one, SUBNET, subnet, inside)


def test_a_protected_cluster_stays() -> None:
    """Until its protection is taken off by an update."""
    one = provider()
    made, state = created(one, CLUSTER, cluster(deletionProtection=True))
    with pytest.raises(PluginError, match="deletion protection"):
        deleted(one, CLUSTER, made, state)
    deleted(one, CLUSTER, made, {**state, "deletionProtection": False})


@pytest.mark.parametrize(
    ("token", "arguments", "expected"),
    [
        pytest.param("aws:index/getCallerIdentity:getCallerIdentity", {}, {"accountId": "123456789012"}, id="caller"),
        pytest.param(
            "aws:iam/getSessionContext:getSessionContext",
            {"arn": "arn:aws:sts::123456789012:assumed-role/deployer/run"},
            {"issuerArn": "arn:aws:iam::123456789012:role/deployer"}, id="session",
        ),
        pytest.param(
            "aws:index/getAvailabilityZones:getAvailabilityZones", {"state": "available", "excludeZoneIds": ["euw1-az2"]},
            {"names": ["eu-west-1a", "eu-west-1c"], "zoneIds": ["euw1-az1", "euw1-az3"]}, id="zones",
        ),
        pytest.param("aws:index/getPartition:getPartition", {}, {"dnsSuffix": "amazonaws.com"}, id="partition"),
    ],
)  # fmt: skip
def test_questions_about_the_account_are_answered(token: str, arguments: Properties, expected: Properties) -> None:
    """The ones that a program here asks."""
    found = answer(read_account(SETTINGS, {}), token, arguments)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("token", "arguments"),
    [
        pytest.param("aws:ec2/getAmi:getAmi", {}, id="a-question-nobody-thought-about"),
        pytest.param("aws:index/getPartition:getPartition", {"names": []}, id="an-argument-nobody-thought-about"),
    ],
)
def test_other_questions_are_refused_by_name(token: str, arguments: Properties) -> None:
    """A program never builds on an answer that was made up for it."""
    with pytest.raises(PluginError, match=token):
        answer(read_account(SETTINGS, {}), token, arguments)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({}, "no region", id="no-region"),
        pytest.param({"aws:config:region": "mars-north-1"}, "no AWS region", id="an-unknown-region"),
        pytest.param(
            {"aws:config:region": "eu-west-1", "aws:config:allowedAccountIds": '["111122223333"]'}, "not allowed",
            id="another-account",
        ),
    ],
)  # fmt: skip
def test_a_provider_that_could_not_work_is_refused(settings: dict[str, str], said: str) -> None:
    """Before the first resource."""
    with pytest.raises(PluginError, match=said):
        read_account(settings, {})
