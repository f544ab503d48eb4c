"""How many findings nobody has explained: the figure `findings_unexplained` of the bench."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.infra.definitions import DEFINITIONS, schema_errors
from tests.infra.kubernetes_schemas import is_built_in, kubernetes_errors
from tests.infra.recording import Recorded
from tests.scan.baseline import judge, load_baseline
from tests.scan.checkov import PYTHON_VARIABLE, Scan, scan
from tests.scan.environments import graphs

VERSIONS = ("1.35", "1.36")
"""Kubernetes minor versions that a cluster may have."""

WITHOUT_DEFINITION = {("eks.amazonaws.com/v1", "NodeClass")}
"""Kinds of Auto Mode, which AWS installs itself and publishes no definition of."""


def schema_findings(recorded: Mapping[str, Recorded]) -> list[str]:
    """Every object that Kubernetes, or the operator that reads it, would refuse: `environment: kind name: reason`."""
    found = []
    for environment, graph in recorded.items():
        for item in graph.manifests():
            if is_built_in(item):
                errors = [error for version in VERSIONS for error in kubernetes_errors(item, version)]
            elif DEFINITIONS.is_dir() and (item["apiVersion"], item["kind"]) not in WITHOUT_DEFINITION:
                errors = schema_errors(item)
            else:
                errors = []
            found += [f"{environment}: {item['kind']} {item['metadata']['name']}: {error}" for error in errors]
    return found


def count_unexplained(recorded: Mapping[str, Recorded], scanned: Scan) -> int:
    """Findings of checkov that no row of the baseline explains, and objects that a schema refuses."""
    return len(judge(scanned.findings, load_baseline()).unexplained) + len(schema_findings(recorded))


def findings_unexplained(python: str | None = None) -> int:
    """The count over all environments.

    `python`: the one that checkov is installed for, as `ops.scanning.scan_python` returns it; else FLEET_SCAN_PYTHON says it.
    """
    recorded = graphs()
    with tempfile.TemporaryDirectory() as folder:
        return count_unexplained(recorded, scan(recorded, Path(folder), python or os.environ[PYTHON_VARIABLE]))
