"""Runs checkov over the recorded graphs of environments, without network and without a cluster or an account.

Invariant: one run reads everything, each environment in a folder of its own: the AWS resources as a Terraform plan, the Kubernetes objects
as manifests. checkov reads no custom resources; `tests/infra/definitions.py` does.
Source: checkov 3.3 (`--framework`, `--skip-download`: no look-up of guidelines).
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.infra.recording import Recorded
from tests.scan.terraform_plan import terraform_plan

PYTHON_VARIABLE = "FLEET_SCAN_PYTHON"
"""The Python of the environment that checkov is installed in; `make scan` makes it and says where it is."""

FRAMEWORKS = ("terraform_plan", "kubernetes")
RUN_SECONDS = 300.0


@dataclass(frozen=True, order=True)
class Finding:
    """A check that a resource fails."""

    environment: str
    check: str
    resource: str
    """As checkov names it: `aws_kms_key.cluster-key`, `Deployment.fleet.worker-high`."""
    title: str

    def __str__(self) -> str:
        return f"{self.environment}: {self.check} {self.resource}: {self.title}"


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What one run found."""

    findings: tuple[Finding, ...]
    passed: Mapping[str, int]
    """Framework -> checks that were passed: none means that nothing was read."""


def scan(graphs: Mapping[str, Recorded], folder: Path, python: str) -> Scan:
    """Writes the graphs into the folder and has checkov read it.

    Raises: RuntimeError with checkov's own words when it fails or could not read a file.
    """
    for environment, recorded in graphs.items():
        _write(recorded, folder / environment)
    command = [
        python, "-m", "checkov.main", "--directory", str(folder), "--output", "json", "--compact", "--quiet", "--skip-download", "--soft-fail",
        *(word for name in FRAMEWORKS for word in ("--framework", name)),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
        cwd=folder,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
    )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"checkov: {done.stderr or done.stdout}") from None
    # Without anything to read there is a bare summary.
    reports = [report for report in (told if isinstance(told, list) else [told]) if "check_type" in report]
    if unread := [path for report in reports for path in report["results"].get("parsing_errors", [])]:
        raise RuntimeError(f"checkov could not read {', '.join(unread)}")
    return Scan(
        findings=tuple(sorted(set(_findings(reports)))),
        passed={report["check_type"]: report["summary"]["passed"] for report in reports},
    )


def _findings(reports: list[dict[str, Any]]) -> Iterator[Finding]:
    for report in reports:
        for found in report["results"]["failed_checks"]:
            environment = found["file_path"].strip("/").split("/")[0]
            yield Finding(environment, found["check_id"], found["resource"], found["check_name"])


def _write(recorded: Recorded, folder: Path) -> None:
    folder.mkdir(parents=True)
    if any(item.typ.startswith("aws:") for item in recorded.resources):
        (folder / "plan.json").write_text(json.dumps(terraform_plan(recorded)))
    for manifest in recorded.manifests():
        name = f"{manifest['kind']}-{manifest['metadata'].get('namespace', '')}-{manifest['metadata']['name']}"
        (folder / f"{re.sub('[^A-Za-z0-9-]', '-', name)}.yaml").write_text(yaml.safe_dump(manifest))
