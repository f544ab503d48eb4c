"""The images hold what the application imports of the core, and nothing that only people use."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENTRY_POINTS = (
    "app.worker.__main__",
    "app.worker.running",
    "app.web.__main__",
    "app.beat",
    "app.scale_in.__main__",
    "app.delayed_delivery",
    "app.inspect",
)


@pytest.mark.scan
def test_the_images_hold_exactly_what_the_application_imports_of_the_core() -> None:
    """A module that is missing stops every pod; one too many rolls every pod when the command line changes."""
    script = f"import sys, {', '.join(ENTRY_POINTS)}; print(*sorted(name for name in sys.modules if name.split('.')[0] == 'fleet'))"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {f"{name.replace('.', '/')}.py" for name in ended.stdout.split() if name != "fleet"} | {
        "fleet/__init__.py"
    }
    held = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!fleet/")
    }
    assert held == imported
