"""What makes AWS resources from inside the cluster: the AWS Load Balancer Controller, and Karpenter with its kinds.

Invariant: a controller outlives the objects that it makes resources for, else their finalizers are never taken off and what they made stays in the
account; so whatever makes such objects depends on this component. With Auto Mode, EKS runs both itself.
Source: aws-load-balancer-controller 3.5, docs/deploy/installation.md (region and VPC are stated, because pods do not reach the instance's metadata
through one hop); Karpenter 1.14 docs, "Upgrade Guide", section "CRD Upgrades" (kinds in a chart of their own, which Helm upgrades with the rest).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pulumi

from fleet import versions
from infra.aws.ingress import SERVICE_ACCOUNT
from infra.aws.place import Place
from infra.charts import Chart, release
from infra.manifests.karpenter import controller_values
from infra.manifests.metadata import Manifest
from infra.manifests.network import COMPONENT_LABEL
from infra.placement import Placement

LOAD_BALANCERS = Chart(
    name="aws-load-balancer-controller",
    repository="https://aws.github.io/eks-charts",
    version=versions.LOAD_BALANCER_CONTROLLER,
    namespace="kube-system",
)

KARPENTER_KINDS = Chart(
    name="karpenter-crd",
    repository="oci://public.ecr.aws/karpenter",
    version=versions.KARPENTER,
    namespace="kube-system",
)
KARPENTER = replace(KARPENTER_KINDS, name="karpenter", skip_kinds=True)

REPLICAS_MAX = 2
"""One leads, one stands by."""


@dataclass(frozen=True, kw_only=True)
class ControllersArgs:
    """The cluster that they serve."""

    place: Place
    cluster_name: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    placement: Placement
    """Nodes that no controller starts itself."""
    system_nodes: int
    """How many of them there are; replicas of one controller never share one."""
    karpenter_queue: pulumi.Input[str] | None = None
    """Queue of what is about to happen to nodes; None where nodes are not Karpenter's."""


class Controllers(pulumi.ComponentResource):
    """The releases of both."""

    installed: list[str]

    def __init__(self, name: str, args: ControllersArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:Controllers", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        release(f"{name}-load-balancers", LOAD_BALANCERS, load_balancer_values(args), opts=child)
        self.installed = [LOAD_BALANCERS.name]
        if args.karpenter_queue is not None:
            kinds = release(f"{name}-karpenter-kinds", KARPENTER_KINDS, {}, opts=child)
            values = controller_values(
                args.cluster_name,
                args.karpenter_queue,
                system_nodes=args.system_nodes,
                scheduling=args.placement.scheduling(),
            )
            release(
                f"{name}-karpenter",
                KARPENTER,
                values,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[kinds]),
            )
            self.installed += [KARPENTER_KINDS.name, KARPENTER.name]
        self.register_outputs({"installed": self.installed})


def load_balancer_values(args: ControllersArgs) -> Manifest:
    """The values of the load balancer controller's chart.

    Its webhook for Services is off: it would refuse every Service of the cluster while its own pods are not ready, and make it the default for those
    that name no class. Its webhook for pods looks at those of web layers alone, since workers and brokers need not wait for a load balancer and must
    start without this controller. Add-ons that its role may not use are off. Its own certificate outlives an upgrade, in the middle of which one pod
    would have another than the API server expects.
    """
    tags: Mapping[str, str] = args.place.tags
    return {
        "clusterName": args.cluster_name,
        "region": args.place.region,
        "vpcId": args.vpc_id,
        "serviceAccount": {"name": SERVICE_ACCOUNT},
        "replicaCount": min(REPLICAS_MAX, args.system_nodes),
        "podDisruptionBudget": {"maxUnavailable": 1},
        "enableServiceMutatorWebhook": False,
        "objectSelector": {"matchLabels": {COMPONENT_LABEL: "web"}},
        "podMutatorWebhookConfig": {"failurePolicy": "Ignore"},
        "keepTLSSecret": True,
        "enableShield": False,
        "enableWaf": False,
        "defaultTags": dict(tags),
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        **args.placement.scheduling(),
    }
