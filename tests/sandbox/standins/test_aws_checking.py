"""Inputs of AWS resources are held against the installed package, property by property.

Source of what is expected: the arguments of each resource in the documentation of pulumi-aws 7.51, and the values in
AWS's API references.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.standins.aws.allowed_values import ENUMERATIONS, IAM_DOCUMENTS, JSON_DOCUMENTS, LENGTHS, RANGES
from sandbox.standins.aws.answers import ANSWERS, COMPUTED_INSIDE
from sandbox.standins.aws.checking import check_inputs, check_provider
from sandbox.standins.aws.neighbours import INSIDE, NAMED
from sandbox.standins.aws.package_types import UnknownTypeError, resource_type
from sandbox.standins.aws.replacing import REPLACING
from sandbox.standins.property_values import UNKNOWN, Properties

CLUSTER = "aws:eks/cluster:Cluster"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}]}


def cluster(**more: Any) -> Properties:
    return {"roleArn": "arn:aws:iam::123456789012:role/r", "vpcConfig": {"subnetIds": ["subnet-1"]}, **more}


def node_group(**more: Any) -> Properties:
    sizes = {"minSize": 1, "desiredSize": 1, "maxSize": 2}
    return {"clusterName": "c", "nodeRoleArn": "r", "subnetIds": ["subnet-1"], "scalingConfig": sizes, **more}


def paths(token: str, inputs: Properties) -> list[str]:
    return sorted(problem.path for problem in check_inputs(resource_type(token), inputs))


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        pytest.param(CLUSTER, cluster(accessConfig={"authenticationMode": "API"}), id="a-cluster"),
        pytest.param(CLUSTER, cluster(roleArn=UNKNOWN, vpcConfig=UNKNOWN), id="what-is-not-known-yet"),
        pytest.param(NODE_GROUP, node_group(taints=[{"key": "a", "effect": "NO_SCHEDULE"}]), id="a-node-group"),
        pytest.param("aws:iam/role:Role", {"assumeRolePolicy": json.dumps(TRUST)}, id="a-policy-as-json"),
        pytest.param("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16", "tags": {"any name": "x"}}, id="tags-of-any-name"),
    ],
)
def test_right_inputs_are_taken(token: str, inputs: Properties) -> None:
    """What AWS takes is never refused."""
    assert paths(token, inputs) == []


@pytest.mark.parametrize(
    ("token", "inputs", "wrong"),
    [
        pytest.param(CLUSTER, {}, ["roleArn", "vpcConfig"], id="required-ones-are-missing"),
        pytest.param(CLUSTER, cluster(rolearn="x"), ["rolearn"], id="an-unknown-one"),
        pytest.param(CLUSTER, cluster(vpcConfig={}), ["vpcConfig.subnetIds"], id="a-required-one-inside"),
        pytest.param(
            CLUSTER, cluster(vpcConfig={"subnetIds": ["a", 1]}), ["vpcConfig.subnetIds[1]"], id="an-element-of-a-list"
        ),
        pytest.param(CLUSTER, cluster(deletionProtection="true"), ["deletionProtection"], id="text-for-a-boolean"),
        pytest.param(CLUSTER, cluster(tags={"a": 1}), ['tags["a"]'], id="a-number-for-text-in-a-map"),
        pytest.param(CLUSTER, cluster(vpcConfig=[]), ["vpcConfig"], id="a-list-for-an-object"),
        pytest.param(
            CLUSTER, cluster(upgradePolicy={"supportType": "standard"}), ["upgradePolicy.supportType"], id="wrong-case"
        ),
        pytest.param(
            NODE_GROUP, node_group(taints=[{"key": "a", "effect": "NoSchedule"}]), ["taints[0].effect"],
            id="the-spelling-of-kubernetes",
        ),
        pytest.param(
            NODE_GROUP, node_group(scalingConfig={"minSize": 3, "desiredSize": 1, "maxSize": 2}), ["scalingConfig"],
            id="more-wanted-than-allowed",
        ),
        pytest.param("aws:ec2/vpc:Vpc", {"instanceTenancy": 3}, ["instanceTenancy"], id="a-number-for-text"),
        pytest.param("aws:iam/role:Role", {"assumeRolePolicy": "{"}, ["assumeRolePolicy"], id="no-json"),
        pytest.param(
            "aws:iam/rolePolicy:RolePolicy", {"role": "r", "policy": '{"Statement":[{"Effect":"allow"}]}'},
            ["policy", "policy", "policy"], id="a-statement-that-says-nothing",
        ),
        pytest.param("aws:iam/role:Role", {"assumeRolePolicy": "{}", "name": "r" * 65},
                     ["assumeRolePolicy", "name"], id="a-name-that-is-too-long"),
        pytest.param("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 91}, ["retentionInDays"], id="odd-days"),
        pytest.param("aws:kms/key:Key", {"deletionWindowInDays": 3}, ["deletionWindowInDays"], id="too-short-a-window"),
        pytest.param(
            "aws:elasticache/replicationGroup:ReplicationGroup", {"description": "x", "authToken": "x" * 20},
            ["authToken"], id="a-password-without-tls",
        ),
        pytest.param(
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"securityGroupId": "sg", "ipProtocol": "tcp"},
            ["cidrIpv4"], id="a-rule-without-a-peer",
        ),
        pytest.param("aws:ec2/route:Route", {"routeTableId": "rtb"}, ["routeTableId"], id="a-route-to-nowhere"),
    ],
)  # fmt: skip
def test_wrong_inputs_are_told_with_their_paths(token: str, inputs: Properties, wrong: list[str]) -> None:
    """Every problem of a resource comes in one run, at its property."""
    assert paths(token, inputs) == wrong


def test_a_value_of_the_wrong_type_is_not_repeated() -> None:
    """It may be a secret."""
    inputs = {"description": "x", "authToken": 12345678}
    problems = check_inputs(resource_type("aws:elasticache/replicationGroup:ReplicationGroup"), inputs)
    assert [problem.path for problem in problems] == ["authToken"]
    assert "12345678" not in problems[0].reason


def test_a_misspelt_property_gets_the_nearest_one() -> None:
    """A person need not look it up."""
    problems = check_inputs(resource_type(CLUSTER), cluster(vpcConfigs={}))
    assert "'vpcConfig'" in problems[0].reason


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        pytest.param(
            {"region": "eu-west-1", "defaultTags": '{"tags": {"a": "b"}}', "version": "7.51.1"}, [], id="right"
        ),
        pytest.param({"regions": "eu-west-1"}, ["regions"], id="misspelt"),
        pytest.param({"defaultTags": '{"tag": {}}'}, ["defaultTags.tag"], id="misspelt-inside"),
        pytest.param({"maxRetries": "many"}, ["maxRetries"], id="text-for-a-number"),
    ],
)
def test_the_provider_s_own_settings_are_checked_too(settings: Properties, wrong: list[str]) -> None:
    """What is no string travels as JSON, as the Python class sends it."""
    assert [problem.path for problem in check_provider(settings)] == wrong


@pytest.mark.parametrize(
    "token",
    # In one order everywhere: the tests are dealt out to several processes.
    sorted({*ANSWERS, *REPLACING, *ENUMERATIONS, *RANGES, *LENGTHS, *IAM_DOCUMENTS, *JSON_DOCUMENTS, *NAMED, *INSIDE}),
)
def test_the_tables_speak_of_types_and_properties_that_exist(token: str) -> None:
    """An entry with a misspelt name would be one that never holds."""
    inputs = resource_type(token).inputs
    named = [*REPLACING.get(token, "").split()]
    for table in (ENUMERATIONS, RANGES, LENGTHS):
        named += table.get(token, {})
    named += [table[token] for table in (IAM_DOCUMENTS, JSON_DOCUMENTS) if token in table]
    named += [INSIDE[token][0]] if token in INSIDE else []
    named += [outer for outer, _ in COMPUTED_INSIDE.get(token, ())]
    assert [name for name in named if name.partition(".")[0].partition("[")[0] not in inputs] == []


@pytest.mark.parametrize("token", ["aws:eks/clusters:Cluster", "aws:eks/cluster:Clusters", "aws:nothing/x:X"])
def test_a_type_that_the_package_lacks_is_unknown(token: str) -> None:
    """A misspelt token is not taken for a type with no properties."""
    with pytest.raises(UnknownTypeError):
        resource_type(token)
