"""The Job that declares Celery's delayed-delivery tree before any worker runs.

Invariant: its name carries the hash of its document, so another list of queues is another Job, and the one that ran stays as the record of what
is declared (no time to live: a Job that vanished would be drift).
"""

import hashlib

import pulumi

from infra.manifests.metadata import Manifest, metadata
from infra.manifests.pods import ApplicationPod, pod_template
from infra.placement import ANYWHERE, Placement

COMMAND = ("python", "-m", "app.delayed_delivery")
JOB_PREFIX = "delayed-delivery"
HASH_LENGTH = 10

RETRIES = 6
DEADLINE_SECONDS = 900

RESOURCES: Manifest = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}


def document_hash(document: str) -> str:
    """What tells one document from another in a name."""
    return hashlib.sha256(document.encode()).hexdigest()[:HASH_LENGTH]


def job_suffix(document: str, *, broker_tls: bool) -> str:
    """What tells one Job from another: its document, and how it speaks to the broker, since a Job cannot be changed."""
    return f"{document_hash(document)}-tls" if broker_tls else document_hash(document)


def delayed_delivery_job(
    fleet: str,
    document: str,
    *,
    image: pulumi.Input[str],
    config_map_name: pulumi.Input[str],
    broker_tls: bool = False,
    placement: Placement = ANYWHERE,
) -> Manifest:
    """The Job for `document`, which stands in the ConfigMap `config_map_name`."""
    name = f"{JOB_PREFIX}-{job_suffix(document, broker_tls=broker_tls)}"
    pod = ApplicationPod(
        fleet=fleet,
        name=JOB_PREFIX,
        component="delayed-delivery",
        image=image,
        command=COMMAND,
        document=config_map_name,
        broker_user="topology",
        broker_tls=broker_tls,
        results_secret=None,
        resources=RESOURCES,
        grace_seconds=30,
        probes={},
        placement=placement,
        restart="Never",
    )
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(fleet, name, "delayed-delivery"),
        "spec": {
            "backoffLimit": RETRIES,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "template": pod_template(pod),
        },
    }
