"""The controller that has the idlest pods of some queues stopped first, and what its account may do.

Invariant: the account lists the pods of the fleet's namespace and changes them, and can do nothing else; of the pods' own Secrets, and of the broker, its pod
knows nothing. There is one: two would write the same costs twice as often.
"""

from dataclasses import dataclass

import pulumi

from fleet.probes import derive_probes
from infra.manifests.metadata import Manifest, metadata
from infra.manifests.pods import ApplicationPod, health_probe, single_deployment
from infra.placement import ANYWHERE, Placement

NAME = "scale-in"
COMMAND = ("python", "-m", "app.scale_in")
GRACE_SECONDS = 30
"""A round and the bounds of its requests, several times over."""

RESOURCES: Manifest = {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "96Mi"}}

RBAC = "rbac.authorization.k8s.io"


def scale_in_role(fleet: str) -> Manifest:
    """`list` finds the pods with their addresses and costs, `patch` writes a cost; no `get` and no `watch`, because every round lists."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": metadata(fleet, NAME, "scale-in"),
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]}],
    }


def scale_in_role_binding(fleet: str) -> Manifest:
    """The role, for the controller's account alone."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata(fleet, NAME, "scale-in"),
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": fleet}],
    }


@dataclass(frozen=True, kw_only=True)
class ScaleInManifest:
    """All that the controller's Deployment is made of."""

    fleet: str
    image: pulumi.Input[str]
    document: pulumi.Input[str]
    placement: Placement = ANYWHERE


def scale_in_deployment(controller: ScaleInManifest) -> Manifest:
    """The Deployment of the controller. It is ready when its last round reached the API server, so a deploy that may not list pods fails."""
    probes = derive_probes()
    pod = ApplicationPod(
        fleet=controller.fleet,
        name=NAME,
        component="scale-in",
        image=controller.image,
        command=COMMAND,
        document=controller.document,
        broker_user=None,
        results_secret=None,
        resources=RESOURCES,
        grace_seconds=GRACE_SECONDS,
        probes={
            "startupProbe": health_probe("live", probes.startup),
            "readinessProbe": health_probe("ready", probes.readiness),
            "livenessProbe": health_probe("live", probes.liveness),
        },
        service_account=NAME,
        placement=controller.placement,
        run_folder=True,
        cluster_token=True,
    )
    return single_deployment(pod)
