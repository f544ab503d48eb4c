"""The web layer: it enqueues and answers about tasks, and runs none.

Invariant: a roll-out or a drain never takes the last pod that can accept a task; the number of pods is the autoscaler's alone.
"""

from dataclasses import dataclass

import pulumi

from fleet.units import format_cpu, format_size
from fleet.web import WebPlan
from infra.manifests.metadata import Manifest, metadata, selector
from infra.manifests.pods import IN_CLUSTER, ApplicationPod, ResultsAddress, pod_template, secret_variable
from infra.placement import ANYWHERE, Placement

NAME = "web"
COMMAND = ("python", "-m", "app.web")
SERVICE_PORT = 80
SERVICE_PORT_NAME = "http"
CONTAINER_PORT = 8000
TOKENS_KEY = "tokens"


@dataclass(frozen=True, kw_only=True)
class WebLimits:
    """What the web layer takes; it knows the defaults itself, so that a new one rolls no pod whose stack says nothing."""

    max_body_bytes: int | None = None
    """Largest body of a request; None for `fleet.web.MAX_BODY_BYTES`."""
    rate_per_second: float | None = None
    """Requests of one client that each pod takes; None for any number."""
    burst: int | None = None
    """So many at once after a pause; None for a second's worth."""


UNLIMITED = WebLimits()


@dataclass(frozen=True, kw_only=True)
class WebManifest:
    """All that the web Deployment is made of."""

    fleet: str
    plan: WebPlan
    image: pulumi.Input[str]
    document: pulumi.Input[str]
    results_secret: pulumi.Input[str]
    results: ResultsAddress = IN_CLUSTER
    broker_tls: bool = False
    placement: Placement = ANYWHERE
    drain_seconds: int = 0
    """Where a load balancer outside the cluster sends requests to the pods."""
    limits: WebLimits = UNLIMITED
    tokens_secret: pulumi.Input[str] | None = None
    """Secret with the tokens of those who may ask; None where anybody may who reaches it."""


def _http_probe(path: str, *, period_seconds: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": CONTAINER_PORT},
        "periodSeconds": period_seconds,
        "failureThreshold": failures,
        "timeoutSeconds": 5,
    }


def tokens_secret(fleet: str, tokens: pulumi.Output[str]) -> Manifest:
    """The tokens of those who may ask; other tokens are another Secret, so the pods are rolled with them."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(fleet, f"{NAME}-tokens", "web", generated=True),
        "type": "Opaque",
        "stringData": {TOKENS_KEY: tokens},
    }


def _limit_variables(web: WebManifest) -> tuple[Manifest, ...]:
    stated = {
        "FLEET_WEB_MAX_BODY_BYTES": web.limits.max_body_bytes,
        "FLEET_WEB_RATE_PER_SECOND": web.limits.rate_per_second,
        "FLEET_WEB_BURST": web.limits.burst,
    }
    found = [{"name": name, "value": f"{value:.12g}"} for name, value in stated.items() if value is not None]
    if web.tokens_secret is not None:
        found.append(secret_variable("FLEET_WEB_TOKENS", web.tokens_secret, TOKENS_KEY))
    return tuple(found)


def web_deployment(web: WebManifest) -> Manifest:
    """The Deployment of the web layer."""
    memory = format_size(web.plan.memory_bytes)
    pod = ApplicationPod(
        fleet=web.fleet,
        name=NAME,
        component="web",
        image=web.image,
        command=COMMAND,
        document=web.document,
        broker_user="producer",
        broker_tls=web.broker_tls,
        results_secret=web.results_secret,
        results=web.results,
        resources={
            "requests": {"cpu": format_cpu(web.plan.cpu_request_millicores), "memory": memory},
            "limits": {"memory": memory},
        },
        grace_seconds=web.plan.grace_seconds,
        drain_seconds=web.drain_seconds,
        probes={
            "startupProbe": _http_probe("/healthz", period_seconds=2, failures=60),
            "readinessProbe": _http_probe("/readyz", period_seconds=5, failures=2),
            "livenessProbe": _http_probe("/healthz", period_seconds=15, failures=4),
        },
        service_account=NAME,
        placement=web.placement,
        ports=({"name": "http", "containerPort": CONTAINER_PORT},),
        variables=_limit_variables(web),
    )
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(web.fleet, NAME, "web"),
        "spec": {
            "selector": {"matchLabels": selector(NAME)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "revisionHistoryLimit": 3,
            "template": pod_template(pod),
        },
    }


def web_service(fleet: str) -> Manifest:
    """The address of the web layer inside the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(fleet, NAME, "web"),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(NAME),
            "ports": [{"name": SERVICE_PORT_NAME, "port": SERVICE_PORT, "targetPort": CONTAINER_PORT}],
        },
    }


def web_autoscaler(fleet: str, plan: WebPlan) -> Manifest:
    """The web layer scales on CPU: it has no queue of its own."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(fleet, NAME, "web"),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "minReplicas": plan.replicas_min,
            "maxReplicas": plan.replicas_max,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": plan.cpu_target_percent},
                    },
                }
            ],
        },
    }
