"""The core stays light: it is imported in every worker on its way to the first task."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def loaded_by(module: str) -> set[str]:
    """Top-level packages that are loaded after importing a module in a fresh interpreter."""
    code = f"import sys, {module}; print('\\n'.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        pytest.param(
            "fleet.cli",
            {"celery", "kombu", "pulumi", "pulumi_kubernetes", "kubernetes"},
            id="the-core-knows-no-celery-and-no-pulumi",
        ),
        pytest.param(
            "fleet.documents",
            {"celery", "pulumi", "pydantic", "yaml", "typer", "rich"},
            id="a-pod-needs-no-pydantic-to-read-its-document",
        ),
    ],
)
def test_importing_the_core_loads_nothing_heavy(module: str, forbidden: set[str]) -> None:
    """Not even by way of something else."""
    assert loaded_by(module) & forbidden == set()
