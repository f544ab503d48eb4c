"""How much longer `pulumi preview` takes than the engine and the provider alone need for as many resources.

Invariant: both programs run in temporary projects with a backend of their own, alternately, against the same API server; neither deploys
anything. The floor has the same component tree and the same number of provider resources, each a ConfigMap.
"""

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.running_fleet import ROOT, STACK

ROUNDS = 3
MANY_QUEUES = 100
FLEET_NAME = "preview-bench"
"""A name that no running fleet has, so that every resource is one to create."""

PROGRAM_FOLDERS = ("app", "fleet", "infra", "stacks")
PROGRAM_FILES = ("Pulumi.yaml", f"Pulumi.{STACK}.yaml", "pyproject.toml", "queues.yaml", ".dockerignore")


def many_queues(count: int) -> str:
    """A catalogue of queues of all kinds, each with tasks of its own."""
    kinds: list[dict[str, Any]] = [
        {"profile": "io", "runtime": {"mean": "80ms", "p99": "400ms", "limit": "5s"}, "wait": {"promise": "5s"}},
        {"profile": "io", "runtime": {"mean": "300ms", "p99": "1200ms", "limit": "10s"}, "wait": {"promise": "30s"}},
        {"profile": "cpu", "runtime": {"mean": "2s", "p99": "6s", "limit": "30s"}, "wait": {"promise": "60s"}},
        {"profile": "cpu", "runtime": {"mean": "40s", "p99": "4m", "limit": "10m"}, "wait": {"promise": "10m"}},
    ]
    queues = {
        f"queue-{number:03}": {
            "tasks": [f"app.tasks.area{number:03}.*"],
            **kinds[number % len(kinds)],
            "load": {"peak": "0.2/s"},
            "memory": "60Mi",
        }
        for number in range(count)
    }
    return yaml.safe_dump({"application": "app.celery_app:celery_app", "queues": queues}, sort_keys=False)


def _fleet_project(folder: Path, catalogue: str | None) -> Path:
    """The program in a folder of its own, with another fleet name and perhaps another catalogue."""
    folder.mkdir()
    for name in PROGRAM_FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    for name in PROGRAM_FILES:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    if catalogue is not None:
        (folder / "queues.yaml").write_text(catalogue)
    settings = folder / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(settings.read_text()) or {}
    document["config"] = {**(document.get("config") or {}), "celery-fleet:name": FLEET_NAME}
    settings.write_text(yaml.safe_dump(document))
    return folder


def _floor_project(folder: Path, tree: list[dict[str, Any]]) -> Path:
    """The ConfigMap program with the same tree, run by the same kind of language host."""
    shutil.copytree(ROOT / "bench" / "config_maps", folder / "program", ignore=shutil.ignore_patterns("__pycache__"))
    description = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    project = {"name": "floor", "main": "program", "runtime": description["runtime"]}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    (folder / "tree.json").write_text(json.dumps(tree))
    return folder


def _pulumi(project: Path, environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["pulumi", "--non-interactive", *arguments, "--stack", STACK],
        cwd=project, env=dict(environment), capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"`pulumi {arguments[0]}` failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def _preview_seconds(project: Path, environment: Mapping[str, str]) -> float:
    begin = time.monotonic()
    _pulumi(project, environment, "preview")
    return time.monotonic() - begin


def _tree(preview_json: str) -> list[dict[str, Any]]:
    """Components and provider resources of a preview, parents first; the stack itself and providers are in every program."""
    steps = [step["newState"] for step in json.loads(preview_json)["steps"]]
    return [
        {"urn": state["urn"], "parent": state.get("parent", ""), "type": state["type"], "custom": state["custom"]}
        for state in steps
        if state["type"] != "pulumi:pulumi:Stack" and not state["type"].startswith("pulumi:providers:")
    ]


def preview_ratio(environment: Mapping[str, str], catalogue: str | None) -> dict[str, Any]:
    """`ratio`, the medians it is made of, and the number of provider resources."""
    with tempfile.TemporaryDirectory(prefix="preview-bench-") as temporary:
        folder = Path(temporary)
        own = {**environment, "PULUMI_BACKEND_URL": f"file://{folder}/backend"}
        (folder / "backend").mkdir()
        fleet = _fleet_project(folder / "fleet", catalogue)
        _pulumi(fleet, own, "stack", "init", "--no-select")
        tree = _tree(_pulumi(fleet, own, "preview", "--json"))
        (folder / "floor").mkdir()
        floor = _floor_project(folder / "floor", tree)
        _pulumi(floor, own, "stack", "init", "--no-select")
        seconds: dict[str, list[float]] = {"fleet": [], "floor": []}
        for _ in range(ROUNDS):
            seconds["fleet"].append(_preview_seconds(fleet, own))
            seconds["floor"].append(_preview_seconds(floor, own))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    return {
        "ratio": round(medians["fleet"] / medians["floor"], 2),
        "fleet_seconds": round(medians["fleet"], 2),
        "floor_seconds": round(medians["floor"], 2),
        "resources": sum(node["custom"] for node in tree),
    }


def preview(environment: Mapping[str, str]) -> dict[str, Any]:
    """Both ratios, and the seconds behind them."""
    local = preview_ratio(environment, None)
    many = preview_ratio(environment, many_queues(MANY_QUEUES))
    return {
        "preview_ratio_local": local.pop("ratio"),
        "preview_ratio_100_queues": many.pop("ratio"),
        "preview_local": local,
        "preview_100_queues": many,
    }
