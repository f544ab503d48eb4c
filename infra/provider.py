"""The Kubernetes provider of a stack.

Invariant: the cluster's own identity, not its kubeconfig, decides whether two runs mean the same cluster, so a new certificate or another path
replaces nothing. Source: pulumi-kubernetes 4.34, `Provider` (`clusterIdentifier`; without `kubeconfig` the Python class copies $KUBECONFIG
into the state, so an empty one is given and the plugin looks for itself).
"""

import pulumi_kubernetes as k8s


def cluster_provider(name: str, kubeconfig: str | None, context: str | None, identity: str) -> k8s.Provider:
    """The provider of the cluster that `kubectl` would reach with this kubeconfig and context."""
    return k8s.Provider(
        name,
        kubeconfig=kubeconfig or "",
        context=context,
        cluster_identifier=identity,
        enable_server_side_apply=True,
    )
