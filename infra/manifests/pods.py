"""The pod of the application's image, as workers, web layer, beat and the delayed-delivery Job share it.

Invariant: no pod of a fleet runs as root, writes to its image or carries a credential in clear, and none but the scale-in controller holds a token of
the cluster; connection facts reach it by the `FLEET_*` variables alone. Source: Kubernetes docs, "Pod Security Standards", profile restricted.
"""

from dataclasses import dataclass, field

import pulumi

from fleet.plan import PodExtras
from fleet.probes import Probe
from infra.manifests.extras import extra_environment, extra_mounts, extra_volumes, scheduling
from infra.manifests.metadata import Component, Manifest, labels, metadata, selector
from infra.manifests.tls import BROKER_CERTIFICATE, CA_KEY, authority_volume, broker_ports
from infra.placement import ANYWHERE, Placement

APPLICATION_UID = 10001
"""User and group of the application's image (`app/Dockerfile`)."""

DOCUMENT_FOLDER = "/etc/fleet"
DOCUMENT_NAME = "document.json"

RESULTS_PORT = 6379

AUTHORITY_FOLDER = "/etc/broker-authority"
"""Where pods find the certificate of the broker's authority."""

RUN_FOLDER_SIZE = "1Mi"
"""Heartbeat and ready files, in memory: a probe never waits for a disk."""

TEMPORARY_SIZE = "512Mi"

ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where programs look for the token of their pod."""

TOKEN_SECONDS = 3600
"""After four fifths of it the kubelet writes the next one. Source: Kubernetes docs, "Configure Service Accounts for Pods", projected tokens."""

HEALTH = ["python", "-I", "-S", "/srv/app/worker/health.py"]
"""Reads a file and exits: no application is imported for a probe."""

RESTRICTED_CONTAINER: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def restricted_pod(uid: int) -> Manifest:
    """The security context of a pod that runs as `uid`."""
    return {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "fsGroup": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


@dataclass(frozen=True, kw_only=True)
class ResultsAddress:
    """Where pods find the results store; by default the one in their namespace."""

    host: pulumi.Input[str] = "results"
    port: int = RESULTS_PORT
    tls: bool = False
    """Whether it speaks TLS; a store outside the cluster always does."""


IN_CLUSTER = ResultsAddress()


@dataclass(frozen=True, kw_only=True)
class ApplicationPod:
    """What differs between the pods of the application's image."""

    fleet: str
    name: str
    """Of the workload; also the value of its name label."""
    component: Component
    image: pulumi.Input[str]
    """By digest."""
    command: tuple[str, ...]
    document: pulumi.Input[str]
    """Name of the ConfigMap with the pod's part of the Plan."""
    broker_user: str | None
    """User of the broker whose Secret the topology operator made; None where the pod does not talk to the broker."""
    broker_tls: bool = False
    """Whether the broker speaks TLS, and then nothing else."""
    results_secret: pulumi.Input[str] | None
    """Secret with the password of the results store; None where the pod needs none."""
    results: ResultsAddress = IN_CLUSTER
    resources: Manifest
    grace_seconds: int
    probes: Manifest
    """Probe fields of the container."""
    queue: str | None = None
    service_account: str | None = None
    restart: str | None = None
    """`restartPolicy`; a Deployment has but one."""
    ports: tuple[Manifest, ...] = ()
    variables: tuple[Manifest, ...] = ()
    """Of this kind of pod, beside how it reaches broker and results store."""
    extras: PodExtras = field(default_factory=PodExtras)
    placement: Placement = ANYWHERE
    """Nodes that the environment wants, beside the queue's own word."""
    drain_seconds: int = 0
    """How long the pod goes on before it is told to stop, for those in front of it that still send."""
    run_folder: bool = False
    """Whether the pod writes heartbeat files."""
    cluster_token: bool = False
    """Whether the pod has a token of the Kubernetes API, for what the roles of its account allow."""


def secret_variable(name: str, secret: pulumi.Input[str], key: str) -> Manifest:
    """An environment variable that is read from a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _broker_tls_variables(pod: ApplicationPod) -> list[Manifest]:
    if not pod.broker_tls:
        return []
    return [
        {"name": "FLEET_BROKER_TLS", "value": "true"},
        {"name": "FLEET_BROKER_CA", "value": f"{AUTHORITY_FOLDER}/{CA_KEY}"},
    ]


def _broker_variables(pod: ApplicationPod) -> list[Manifest]:
    if pod.broker_user is None:
        return []
    user_secret = f"{pod.broker_user}-user-credentials"
    return [
        {"name": "FLEET_BROKER_HOST", "value": "broker"},
        {"name": "FLEET_BROKER_PORT", "value": str(broker_ports(tls=pod.broker_tls).amqp)},
        *_broker_tls_variables(pod),
        secret_variable("FLEET_BROKER_USERNAME", user_secret, "username"),
        secret_variable("FLEET_BROKER_PASSWORD", user_secret, "password"),
    ]


def connection_variables(pod: ApplicationPod) -> list[Manifest]:
    """How a pod reaches the broker and the results store."""
    found: list[Manifest] = [
        {"name": "FLEET_DOCUMENT", "value": f"{DOCUMENT_FOLDER}/{DOCUMENT_NAME}"},
        *_broker_variables(pod),
        {"name": "FLEET_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    if pod.results_secret is not None:
        found += [
            {"name": "FLEET_RESULTS_HOST", "value": pod.results.host},
            {"name": "FLEET_RESULTS_PORT", "value": str(pod.results.port)},
            {"name": "FLEET_RESULTS_TLS", "value": "true" if pod.results.tls else "false"},
            secret_variable("FLEET_RESULTS_PASSWORD", pod.results_secret, "password"),
        ]
    return found


def _container(pod: ApplicationPod) -> Manifest:
    authority = [{"name": "broker-authority", "mountPath": AUTHORITY_FOLDER, "readOnly": True}]
    run = [{"name": "run", "mountPath": "/run/fleet"}] if pod.run_folder else []
    account = [{"name": "account", "mountPath": ACCOUNT_FOLDER, "readOnly": True}] if pod.cluster_token else []
    found: Manifest = {
        "name": pod.component,
        "image": pod.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(pod.command),
        "env": [*connection_variables(pod), *pod.variables, *extra_environment(pod.extras)],
        "resources": pod.resources,
        "securityContext": RESTRICTED_CONTAINER,
        "volumeMounts": [
            {"name": "document", "mountPath": DOCUMENT_FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 -- a volume of the pod's own
            *(authority if pod.broker_tls else []),
            *run,
            *account,
            *extra_mounts(pod.extras),
        ],
        **pod.probes,
    }
    if pod.ports:
        found["ports"] = list(pod.ports)
    if pod.drain_seconds:
        found["lifecycle"] = {"preStop": {"sleep": {"seconds": pod.drain_seconds}}}
    return found


def _account_volume() -> Manifest:
    """What the kubelet would mount by itself, stated: so that a pod with a token is one that shows it."""
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}}
    authority = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    return {"name": "account", "projected": {"sources": [token, authority]}}


def pod_template(pod: ApplicationPod) -> Manifest:
    """The `template` of a Deployment or Job."""
    run = [{"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": RUN_FOLDER_SIZE}}] if pod.run_folder else []
    authority = [authority_volume("broker-authority", BROKER_CERTIFICATE, CA_KEY)] if pod.broker_tls else []
    spec: Manifest = {
        "automountServiceAccountToken": False,
        # Kubernetes would add a dozen variables for every Service of the namespace.
        "enableServiceLinks": False,
        "securityContext": restricted_pod(APPLICATION_UID),
        "terminationGracePeriodSeconds": pod.grace_seconds,
        "containers": [_container(pod)],
        "volumes": [
            {"name": "document", "configMap": {"name": pod.document}},
            {"name": "tmp", "emptyDir": {"sizeLimit": TEMPORARY_SIZE}},
            *authority,
            *run,
            *([_account_volume()] if pod.cluster_token else []),
            *extra_volumes(pod.extras),
        ],
        **scheduling(pod.extras, pod.placement),
    }
    if pod.service_account is not None:
        spec["serviceAccountName"] = pod.service_account
    if pod.restart is not None:
        spec["restartPolicy"] = pod.restart
    else:
        spec["topologySpreadConstraints"] = [zone_spread(pod.name)]
    described: Manifest = {"labels": labels(pod.fleet, pod.name, pod.component, queue=pod.queue)}
    if pod.placement.annotations:
        described["annotations"] = dict(pod.placement.annotations)
    return {"metadata": described, "spec": spec}


def single_deployment(pod: ApplicationPod) -> Manifest:
    """A Deployment of one pod that never has a second beside it, not even during a roll-out. It states its replicas: no autoscaler owns them."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(pod.fleet, pod.name, pod.component),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector(pod.name)},
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 3,
            "template": pod_template(pod),
        },
    }


def zone_spread(name: str) -> Manifest:
    """Pods of one workload go to different zones where there are several; a full zone holds none back."""
    return {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(name)},
    }


def health_probe(question: str, probe: Probe) -> Manifest:
    """A probe that asks the pod's own files: `live`, `ready` or `beat`."""
    return {
        "exec": {"command": [*HEALTH, question]},
        "periodSeconds": probe.period_seconds,
        "failureThreshold": probe.failures,
        "timeoutSeconds": probe.timeout_seconds,
    }
