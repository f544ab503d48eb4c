"""What a user adds to a queue's pods beside the derived: environment, Secrets, volumes, node selector, tolerations, GPUs.

Invariant: it is passed through as it was written; nothing here overrides what the fleet itself sets.
"""

from typing import Protocol

from fleet.plan import PodExtras, Volume
from fleet.units import format_size
from infra.manifests.metadata import Manifest
from infra.placement import Placement

GPU_RESOURCE = "nvidia.com/gpu"


def extra_environment(extras: PodExtras) -> list[Manifest]:
    """Variables in clear, then those from Secrets."""
    return [
        *({"name": name, "value": value} for name, value in extras.env.items()),
        *(
            {"name": name, "valueFrom": {"secretKeyRef": {"name": key.secret, "key": key.key}}}
            for name, key in extras.secrets.items()
        ),
    ]


def _volume_source(volume: Volume) -> Manifest:
    if volume.secret is not None:
        return {"secret": {"secretName": volume.secret}}
    if volume.config_map is not None:
        return {"configMap": {"name": volume.config_map}}
    if volume.claim is not None:
        return {"persistentVolumeClaim": {"claimName": volume.claim}}
    return {"emptyDir": {"sizeLimit": format_size(volume.empty_dir_bytes or 0)}}


def _extra_volume_name(volume: Volume) -> str:
    # The fleet's own volumes have short names that a user may well choose too.
    return f"extra-{volume.name}"[:63].rstrip("-")


def extra_volumes(extras: PodExtras) -> list[Manifest]:
    """The pod's side of the volumes."""
    return [{"name": _extra_volume_name(volume), **_volume_source(volume)} for volume in extras.volumes]


def extra_mounts(extras: PodExtras) -> list[Manifest]:
    """The container's side of the volumes."""
    return [
        {
            "name": _extra_volume_name(volume),
            "mountPath": volume.mount_path,
            **({"readOnly": True} if volume.read_only else {}),
        }
        for volume in extras.volumes
    ]


class Tolerating(Protocol):
    """A toleration, from the catalogue or from the stack's settings."""

    @property
    def key(self) -> str | None: ...  # noqa: D102
    @property
    def operator(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> str | None: ...  # noqa: D102
    @property
    def effect(self) -> str | None: ...  # noqa: D102


def toleration(item: Tolerating) -> Manifest:
    """A toleration in Kubernetes' words."""
    fields = {"key": item.key, "operator": item.operator, "value": item.value, "effect": item.effect}
    return {name: value for name, value in fields.items() if value is not None}


def scheduling(extras: PodExtras, placement: Placement) -> Manifest:
    """Which nodes the pod may run on; the queue's own word counts where the environment says otherwise."""
    return Placement(
        node_selector={**placement.node_selector, **extras.node_selector},
        tolerations=(*placement.tolerations, *(toleration(item) for item in extras.tolerations)),
    ).scheduling()


def gpu_limits(extras: PodExtras) -> dict[str, str]:
    """The part of a container's limits that asks for GPUs (requests follow the limit: Kubernetes docs, "Schedule GPUs")."""
    return {GPU_RESOURCE: str(extras.gpu)} if extras.gpu else {}
