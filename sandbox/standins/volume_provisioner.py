"""Stand-in for a storage driver: volumes of StorageClass `local`, and of EBS's classes, are folders on the node's machine.

    python -m sandbox.standins.volume_provisioner                  # with KUBECONFIG and FLEET_SANDBOX_VOLUMES
    python -m sandbox.standins.volume_provisioner --storage-class  # YAML for `kubectl apply -f -`

Responsible for: a PersistentVolume for every claim of the class once its pod has a node, its growth, and its end.
Invariant: a folder lives exactly as long as its volume, outlives every pod that mounts it, and is only ever removed
when it lies directly below the folder for volumes.
Facts from: Kubernetes v1.36 `pkg/controller/volume/persistentvolume/pv_controller.go` (what the controller leaves to
external provisioners); kubernetes-sigs/sig-storage-lib-external-provisioner v11 `controller/controller.go`.
"""

import argparse
import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import kopf
import yaml

from sandbox.standins.api_server import ApiError, ApiServer, Key, Object
from sandbox.standins.operator_process import OperatorProcess, run_until_told
from sandbox.standins.quantities import parse_quantity
from sandbox.standins.work_queue import RetryLaterError, WorkQueue

STORAGE_CLASS: Final = "local"
PROVISIONER: Final = "celery-fleet/local"
STANDS_FOR: Final = frozenset({PROVISIONER, "ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com"})
"""Drivers whose volumes are made here; those of EBS come without their size, encryption and speed."""

VOLUMES_VARIABLE: Final = "FLEET_SANDBOX_VOLUMES"

_PROVISIONED_FOR: Final = "volume.kubernetes.io/storage-provisioner"
"""Set by the volume controller: the driver that the claim's class names."""

_SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
_PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"
_OPEN_MODE: Final = 0o2777
"""A hostPath gets no ownership from fsGroup, so the folder itself has to let every uid of a pod write."""
_RESYNC_SECONDS: Final = 300.0

logger = logging.getLogger(__name__)


def storage_class() -> Object:
    """The class: the cluster's default, with volumes made where the scheduler puts the pod."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
    }


def volume_name(claim: Mapping[str, Any]) -> str:
    """Name of a claim's volume and of its folder: the claim's uid, so that a claim made anew gets an empty one."""
    return f"pvc-{claim['metadata']['uid']}"


def is_served(claim: Mapping[str, Any]) -> bool:
    """Whether the claim's volume is one of ours."""
    annotations = claim["metadata"].get("annotations") or {}
    return claim["spec"].get("storageClassName") == STORAGE_CLASS or annotations.get(_PROVISIONED_FOR) in STANDS_FOR


def wants_volume(claim: Mapping[str, Any]) -> bool:
    """Whether a volume has to be made for a claim now."""
    metadata, spec = claim["metadata"], claim["spec"]
    return (
        is_served(claim)
        and not spec.get("volumeName")
        and metadata.get("deletionTimestamp") is None
        and _SELECTED_NODE in (metadata.get("annotations") or {})
    )


def volume(claim: Mapping[str, Any], folder: Path) -> Object:
    """The volume of a claim: `folder`, on the node that the scheduler chose."""
    metadata = claim["metadata"]
    node = metadata["annotations"][_SELECTED_NODE]
    hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(claim), "annotations": {_PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "storageClassName": claim["spec"]["storageClassName"],
            "persistentVolumeReclaimPolicy": "Delete",
            "accessModes": claim["spec"].get("accessModes", ["ReadWriteOnce"]),
            "volumeMode": "Filesystem",
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "hostPath": {"path": str(folder), "type": "Directory"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}},
        },
    }


def grown_size(claim: Mapping[str, Any]) -> str | None:
    """The size to report for a bound claim that asks for more than it has; None when it has enough."""
    has = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
    asks: str = claim["spec"]["resources"]["requests"]["storage"]
    if not is_served(claim) or has is None:
        return None
    return asks if parse_quantity(asks) > parse_quantity(has) else None


def is_spent(volume: Mapping[str, Any]) -> bool:
    """Whether a volume is ours and its claim is gone for good."""
    annotations = volume["metadata"].get("annotations") or {}
    return (
        annotations.get(_PROVISIONED_BY) == PROVISIONER
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        and (volume.get("status") or {}).get("phase") in ("Released", "Failed")
    )


class Provisioner:
    """Makes, grows and removes volumes below one folder."""

    def __init__(self, api: ApiServer, root: Path) -> None:
        self._api = api
        self._root = root
        self._known: set[Key] = set()
        self.queue: WorkQueue[Key] = WorkQueue(self.reconcile, workers=1)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._api.apply(storage_class())
        async with asyncio.TaskGroup() as group:
            group.create_task(self.queue.run())
            while True:
                await asyncio.sleep(_RESYNC_SECONDS)
                for key in self._known:
                    self.queue.add(key)

    def on_event(self, change: str | None, obj: Object) -> None:
        """A claim or a volume changed: look at it."""
        key = Key.of(obj)
        if change == "DELETED":
            self._known.discard(key)
        else:
            self._known.add(key)
            self.queue.add(key)

    async def reconcile(self, key: Key) -> float | None:
        """Bring one claim or one volume to where it should be.

        Raises: RetryLaterError when the API server refuses for now.
        """
        obj = await self._api.get(key)
        if obj is None:
            return None
        try:
            if key.kind == "PersistentVolumeClaim":
                await self._serve(key, obj)
            elif is_spent(obj):
                await self._remove(key, obj)
        except ApiError as error:
            raise RetryLaterError(str(error)) from error
        return None

    async def _serve(self, key: Key, claim: Object) -> None:
        if wants_volume(claim):
            folder = self._root / volume_name(claim)
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(_OPEN_MODE)
            await self._api.apply(volume(claim, folder))
            logger.info("%s: made volume %s", key, folder.name)
        size = grown_size(claim)
        if size is not None:
            name = Key("PersistentVolume", "", claim["spec"]["volumeName"])
            await self._api.merge(name, {"spec": {"capacity": {"storage": size}}})
            await self._api.merge(key, {"status": {"capacity": {"storage": size}}}, subresource="status")
            logger.info("%s: grew to %s", key, size)

    async def _remove(self, key: Key, volume: Object) -> None:
        folder = Path(volume["spec"]["hostPath"]["path"])
        if folder.parent != self._root:
            logger.warning("%s: %s does not lie in %s; left alone", key, folder, self._root)
            return
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await self._api.delete(key)
        logger.info("%s: removed", key)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.standins.volume_provisioner", description="Volumes as folders on the node's machine."
    )
    parser.add_argument("--storage-class", action="store_true", help="print the StorageClass and stop")
    if parser.parse_args().storage_class:
        sys.stdout.write(yaml.safe_dump(storage_class(), sort_keys=False))
        return 0
    root = os.environ.get(VOLUMES_VARIABLE)
    if not root or not Path(root).is_absolute():
        sys.stderr.write(f"{VOLUMES_VARIABLE} is {root!r}: name the folder for volumes by its absolute path\n")
        return 2
    return run_until_told(_run(Path(root)))


async def _run(root: Path) -> None:
    process = OperatorProcess(field_manager="volume-provisioner")
    await process.api.open()
    provisioner = Provisioner(process.api, root)

    async def on_event(event: Mapping[str, Any], kind: str) -> None:
        provisioner.on_event(event["type"], {**event["object"], "kind": kind})

    for plural, kind in (
        ("persistentvolumeclaims", "PersistentVolumeClaim"),
        ("persistentvolumes", "PersistentVolume"),
    ):

        async def handle(event: Mapping[str, Any], kind: str = kind, **_: object) -> None:
            await on_event(event, kind)

        kopf.on.event("", "v1", plural, registry=process.registry, id=f"watch-{plural}")(handle)
    await process.run(provisioner.run())


if __name__ == "__main__":
    sys.exit(main())
