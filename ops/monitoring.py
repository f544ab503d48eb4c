"""`make up MONITORING=1`: the sandbox's Prometheus with what the fleet gives to it, and where it is.

Invariant: what it reads is what any Prometheus of a user would be given, the ConfigMaps of `celery-fleet:monitoring` in the mode `plain`; a cluster of
the user's own has a monitoring of its own, and none is started there. What is asked for once stays until the sandbox ends.
"""

import json

import httpx

from fleet.errors import FleetError, UsageError
from ops import broker_access, forwarding, sandbox_cli, state
from ops.progress import Progress
from ops.target import ROOT, STACK, Target

LABEL = "celery-fleet/monitoring"
FOLDERS = ("scrape", "rules")
"""Values of the label."""

AUTHORITY = "broker-authority"
"""Folder of what the scrape settings believe a broker by that speaks TLS: `<fleet>.crt`."""

NAMESPACE = "monitoring"
SERVICE = "prometheus"
PORT = 9090
ANSWER_SECONDS = 1.0


def check_asked(context: str | None, *, asked: bool) -> None:
    """Raises: UsageError where somebody asks for it on a cluster of their own."""
    if asked and context:
        raise UsageError(
            f"CONTEXT={context} MONITORING=1",
            "a Prometheus is brought by the sandbox alone",
            "Give the fleet to the one that you have: docs/how-to/monitoring.md.",
        )


def fleet_files(target: Target) -> dict[str, dict[str, str]]:
    """What the fleet gives to a Prometheus: folder -> name -> text."""
    found: dict[str, dict[str, str]] = {folder: {} for folder in FOLDERS}
    listed = target.kubectl("get", "configmaps", "--namespace", target.namespace, "-l", LABEL, "-o", "json")
    for item in json.loads(listed)["items"]:
        found[item["metadata"]["labels"][LABEL]] |= item["data"]
    authority = broker_access.broker_access(target).authority
    return {**found, AUTHORITY: {} if authority is None else {f"{target.plan.fleet}.crt": authority}}


def start_monitoring(target: Target, progress: Progress) -> str:
    """Start it, or give it what the fleet has now; its address.

    Raises: FleetError where the fleet gives nothing to a Prometheus with files, because the stack's configuration says so.
    """
    files = fleet_files(target)
    if not files["scrape"]:
        raise FleetError(
            f"Pulumi.{STACK}.yaml: celery-fleet:monitoring.mode",
            "is not plain, so the fleet gives nothing to the Prometheus of MONITORING=1",
            f"Leave it out for the sandbox: pulumi config rm --path celery-fleet:monitoring.mode -s {STACK}",
        )
    with progress.step("start Prometheus in the sandbox"):
        sandbox_cli.monitor(target.environ, ROOT, files)
    return prometheus_address(target)


def is_monitored(target: Target) -> bool:
    """Whether it was asked for."""
    return target.context is None and state.is_monitored(target.folder)


def prometheus_address(target: Target) -> str:
    """Its address on this machine; the forward is started or replaced as needed."""
    port = forwarding.keep_forward(
        target, SERVICE, PORT, preferred=PORT, answers=_answers, namespace=NAMESPACE
    )  # fmt: skip
    return f"http://{forwarding.LOOPBACK}:{port}"


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{forwarding.LOOPBACK}:{port}/-/ready", timeout=ANSWER_SECONDS).is_success
    except httpx.HTTPError:
        return False
