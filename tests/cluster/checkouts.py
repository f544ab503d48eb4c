"""A copy of the checkout for a stack of its own beside the running fleet, and the images that it can take over."""

import subprocess
from pathlib import Path

from tests.cluster.running_fleet import ROOT, RunningFleet

ONE_QUEUE = """\
application: app.celery_app:celery_app
queues:
  everything:
    tasks: ["app.tasks.*"]
    profile: cpu
    runtime: {mean: 1s, p99: 4s, limit: 60s}
    load: {peak: 1/s}
    wait: {promise: 60s}
    memory: 200Mi
"""


def checkout(folder: Path) -> Path:
    """A copy of the files that git knows, in the state of the work tree."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    return folder


def images_of(fleet: RunningFleet) -> dict[str, str]:
    """The images that a fleet runs, by the component that runs them."""
    images = {}
    for item in fleet.objects("deployments.apps"):
        component = item["metadata"]["labels"].get("app.kubernetes.io/component")
        if component in {"web", "worker"}:
            images[component] = item["spec"]["template"]["spec"]["containers"][0]["image"]
    return images
