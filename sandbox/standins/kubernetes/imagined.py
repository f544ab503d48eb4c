"""A cluster that does not exist: objects of an EKS cluster that is stood in for, kept in the engine's state alone.

The invariant: only a cluster whose address is EKS's own form is imagined, and only where the environment asks for it; the
rules that need no server hold as they do elsewhere (names, immutable fields, replacements, duplicates), nothing runs,
and every command that uses such a cluster says so once.
"""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from sandbox.standins import variables
from sandbox.standins.kubernetes import values
from sandbox.standins.kubernetes.naming import (
    Kind,
    kind_of,
    metadata_of,
    name_of,
    namespace_of,
    object_id,
)
from sandbox.standins.kubernetes.normalize import normalized
from sandbox.standins.kubernetes.objects import EXISTS_HELP
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import Log, PluginError
from sandbox.standins.urns import unique_name

WARNING: Final = (
    "stand-in: there is no cluster behind {server}; its objects are kept in Pulumi's state alone, and nothing runs"
)

_EKS_HOST: Final = re.compile(r"[0-9A-F]{32}\.[a-z0-9]+\.[a-z0-9-]+\.eks\.amazonaws\.com(?:\.cn)?\Z", re.IGNORECASE)

CLUSTER_SCOPED: Final = frozenset(
    {
        "APIService", "CSIDriver", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "EC2NodeClass",
        "IngressClass", "IngressClassParams", "MutatingWebhookConfiguration", "Namespace", "NodeClass", "NodePool", "PersistentVolume",
        "PriorityClass", "RuntimeClass", "StorageClass", "ValidatingWebhookConfiguration", "VolumeSnapshotClass",
    }
)  # fmt: skip
"""Kinds without a namespace, of Kubernetes and of what a platform brings; a cluster would say so itself."""

_ADDRESS: Final = "internal-imagined.elb.amazonaws.com"


def is_imagined(server: str) -> bool:
    """Whether the cluster at this address is to be imagined."""
    return variables.is_imagined(os.environ) and bool(_EKS_HOST.match(urlsplit(server).hostname or ""))


@dataclass(slots=True)
class ImaginedCluster:
    """The objects of this run."""

    server: str
    log: Log
    _made: set[tuple[Kind, str]] = field(default_factory=set)
    _warned: bool = False

    def is_namespaced(self, manifest: Manifest) -> bool:
        """Whether the kind lives in namespaces."""
        return kind_of(manifest).kind not in CLUSTER_SCOPED

    async def created(self, urn: str, given: Manifest) -> tuple[str, Manifest]:
        """Id and state of a new object.

        Raises: PluginError when this run has made one of that kind and name already.
        """
        await self.warn(urn)
        inputs = values.plain(given)
        if not name_of(inputs):
            raise PluginError(f'resource "{urn}" has no name: metadata.name is empty')
        live = self._live(inputs, str(uuid.uuid4()))
        if (kind_of(live), object_id(live)) in self._made:
            raise PluginError(f'{kind_of(live)} "{object_id(live)}" already exists{EXISTS_HELP}')
        self._made.add((kind_of(live), object_id(live)))
        return object_id(live), _state(inputs, live, given, unique_name("pulumi-kubernetes-", b""))

    async def updated(self, urn: str, olds: Manifest, news: Manifest) -> Manifest:
        """The state of an object after new inputs."""
        await self.warn(urn)
        _, old_live = values.parse_checkpoint(olds)
        inputs = normalized(values.plain(news))
        live = self._live(inputs, str(metadata_of(old_live).get("uid")))
        return _state(inputs, live, news, str(olds.get(values.FIELD_MANAGER_KEY) or ""))

    async def deleted(self, urn: str, state: Manifest) -> None:
        """Forget an object."""
        await self.warn(urn)
        _, live = values.parse_checkpoint(state)
        self._made.discard((kind_of(live), object_id(live)))

    async def warn(self, urn: str) -> None:
        """Say, once in a run, that nothing of this exists."""
        if not self._warned:
            self._warned = True
            await self.log.warn(urn, WARNING.format(server=self.server))

    def _live(self, inputs: Manifest, uid: str) -> Manifest:
        """The object as its server would give it back: placed, identified, and ready."""
        metadata = {**metadata_of(inputs), "uid": uid}
        if self.is_namespaced(inputs) and not namespace_of(inputs):
            metadata["namespace"] = "default"
        live = {**normalized(inputs), "metadata": metadata}
        if (status := _status(inputs)) is not None:
            live["status"] = status
        return live


def _status(inputs: Manifest) -> Manifest | None:
    """What controllers would write that a program reads: the addresses of load balancers."""
    kind, spec = kind_of(inputs).kind, inputs.get("spec")
    balanced = isinstance(spec, dict) and spec.get("type") == "LoadBalancer"
    if kind == "Ingress" or (kind == "Service" and balanced):
        return {"loadBalancer": {"ingress": [{"hostname": _ADDRESS}]}}
    return None


def _state(inputs: Manifest, live: Manifest, given: Manifest, manager: str) -> Manifest:
    version = str(inputs.get("apiVersion", ""))
    return values.checkpoint(inputs, live, given, initial_api_version=version, field_manager=manager)
