"""The results store of a fleet without a managed one: a single Valkey with its log on a volume.

Invariant: it is bounded (old results go first) and losing it loses results, counters and leases, never a task. A restart loses about a second of them:
the log is written to the disk every second (Valkey docs, "Persistence", `appendfsync everysec`). The password reaches it in a file, because Valkey reads
none from its environment.
"""

import pulumi

from fleet.versions import VALKEY_IMAGE
from infra.manifests.metadata import Manifest, metadata, selector
from infra.manifests.pods import RESTRICTED_CONTAINER, RESULTS_PORT, restricted_pod

NAME = "results"
VALKEY_UID = 999
CONFIGURATION_FOLDER = "/etc/valkey"
CONFIGURATION_NAME = "valkey.conf"
RESOURCES: Manifest = {"requests": {"cpu": "50m", "memory": "192Mi"}, "limits": {"memory": "192Mi"}}

DATA_MEMORY = "128mb"
"""Of the container's memory; the rest is for buffers and the process itself."""

STORAGE = "1Gi"
"""The log, and beside it the one that replaces it when it has grown to twice its size."""


def results_configuration(password: str) -> str:
    """valkey.conf; the password is quoted, and has no quotes of its own (checked in the settings)."""
    lines = [
        f"port {RESULTS_PORT}",
        "dir /data",
        'save ""',
        "appendonly yes",
        "appendfsync everysec",
        f"maxmemory {DATA_MEMORY}",
        "maxmemory-policy volatile-ttl",
        f'requirepass "{password}"',
    ]
    return "".join(f"{line}\n" for line in lines)


def password_secret(fleet: str, password: pulumi.Output[str]) -> Manifest:
    """The password, for those who use the store; another password is another Secret, so they are rolled with it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(fleet, NAME, "results", generated=True),
        "type": "Opaque",
        "stringData": {"password": password},
    }


def results_secret(fleet: str, password: pulumi.Output[str]) -> Manifest:
    """The password, for the store in the cluster and for those who use it; both are rolled with another one."""
    secret = password_secret(fleet, password)
    configuration = password.apply(results_configuration)
    return {**secret, "stringData": {**secret["stringData"], CONFIGURATION_NAME: configuration}}


def _container() -> Manifest:
    probe = {"tcpSocket": {"port": RESULTS_PORT}, "timeoutSeconds": 5}
    return {
        "name": NAME,
        "image": VALKEY_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["valkey-server", f"{CONFIGURATION_FOLDER}/{CONFIGURATION_NAME}"],
        "ports": [{"name": "valkey", "containerPort": RESULTS_PORT}],
        "resources": RESOURCES,
        "securityContext": RESTRICTED_CONTAINER,
        "readinessProbe": {**probe, "periodSeconds": 5},
        "livenessProbe": {**probe, "periodSeconds": 20, "failureThreshold": 6},
        "volumeMounts": [
            {"name": "configuration", "mountPath": CONFIGURATION_FOLDER, "readOnly": True},
            {"name": "data", "mountPath": "/data"},
        ],
    }


def _claim(storage_class: str | None) -> Manifest:
    spec: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": STORAGE}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {"metadata": {"name": "data"}, "spec": spec}


def results_stateful_set(fleet: str, secret: pulumi.Input[str], *, storage_class: str | None) -> Manifest:
    """One Valkey, configured by the Secret; `storage_class` None takes the cluster's default."""
    configuration = {
        "secretName": secret,
        "items": [{"key": CONFIGURATION_NAME, "path": CONFIGURATION_NAME}],
        "defaultMode": 0o440,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(fleet, NAME, "results"),
        "spec": {
            "replicas": 1,
            "serviceName": NAME,
            "selector": {"matchLabels": selector(NAME)},
            "template": {
                "metadata": {"labels": metadata(fleet, NAME, "results")["labels"]},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "serviceAccountName": NAME,
                    "securityContext": restricted_pod(VALKEY_UID),
                    "terminationGracePeriodSeconds": 10,
                    "containers": [_container()],
                    "volumes": [{"name": "configuration", "secret": configuration}],
                },
            },
            "volumeClaimTemplates": [_claim(storage_class)],
            # Results are worth a day: what is left of a store that is gone is nothing to keep.
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
        },
    }


def results_service(fleet: str) -> Manifest:
    """The store's address."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(fleet, NAME, "results"),
        "spec": {
            "selector": selector(NAME),
            "ports": [{"name": "valkey", "port": RESULTS_PORT, "targetPort": RESULTS_PORT}],
        },
    }
