"""The figures of the EKS stacks, measured one by one or all together: `python -m bench.eks preview cost`.

AWS, its registry and its cluster are stood in for, so the seconds are those of the program, the engine and the stand-ins: no call to AWS is among
them. Each figure goes into `bench/results/eks.json` as soon as it is known, so an interrupted run keeps what it had.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.measuring import measure_each, names_asked
from ops.progress import Progress
from ops.scanning import scan_python
from ops.target import own_environment
from tests.engine.conftest import ROOT, engine_variables, new_aws_project
from tests.scan.findings import findings_unexplained

NAME = "eks"
COMMAND = "python -m bench.eks"
ENVIRONMENTS = ("dev", "staging", "prod")
ROUNDS = 3
ENGINE_TESTS = "tests/engine/test_environments.py"


def preview(environment: Mapping[str, str]) -> dict[str, Any]:
    """The median of the first previews of `prod`, each of a stack that nobody has deployed."""
    with tempfile.TemporaryDirectory(prefix="eks-bench-") as temporary:
        project = new_aws_project(Path(temporary) / "prod", environment, "prod")
        seconds = []
        for _ in range(ROUNDS):
            begin = time.monotonic()
            project.succeed("preview")
            seconds.append(time.monotonic() - begin)
        planned = json.loads(project.succeed("preview", "--json"))["changeSummary"]
    return {
        "preview_prod_seconds": round(statistics.median(seconds), 1),
        "preview_prod_rounds_seconds": [round(taken, 1) for taken in seconds],
        "preview_prod_resources": planned["create"],
    }


def engine_tests(_: Mapping[str, str]) -> dict[str, Any]:
    """The three environments brought up, refreshed and destroyed, one after the other."""
    begin = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ENGINE_TESTS]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "FLEET_ENGINE_TESTS": "1"}, check=False)
    if done.returncode != 0:
        raise SystemExit(f"`{' '.join(command[1:])}` failed; a failing run has no time")
    return {"engine_tests_seconds": round(time.monotonic() - begin, 1)}


def cost(_: Mapping[str, str]) -> dict[str, Any]:
    """What `fleet cost` expects of each environment, USD a month, with the repository's own catalogue."""
    figures = {}
    for environment in ENVIRONMENTS:
        command = [str(Path(sys.executable).parent / "fleet"), "cost", "-s", environment, "--json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"`fleet cost -s {environment}` failed:\n{done.stderr}")
        figures[f"cost_{environment}_usd"] = round(json.loads(done.stdout)["cost"]["total"]["expected"])
    return figures


def findings(_: Mapping[str, str]) -> dict[str, Any]:
    """What checkov and the schemas of Kubernetes and of the operators find in all environments, and no reason explains."""
    python = scan_python(own_environment(os.environ), Progress())
    return {"findings_unexplained": findings_unexplained(str(python))}


MEASUREMENTS: dict[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
    "preview": preview,
    "engine_tests": engine_tests,
    "cost": cost,
    "findings": findings,
}


def main() -> None:
    """Measure what was asked for."""
    asked = names_asked(COMMAND, __doc__, MEASUREMENTS, purpose="what to measure")
    with tempfile.TemporaryDirectory(prefix="eks-bench-") as folder:
        environment = engine_variables(Path(folder))
        chosen = {name: partial(MEASUREMENTS[name], environment) for name in asked}
        measure_each(NAME, f"{COMMAND} all", chosen, lambda: environment)


if __name__ == "__main__":
    main()
