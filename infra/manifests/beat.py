"""The scheduler of periodic tasks.

Invariant: there is never a second one, not even during a roll-out, because each would enqueue every periodic task.
"""

from dataclasses import dataclass

import pulumi

from fleet.probes import derive_probes
from infra.manifests.metadata import Manifest
from infra.manifests.pods import IN_CLUSTER, ApplicationPod, ResultsAddress, health_probe, single_deployment
from infra.placement import ANYWHERE, Placement

NAME = "beat"
COMMAND = ("python", "-m", "app.beat")
GRACE_SECONDS = 30
RESOURCES: Manifest = {"requests": {"cpu": "20m", "memory": "160Mi"}, "limits": {"memory": "160Mi"}}


@dataclass(frozen=True, kw_only=True)
class BeatManifest:
    """All that the beat Deployment is made of."""

    fleet: str
    image: pulumi.Input[str]
    document: pulumi.Input[str]
    results_secret: pulumi.Input[str]
    results: ResultsAddress = IN_CLUSTER
    broker_tls: bool = False
    placement: Placement = ANYWHERE


def beat_deployment(beat: BeatManifest) -> Manifest:
    """The Deployment of beat."""
    probes = derive_probes()
    pod = ApplicationPod(
        fleet=beat.fleet,
        name=NAME,
        component="beat",
        image=beat.image,
        command=COMMAND,
        document=beat.document,
        broker_user="producer",
        broker_tls=beat.broker_tls,
        results_secret=beat.results_secret,
        results=beat.results,
        resources=RESOURCES,
        grace_seconds=GRACE_SECONDS,
        probes={
            "startupProbe": health_probe("beat", probes.startup),
            "livenessProbe": health_probe("beat", probes.liveness),
        },
        service_account=NAME,
        placement=beat.placement,
        run_folder=True,
    )
    return single_deployment(pod)
