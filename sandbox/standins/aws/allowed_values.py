"""Values that AWS, or the real provider before it asks AWS, refuses: enumerations, ranges, JSON documents, pairs that contradict.

The invariant: only what a source states is refused; a property without an entry takes whatever its type allows.

Source: terraform-provider-aws 6 `internal/service/*/` (the `ValidateFunc` of each attribute), the enumerations of the
EKS, EC2, ECR and ElastiCache API references, and the IAM user guide, "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from sandbox.standins.diffing import parse_path
from sandbox.standins.property_values import Properties, Unknown, Value

Found: TypeAlias = Iterator[tuple[str, str]]
"""Paths, each with what is wrong there."""

_RETENTION_DAYS: Final = frozenset(
    {0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)

ENUMERATIONS: Final[dict[str, dict[str, frozenset[str | int]]]] = {
    "aws:eks/cluster:Cluster": {
        "accessConfig.authenticationMode": frozenset({"API", "API_AND_CONFIG_MAP", "CONFIG_MAP"}),
        "computeConfig.nodePools[*]": frozenset({"general-purpose", "system"}),
        "enabledClusterLogTypes[*]": frozenset({"api", "audit", "authenticator", "controllerManager", "scheduler"}),
        "encryptionConfig.resources[*]": frozenset({"secrets"}),
        "upgradePolicy.supportType": frozenset({"EXTENDED", "STANDARD"}),
    },
    "aws:eks/nodeGroup:NodeGroup": {
        "capacityType": frozenset({"CAPACITY_BLOCK", "ON_DEMAND", "SPOT"}),
        "taints[*].effect": frozenset({"NO_EXECUTE", "NO_SCHEDULE", "PREFER_NO_SCHEDULE"}),
    },
    "aws:eks/addon:Addon": {
        "resolveConflictsOnCreate": frozenset({"NONE", "OVERWRITE"}),
        "resolveConflictsOnUpdate": frozenset({"NONE", "OVERWRITE", "PRESERVE"}),
    },
    "aws:eks/accessEntry:AccessEntry": {
        "type": frozenset({"EC2", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "STANDARD"}),
    },
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": {
        "accessScope.type": frozenset({"cluster", "namespace"}),
    },
    "aws:ec2/vpcEndpoint:VpcEndpoint": {
        "vpcEndpointType": frozenset({"Gateway", "GatewayLoadBalancer", "Interface", "Resource", "ServiceNetwork"}),
    },
    "aws:ec2/flowLog:FlowLog": {
        "logDestinationType": frozenset({"cloud-watch-logs", "kinesis-data-firehose", "s3"}),
        "trafficType": frozenset({"ACCEPT", "ALL", "REJECT"}),
    },
    "aws:ec2/launchTemplate:LaunchTemplate": {
        "metadataOptions.httpEndpoint": frozenset({"disabled", "enabled"}),
        "metadataOptions.httpTokens": frozenset({"optional", "required"}),
    },
    "aws:cloudwatch/logGroup:LogGroup": {"retentionInDays": _RETENTION_DAYS},
    "aws:ecr/repository:Repository": {
        "encryptionConfigurations[*].encryptionType": frozenset({"AES256", "KMS", "KMS_DSSE"}),
        "imageTagMutability": frozenset({"IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE", "MUTABLE_WITH_EXCLUSION"}),
    },
    "aws:elasticache/replicationGroup:ReplicationGroup": {
        "engine": frozenset({"redis", "valkey"}),
        "transitEncryptionMode": frozenset({"preferred", "required"}),
    },
}

RANGES: Final[dict[str, dict[str, tuple[int, int]]]] = {
    "aws:kms/key:Key": {"deletionWindowInDays": (7, 30), "rotationPeriodInDays": (90, 2560)},
    "aws:sqs/queue:Queue": {"messageRetentionSeconds": (60, 1209600), "visibilityTimeoutSeconds": (0, 43200)},
    "aws:elasticache/replicationGroup:ReplicationGroup": {"snapshotRetentionLimit": (0, 35)},
    "aws:eks/nodeGroup:NodeGroup": {
        "updateConfig.maxUnavailable": (1, 100),
        "updateConfig.maxUnavailablePercentage": (1, 100),
        "scalingConfig.maxSize": (1, 1000),
    },
}

LENGTHS: Final[dict[str, dict[str, tuple[int, int]]]] = {
    "aws:iam/role:Role": {"name": (1, 64)},
    "aws:eks/cluster:Cluster": {"name": (1, 100)},
    "aws:eks/nodeGroup:NodeGroup": {"nodeGroupName": (1, 63)},
    "aws:elasticache/replicationGroup:ReplicationGroup": {"authToken": (16, 128), "replicationGroupId": (1, 40)},
    "aws:sqs/queue:Queue": {"name": (1, 80)},
    "aws:cloudwatch/eventRule:EventRule": {"name": (1, 64)},
}

IAM_DOCUMENTS: Final[dict[str, str]] = {
    "aws:iam/role:Role": "assumeRolePolicy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/policy:Policy": "policy",
    "aws:kms/key:Key": "policy",
    "aws:sqs/queue:Queue": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "policy",
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument",
}
"""Type -> the property that holds a policy of IAM's grammar."""

JSON_DOCUMENTS: Final[dict[str, str]] = {
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "policy",
    "aws:cloudwatch/eventRule:EventRule": "eventPattern",
    "aws:eks/addon:Addon": "configurationValues",
}
"""Type -> the property that holds JSON of another grammar."""

_STATEMENT_KEYS: Final = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"}
)


def problems_of(token: str, inputs: Properties) -> Found:
    """Every value that is refused."""
    for path, allowed in ENUMERATIONS.get(token, {}).items():
        for place, value in _values(inputs, path):
            if value not in allowed:
                yield place, f"is {value!r}; AWS knows {', '.join(sorted(map(str, allowed)))}"
    for path, (least, most) in RANGES.get(token, {}).items():
        for place, value in _values(inputs, path):
            if not least <= value <= most:
                yield place, f"is {value}; AWS takes {least} to {most}"
    for path, (least, most) in LENGTHS.get(token, {}).items():
        for place, value in _values(inputs, path):
            if not least <= len(value) <= most:
                yield place, f"has {len(value)} characters; AWS takes {least} to {most}"
    if name := IAM_DOCUMENTS.get(token):
        yield from _policy_problems(name, inputs.get(name))
    if name := JSON_DOCUMENTS.get(token):
        yield from ((name, text) for text in _document(inputs.get(name))[1])
    if token in _CONTRADICTIONS:
        yield from _CONTRADICTIONS[token](inputs)


def _values(inputs: Properties, path: str) -> Iterator[tuple[str, Value]]:
    """The known values at a path, each with its own path; `[*]` is every element."""
    found: list[tuple[str, Value]] = [("", inputs)]
    for part in parse_path(path):
        inner: list[tuple[str, Value]] = []
        for place, value in found:
            if part == "*" and isinstance(value, list):
                inner += [(f"{place}[{index}]", item) for index, item in enumerate(value)]
            elif isinstance(value, dict) and value.get(str(part)) is not None:
                inner.append((f"{place}.{part}" if place else str(part), value[str(part)]))
        found = inner
    return ((place, value) for place, value in found if not isinstance(value, Unknown))


def _document(value: Value) -> tuple[Value, list[str]]:
    """A JSON object, and what keeps the text from being one."""
    if not isinstance(value, str):
        return value, []
    try:
        document = json.loads(value)
    except ValueError as error:
        return None, [f"is no JSON: {error}"]
    return document, [] if isinstance(document, dict) else ["is to hold a JSON object"]


def _policy_problems(name: str, value: Value) -> Found:
    document, problems = _document(value)
    yield from ((name, text) for text in problems)
    if not isinstance(document, dict) or not isinstance(value, str):
        return
    statements = document.get("Statement")
    for index, statement in enumerate(statements if isinstance(statements, list) else [statements]):
        place = f"{name}: Statement[{index}]"
        if not isinstance(statement, dict):
            yield name, f"{place} is to be an object"
            continue
        if unknown := sorted(set(statement) - _STATEMENT_KEYS):
            yield name, f"{place} has {', '.join(unknown)}, which IAM does not know"
        if statement.get("Effect") not in ("Allow", "Deny"):
            yield name, f"{place} needs Effect Allow or Deny"
        if not (statement.get("Action") or statement.get("NotAction")):
            yield name, f"{place} names no Action"
        if not any(statement.get(key) for key in ("Resource", "NotResource", "Principal", "NotPrincipal")):
            yield name, f"{place} names neither a Resource nor a Principal"


def _node_group(inputs: Properties) -> Found:
    sizes = inputs["scalingConfig"]
    if isinstance(sizes, dict):
        known = [sizes.get(name) for name in ("minSize", "desiredSize", "maxSize")]
        order = [size for size in known if isinstance(size, int)]
        if order != sorted(order):
            yield "scalingConfig", f"is to have minSize <= desiredSize <= maxSize, not {order}"
    update = inputs.get("updateConfig")
    if isinstance(update, dict) and len(update) != 1:
        yield "updateConfig", "takes one of maxUnavailable and maxUnavailablePercentage"
    if inputs.get("nodeGroupName") and inputs.get("nodeGroupNamePrefix"):
        yield "nodeGroupName", "conflicts with nodeGroupNamePrefix"


def _replication_group(inputs: Properties) -> Found:
    if inputs.get("multiAzEnabled") is True and inputs.get("automaticFailoverEnabled") is not True:
        yield "multiAzEnabled", "needs automaticFailoverEnabled"
    alone = inputs.get("numNodeGroups") is None and inputs.get("numCacheClusters") in (None, 1)
    if inputs.get("automaticFailoverEnabled") is True and alone:
        yield "numCacheClusters", "is to be at least 2 for automaticFailoverEnabled"
    if inputs.get("authToken") is not None and inputs.get("transitEncryptionEnabled") is not True:
        yield "authToken", "needs transitEncryptionEnabled"
    if inputs.get("authToken") is not None and inputs.get("userGroupIds"):
        yield "authToken", "conflicts with userGroupIds"


_OF_THE_ROUTE: Final = ("routeTableId", "destinationPrefixListId")
"""What a route's other inputs point to; the rest are its targets."""


def _route(inputs: Properties) -> Found:
    targets = [name for name in inputs if name.endswith(("Id", "Arn")) and name not in _OF_THE_ROUTE]
    if len(targets) != 1:
        yield "routeTableId", f"needs one target beside it, not {len(targets)}"


def _security_group_rule(inputs: Properties) -> Found:
    peers = [name for name in ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId") if inputs.get(name)]
    if len(peers) != 1:
        yield "cidrIpv4", f"one peer is needed (an address range, a prefix list or a security group), not {len(peers)}"


_CONTRADICTIONS: Final[dict[str, Callable[[Properties], Found]]] = {
    "aws:eks/nodeGroup:NodeGroup": _node_group,
    "aws:elasticache/replicationGroup:ReplicationGroup": _replication_group,
    "aws:ec2/route:Route": _route,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _security_group_rule,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _security_group_rule,
}
