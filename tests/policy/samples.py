"""A small stack that meets every rule, and the same with something changed."""

import copy
from collections.abc import Mapping
from typing import Any, Final

from fleet.versions import RABBITMQ_IMAGE, VALKEY_IMAGE
from policy.graph import UNKNOWN, Resource
from policy.judging import judge
from tests.infra.recording import Recorded

ABSENT: Final = object()
"""In place of a value: the key goes."""

TAGS = {"project": "celery-fleet", "environment": "prod", "managed-by": "pulumi"}
DIGEST = f"registry.example/fleet/worker@sha256:{'1' * 64}"
FLEET = "celery-fleet"


def _metadata(name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "namespace": FLEET, "labels": labels}


def _container(name: str, image: str, **limits: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "args": ["-m", "app.worker"],
        "env": [
            {"name": "FLEET_BROKER_HOST", "value": "broker"},
            {"name": "FLEET_BROKER_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "worker", "key": "password"}}},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi", **limits}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _pods(name: str, container: dict[str, Any]) -> dict[str, Any]:
    return {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "automountServiceAccountToken": False,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [container],
            },
        },
    }


def _scaled(name: str) -> dict[str, Any]:
    facts = {"host": "http://broker.celery-fleet.svc:15672", "queueName": "high", "value": "20"}
    trigger = {"type": "rabbitmq", "metadata": facts, "authenticationRef": {"name": "autoscaler"}}
    return {"scaleTargetRef": {"name": name}, "maxReplicaCount": 9, "triggers": [trigger]}


def _budget(name: str) -> dict[str, Any]:
    return {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}}


def _kubernetes(kind: str, name: str, **properties: Any) -> tuple[str, dict[str, Any]]:
    return f"kubernetes:{kind}", {"metadata": _metadata(name), **properties}


def _controller() -> dict[str, Any]:
    pods = _pods("scale-in", _container("scale-in", DIGEST))
    token = {"serviceAccountToken": {"path": "token"}}
    pods["template"]["spec"]["volumes"] = [{"name": "account", "projected": {"sources": [token]}}]
    return {"metadata": _metadata("scale-in", **{"app.kubernetes.io/component": "scale-in"}), "spec": pods}


_CPU_WORKER = {"metadata": _metadata("worker-reports", **{"celery-fleet/profile": "cpu"})}

_OPERATOR = {
    "metadata": {"name": "rabbitmq-cluster-operator", "namespace": "rabbitmq-system"},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {"containers": [{"name": "operator", "image": "rabbitmqoperator/cluster-operator:2.21.1"}]}
        },
    },
}

_RESOURCES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "io-worker": _kubernetes("apps/v1:Deployment", "worker-high", spec=_pods("high", _container("worker", DIGEST))),
    "io-scaler": _kubernetes("keda.sh/v1alpha1:ScaledObject", "worker-high", spec=_scaled("worker-high")),
    "io-budget": _kubernetes("policy/v1:PodDisruptionBudget", "worker-high", spec=_budget("high")),
    "cpu-worker": (
        "kubernetes:apps/v1:Deployment",
        {**_CPU_WORKER, "spec": _pods("reports", _container("worker", DIGEST, cpu="1"))},
    ),
    "scale-in": ("kubernetes:apps/v1:Deployment", _controller()),
    "role": _kubernetes(
        "rbac.authorization.k8s.io/v1:Role",
        "scale-in",
        rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]}],
    ),
    "binding": _kubernetes(
        "rbac.authorization.k8s.io/v1:RoleBinding", "scale-in", roleRef={"kind": "Role", "name": "scale-in"}
    ),
    "store": _kubernetes("apps/v1:StatefulSet", "results", spec=_pods("results", _container("store", VALKEY_IMAGE))),
    "operator": ("kubernetes:apps/v1:Deployment", _OPERATOR),
    "namespace": (
        "kubernetes:core/v1:Namespace",
        {"metadata": {"name": FLEET, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
    ),
    "operators-namespace": ("kubernetes:core/v1:Namespace", {"metadata": {"name": "rabbitmq-system"}}),
    "document": _kubernetes("core/v1:ConfigMap", "document", data={"document.json": '{"queue": "high"}'}),
    "broker": _kubernetes(
        "rabbitmq.com/v1beta1:RabbitmqCluster",
        "broker",
        spec={
            "replicas": 3,
            "image": RABBITMQ_IMAGE,
            "resources": {"requests": {"cpu": "3", "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
            "rabbitmq": {"additionalConfig": "queue_leader_locator = balanced\n"},
        },
    ),
    "broker-budget": _kubernetes(
        "policy/v1:PodDisruptionBudget",
        "broker",
        spec={"maxUnavailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": "broker"}}},
    ),
    "queue": _kubernetes("rabbitmq.com/v1beta1:Queue", "high", spec={"name": "high", "type": "quorum"}),
    "vhost": _kubernetes("rabbitmq.com/v1beta1:Vhost", "fleet", spec={"defaultQueueType": "quorum"}),
    "balancer": _kubernetes(
        "core/v1:Service", "balancer", spec={"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/16"]}
    ),
    "storage": (
        "kubernetes:storage.k8s.io/v1:StorageClass",
        {"metadata": {"name": "gp3"}, "provisioner": "ebs.csi.aws.com", "parameters": {"encrypted": "true"}},
    ),
    "node-class": (
        "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass",
        {"metadata": {"name": "workers"}, "spec": {"tags": TAGS, "blockDeviceMappings": [{"ebs": {"encrypted": True}}]}},
    ),
    "cluster": (
        "aws:eks/cluster:Cluster",
        {"vpcConfig": {"endpointPublicAccess": False}, "encryptionConfig": {"resources": ["secrets"]}, "tags": TAGS},
    ),
    "group": (
        "aws:ec2/securityGroup:SecurityGroup",
        {"ingress": [{"cidrBlocks": ["10.0.0.0/8"]}], "egress": [{"cidrBlocks": ["0.0.0.0/0"]}], "tags": TAGS},
    ),
    "ingress-rule": (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        {"cidrIpv4": "10.0.0.0/16", "ipProtocol": "tcp", "tags": TAGS},
    ),
    "classic-rule": (
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        {"type": "ingress", "cidrBlocks": ["10.0.0.0/16"], "protocol": "tcp"},
    ),
    "template": (
        "aws:ec2/launchTemplate:LaunchTemplate",
        {"blockDeviceMappings": [{"ebs": {"encrypted": "true"}}], "tags": TAGS},
    ),
    "instance": ("aws:ec2/instance:Instance", {"rootBlockDevice": {"encrypted": True}, "tags": TAGS}),
    "volume": ("aws:ebs/volume:Volume", {"encrypted": True, "tags": TAGS}),
    "images": (
        "aws:ecr/repository:Repository",
        {"encryptionConfigurations": [{"encryptionType": "KMS"}], "tags": TAGS},
    ),
    "results": (
        "aws:elasticache/replicationGroup:ReplicationGroup",
        {"atRestEncryptionEnabled": True, "transitEncryptionEnabled": True, "tags": TAGS},
    ),
    "notices": ("aws:sqs/queue:Queue", {"sqsManagedSseEnabled": True, "tags": TAGS}),
    "logs": ("aws:cloudwatch/logGroup:LogGroup", {"kmsKeyId": "arn:aws:kms:us-east-1:1:key/1", "tags": TAGS}),
    "route": ("aws:ec2/route:Route", {"destinationCidrBlock": "0.0.0.0/0"}),
}  # fmt: skip
"""Name -> type and inputs."""


def urn(environment: str, typ: str, name: str) -> str:
    """As the engine writes it."""
    return f"urn:pulumi:{environment}::celery-fleet::{typ}::{name}"


def stack(environment: str = "prod", /, **changes: Mapping[str, Any]) -> list[Resource]:
    """The resources, some of them with values changed: `io_worker={"spec.replicas": 2}`."""
    wanted = {name.replace("_", "-"): values for name, values in changes.items()}
    assert wanted.keys() <= _RESOURCES.keys()
    made = []
    for name, (typ, properties) in _RESOURCES.items():
        inputs = copy.deepcopy(properties)
        for path, value in wanted.get(name, {}).items():
            _set(inputs, path.split("/"), value)
        made.append(Resource(typ=typ, name=name, properties=inputs, urn=urn(environment, typ, name)))
    return made


def _set(tree: Any, path: list[str], value: Any) -> None:
    *before, last = [int(key) if key.isdecimal() else key for key in path]
    for key in before:
        tree = tree[key]
    if value is ABSENT:
        del tree[last]
    else:
        tree[last] = value


def broken(resources: list[Resource], environment: str = "prod") -> list[tuple[str, str, str]]:
    """Level, rule and resource of everything that is found."""
    return [(str(item.level), item.rule.id, item.finding.resource.name) for item in judge(resources, environment)]


def recorded_resources(recorded: Recorded) -> list[Resource]:
    """What a program registered on the recording engine."""
    return [
        Resource(typ=item.typ, name=item.name, properties=_known(item.inputs), urn=item.urn)
        for item in recorded.resources
    ]


def _known(value: Any) -> Any:
    """The SDK reads what a preview does not know as None, which no program registers."""
    if isinstance(value, dict):
        return {key: _known(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_known(child) for child in value]
    return UNKNOWN if value is None else value
