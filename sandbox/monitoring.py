"""A Prometheus in the sandbox, in the place of the monitoring that users have; started when somebody asks for it.

Invariant: it is the real program and reads what it is given: scrape settings, rule files and what to believe a broker by. Only that it is here is a
stand-in, and nothing else in the sandbox needs it. Other files are read by another pod, which finds what the one before has measured.
Source: Prometheus docs, "Configuration" (`scrape_config_files` since 2.43); Debian package `prometheus` of trixie (that of bookworm is built without
Kubernetes discovery).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sandbox import images, node, platform, programs
from sandbox.commands import run
from sandbox.errors import SandboxError
from sandbox.folders import Folders
from sandbox.locks import locked, locked_cache
from sandbox.progress import Progress
from sandbox.standins.volume_provisioner import STORAGE_CLASS

NAMESPACE = "monitoring"
"""The one that the fleet's network policies let in."""
NAME = "prometheus"
PORT = 9090
READY_SECONDS = 120

FOLDER = "/etc/prometheus"
DATA_FOLDER = "/prometheus"
KEPT = "1d"

Manifest = dict[str, Any]
Files = Mapping[str, Mapping[str, str]]
"""Folder below `FOLDER` (`scrape`, `rules`, `broker-authority`) -> name -> text."""

SETTINGS = {
    "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
    "scrape_config_files": [f"{FOLDER}/scrape/*.yaml"],
    "rule_files": [f"{FOLDER}/rules/*.yaml"],
}


def start(folders: Folders, files: Files, progress: Progress) -> None:
    """Start it, or give it other files.

    Raises: SandboxError when the sandbox does not run, or Prometheus does not take the files.
    """
    if node.running(folders) is None:
        raise SandboxError(f"sandbox {folders.name}", "it is not running", "Start it: python -m sandbox up")
    if not images.PROMETHEUS.archive(folders.cache).exists():
        with locked_cache(folders.cache, progress):
            images.make_image(images.PROMETHEUS, folders.cache, progress)
    with locked(folders.lock, f"sandbox {folders.name}", progress):
        platform.load_image(folders, images.PROMETHEUS, progress)
        platform.apply(folders, manifests(files))
    kubectl = programs.program(folders.cache, "kubectl")
    with progress.step("start Prometheus"):
        run(
            [kubectl, f"--kubeconfig={folders.kubeconfig}", f"--namespace={NAMESPACE}", "rollout", "status",
             f"deployment/{NAME}", f"--timeout={READY_SECONDS}s"],
            fix=f"See why: kubectl -n {NAMESPACE} logs deploy/{NAME}",
        )  # fmt: skip
    progress.say("stand-in: Prometheus runs in the place of a monitoring of your own")


def manifests(files: Files) -> list[Manifest]:
    """Its objects; other files are other pods, because they are read at the start."""
    data = {"settings": {"prometheus.yml": json.dumps(SETTINGS)}, **{name: dict(held) for name, held in files.items()}}
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]
    # A file each: the rules of a hundred queues are more than one object may hold (1 MiB).
    config_maps = {
        folder: [_config_map(f"{folder}-{index}", {name: held[name]}) for index, name in enumerate(sorted(held))]
        for folder, held in data.items()
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata()},
        *_rights(),
        *(made for several in config_maps.values() for made in several),
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": _metadata(),
            "spec": {
                "storageClassName": STORAGE_CLASS,
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        _deployment(digest, {folder: [made["metadata"]["name"] for made in config_maps[folder]] for folder in data}),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _metadata(),
            "spec": {"selector": {"app": NAME}, "ports": [{"name": "http", "port": PORT, "targetPort": PORT}]},
        },
    ]


def _metadata() -> Manifest:
    return {"name": NAME, "namespace": NAMESPACE}


def _config_map(name: str, data: dict[str, str]) -> Manifest:
    described = {"name": f"{NAME}-{name}", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "data": data}


def _rights() -> list[Manifest]:
    name = "fleet-sandbox:prometheus"
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", **_metadata()}],
        },
    ]


def _deployment(digest: str, folders: Mapping[str, list[str]]) -> Manifest:
    """`folders`: name -> the ConfigMaps whose files it holds."""
    mounts = [{"name": folder, "mountPath": f"{FOLDER}/{folder}"} for folder in folders]
    prometheus = {
        "name": NAME,
        "image": images.PROMETHEUS.reference,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "prometheus",
            f"--config.file={FOLDER}/settings/prometheus.yml",
            f"--storage.tsdb.path={DATA_FOLDER}",
            f"--storage.tsdb.retention.time={KEPT}",
        ],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": PORT}, "periodSeconds": 2},
        "volumeMounts": [*mounts, {"name": "data", "mountPath": DATA_FOLDER}],
    }
    spec = {
        "serviceAccountName": NAME,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 999, "fsGroup": 999},
        "containers": [prometheus],
        "volumes": [
            *(
                {"name": folder, "projected": {"sources": [{"configMap": {"name": name}} for name in names]}}
                for folder, names in folders.items()
            ),
            {"name": "data", "persistentVolumeClaim": {"claimName": NAME}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(),
        "spec": {
            "selector": {"matchLabels": {"app": NAME}},
            # Two at once would write to one folder.
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": {"app": NAME}, "annotations": {"fleet-sandbox/files": digest}},
                "spec": spec,
            },
        },
    }
