"""A configured provider's cluster: its settings, its objects and the waits on them, or why it cannot be reached.

The invariant: an unreachable cluster stops whatever would change or read it, with the reason, and nothing else; a
preview of a program that makes the cluster itself goes on.

Source: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (Configure, clusterUnreachable).
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.standins.kubernetes.client import KubernetesClient
from sandbox.standins.kubernetes.imagined import ImaginedCluster, is_imagined
from sandbox.standins.kubernetes.kubeconfig import active_cluster, cluster_access, parse_kubeconfig
from sandbox.standins.kubernetes.objects import Objects
from sandbox.standins.kubernetes.settings import Settings
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.kubernetes.waiting import Waiting
from sandbox.standins.plugin_server import Log, PluginError


@dataclass(slots=True)
class Cluster:
    """What a provider instance works on."""

    settings: Settings
    namespace: str = ""
    """For objects that name none: the provider's, else the kubeconfig context's, else `default`."""

    objects: Objects | None = None
    waiting: Waiting | None = None
    imagined: ImaginedCluster | None = None
    """In place of both where the cluster does not exist and its objects are kept in the state alone."""

    unreachable: str = "the provider was not configured"

    def reached(self) -> tuple[Objects, Waiting]:
        """The cluster's objects and waits.

        Raises: PluginError when it cannot be reached.
        """
        if self.objects is None or self.waiting is None:
            raise PluginError(f"configured Kubernetes cluster is unreachable: {self.unreachable}")
        return self.objects, self.waiting

    async def is_namespaced(self, manifest: Manifest) -> bool:
        """Whether the kind lives in namespaces; assumed of one that cannot be asked about yet."""
        if self.imagined is not None:
            return self.imagined.is_namespaced(manifest)
        return self.objects is None or await self.objects.is_namespaced(manifest)

    async def is_served(self, manifest: Manifest) -> bool:
        """Whether the cluster serves the kind."""
        return self.objects is not None and await self.objects.is_served(manifest)

    async def close(self) -> None:
        """Give the connections back."""
        if self.objects is not None:
            await self.objects.client.close()


async def connect(settings: Settings, log: Log) -> Cluster:
    """The cluster of the settings, asked once which kinds it serves."""
    if not settings.known:
        return Cluster(settings, settings.namespace, unreachable="it is not known yet which cluster it will be")
    client = None
    try:
        config = parse_kubeconfig(settings.kubeconfig)
        server = str((active_cluster(config, context=settings.context, cluster=settings.cluster) or {}).get("server"))
        if is_imagined(server):
            return Cluster(settings, settings.namespace or "default", imagined=ImaginedCluster(server, log))
        access = cluster_access(config, context=settings.context, cluster=settings.cluster)
        client = KubernetesClient(access)
        await client.discover()
    except PluginError as error:
        if client is not None:
            await client.close()
        return Cluster(settings, settings.namespace, unreachable=str(error))
    objects = Objects(
        client,
        log,
        server_side_apply=settings.server_side_apply,
        force_patches=settings.force_patches,
        upsert_existing=settings.upsert_existing,
    )
    return Cluster(settings, settings.namespace or access.namespace or "default", objects, Waiting(client, log))
