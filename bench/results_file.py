"""One results file: what was run, with which versions, on which machine, and the figures.

Invariant: a figure in a results file was written by the command that measured it; figures that a run did not measure stay as they were.
"""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("celery", "kombu", "numpy", "pulumi", "pulumi-aws", "pulumi-kubernetes")


def machine() -> dict[str, Any]:
    """Cores that this process may use and the machine's memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": len(os.sched_getaffinity(0)), "memory": f"{memory / 2**30:.0f} GiB", "system": platform.platform()}


def versions(environment: Mapping[str, str]) -> dict[str, str]:
    """Of the packages that are installed, the programs on PATH, and, where a fleet runs, its images."""
    found = {"python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in PACKAGES}
    found |= _said(environment, "pulumi-cli", r"v[\d.]+", "pulumi", "version")
    found |= _said(environment, "kubernetes", r"(?<=Server Version: )\S+", "kubectl", "version")
    for name in ("rabbitmq", "keda", "valkey", "prometheus"):
        found |= _said(environment, name, rf"(?<={name})[-\w]*:\S+", *_IMAGES_COMMAND)
    return {name: version.rpartition(":")[2] for name, version in found.items()}


_IMAGES_COMMAND = (
    "kubectl", "get", "pods", "--all-namespaces", "-o", "jsonpath={range .items[*].spec.containers[*]}{.image}{'\\n'}{end}",
)  # fmt: skip


def _said(environment: Mapping[str, str], name: str, pattern: str, *command: str) -> dict[str, str]:
    """The version in what a command prints; nothing where the command or the version is missing."""
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = re.search(pattern, done.stdout)
    return {name: found[0]} if found else {}


def load_figures(name: str) -> dict[str, Any]:
    """The figures of `bench/results/<name>.json`; none where nothing has been measured yet."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return {}
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return figures


def write_section(document: Path, begin: str, end: str, section: str) -> None:
    """Put what quotes the figures between two markers of a document."""
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    document.write_text(f"{before}{begin}{section}{end}{after}", encoding="utf-8")


def keep_figures(name: str, command: str, environment: Mapping[str, str], figures: Mapping[str, Any]) -> Path:
    """Writes the figures into `bench/results/<name>.json`, beside those that are there already."""
    path = RESULTS / f"{name}.json"
    RESULTS.mkdir(exist_ok=True)
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"versions": {}, "figures": {}}
    document = {
        # Every command that has measured one of the figures.
        "command": "; ".join(dict.fromkeys([*kept.get("command", command).split("; "), command])),
        # What a stopped sandbox cannot say any more stays as it was.
        "versions": {**kept["versions"], **versions(environment)},
        "machine": machine(),
        "figures": dict(sorted({**kept["figures"], **figures}.items())),
    }
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(document, indent=2) + "\n")
    temporary.replace(path)
    return path
