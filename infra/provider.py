"""The Kubernetes provider of a stack: of a cluster that a kubeconfig names, or of one that the stack makes.

Invariant: the cluster's own identity, not its kubeconfig, decides whether two runs mean the same cluster, so a new certificate or another path
replaces nothing. Source: pulumi-kubernetes 4.34, `Provider` (`clusterIdentifier`; without `kubeconfig` the Python class copies $KUBECONFIG
into the state, so an empty one is given and the plugin looks for itself).
"""

import json

import pulumi
import pulumi_kubernetes as k8s

EXEC_API = "client.authentication.k8s.io/v1beta1"
"""What `aws eks update-kubeconfig` writes, so what every `aws` that knows EKS answers."""


def cluster_provider(name: str, kubeconfig: str | None, context: str | None, identity: str) -> k8s.Provider:
    """The provider of the cluster that `kubectl` would reach with this kubeconfig and context."""
    return k8s.Provider(
        name,
        kubeconfig=kubeconfig or "",
        context=context,
        cluster_identifier=identity,
        enable_server_side_apply=True,
    )


def eks_kubeconfig(
    *,
    cluster_name: pulumi.Input[str],
    endpoint: pulumi.Input[str],
    certificate_authority: pulumi.Input[str],
    region: str,
    role_arn: pulumi.Input[str | None],
) -> pulumi.Output[str]:
    """A kubeconfig of an EKS cluster, as JSON: it holds no credential, whoever uses it asks AWS for a token of 15 minutes.

    `role_arn` is a role to take for it; None asks as whoever runs. Source: EKS user guide, "Connect kubectl to an EKS cluster by creating a
    kubeconfig file"; AWS CLI reference, `eks get-token`.
    """
    return pulumi.Output.all(cluster_name, endpoint, certificate_authority, role_arn).apply(
        lambda known: json.dumps(_kubeconfig(*known[:3], region=region, role_arn=known[3]))
    )


def _kubeconfig(name: str, endpoint: str, authority: str, *, region: str, role_arn: str | None) -> dict[str, object]:
    arguments = ["eks", "get-token", "--cluster-name", name, "--region", region, "--output", "json"]
    if role_arn is not None:
        arguments += ["--role-arn", role_arn]
    execute = {"apiVersion": EXEC_API, "command": "aws", "args": arguments, "interactiveMode": "Never"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"exec": execute}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def eks_provider(
    name: str, kubeconfig: pulumi.Output[str], cluster_arn: pulumi.Input[str], *, opts: pulumi.ResourceOptions
) -> k8s.Provider:
    """The provider of an EKS cluster; its ARN outlives every change of endpoint and certificate."""
    return k8s.Provider(
        name,
        kubeconfig=kubeconfig,
        cluster_identifier=cluster_arn,
        enable_server_side_apply=True,
        opts=opts,
    )
