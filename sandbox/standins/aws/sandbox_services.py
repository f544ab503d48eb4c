"""What a service of AWS that is stood in for really does where the sandbox is the cluster: ElastiCache, by a Valkey in it.

The invariant: only a stack whose EKS cluster is the sandbox gets one; its endpoint is then the name that pods resolve.
"""

from __future__ import annotations

from typing import Final

from sandbox.standins import managed_results
from sandbox.standins.aws.account import Account
from sandbox.standins.kubernetes.client import ApiError, KubernetesClient
from sandbox.standins.kubernetes.kubeconfig import cluster_access, parse_kubeconfig
from sandbox.standins.kubernetes.naming import kind_of, name_of, namespace_of
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import Properties

REPLICATION_GROUP: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
_MANAGER: Final = "aws-stand-in"


def _is_served(account: Account, token: str) -> bool:
    return token == REPLICATION_GROUP and bool(account.kubeconfig)


async def started(account: Account, token: str, state: Properties) -> Properties:
    """The state with the address of what was started; unchanged where nothing is.

    Raises: PluginError when the sandbox does not take it.
    """
    if not _is_served(account, token):
        return state
    identifier = str(state["replicationGroupId"])
    client = KubernetesClient(cluster_access(parse_kubeconfig(account.kubeconfig)))
    try:
        for manifest in managed_results.store(identifier, str(state.get("authToken") or "")):
            await client.apply(manifest, manager=_MANAGER, force=True, dry_run=False)
    except PluginError as error:
        raise PluginError(f"the sandbox's results store cannot be started: {error}") from None
    finally:
        await client.close()
    address = managed_results.host(identifier)
    return {**state, "primaryEndpointAddress": address, "readerEndpointAddress": address}


async def stopped(account: Account, token: str, state: Properties) -> None:
    """Stop what was started; what is not there is stopped."""
    if not _is_served(account, token):
        return
    client = KubernetesClient(cluster_access(parse_kubeconfig(account.kubeconfig)))
    try:
        for manifest in reversed(managed_results.store(str(state["replicationGroupId"]), "")):
            try:
                await client.delete(
                    kind_of(manifest), namespace_of(manifest), name_of(manifest), propagation="Background"
                )
            except ApiError as error:
                if error.code != 404:
                    raise
    finally:
        await client.close()
