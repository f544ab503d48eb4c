"""The offline policy scan: checkov over everything that the programs would make, and promtool over the alerts, without a cluster or an account.

Invariant: checkov pins packages that the rest of the project needs newer, so it lives in an environment of its own in the project's cache
folder, named by the hash of its requirements: one that was only half installed is made anew, and `make clean` drops it with the other
caches.
Source: the XDG base directory specification; `FLEET_CACHE_DIR` overrides it, as it does for the sandbox.
"""

import hashlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.processes import run, run_visibly
from ops.progress import Progress
from ops.promtool import find_promtool
from ops.target import ROOT, own_environment

MARKED = "scan"
REQUIREMENTS = ROOT / "requirements" / "scan.txt"
FINISHED = "installed"
"""Written last: an environment without it is no environment."""

INSTALL_SECONDS = 600.0


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The project's cache folder."""
    if chosen := environ.get("FLEET_CACHE_DIR"):
        return Path(chosen).absolute()
    base = environ.get("XDG_CACHE_HOME", "")
    # The specification says that a relative path is to be ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "celery-fleet"


def scan_python(environ: Mapping[str, str], progress: Progress) -> Path:
    """The Python that checkov is installed for; installed first where it is missing.

    Raises: FleetError when that fails, with uv's own words.
    """
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = cache_folder(environ) / f"scan-{digest}"
    python = folder / "bin" / "python"
    if not (folder / FINISHED).exists():
        shutil.rmtree(folder, ignore_errors=True)
        fix = "See whether the package index can be reached, then run: make scan"
        with progress.step("Installing the policy scanner (once)"):
            for command in (
                ["uv", "venv", "--quiet", "--python", sys.executable, str(folder)],
                [
                    "uv",
                    "pip",
                    "install",
                    "--quiet",
                    "--python",
                    str(python),
                    "--require-hashes",
                    "-r",
                    str(REQUIREMENTS),
                ],
            ):
                run(command, env=environ, fix=fix, timeout_seconds=INSTALL_SECONDS)
        (folder / FINISHED).touch()
    return python


def run_scan(environ: Mapping[str, str], progress: Progress, arguments: Sequence[str] = ()) -> int:
    """pytest's exit code."""
    own = own_environment(environ)
    whole = {**own, "FLEET_SCAN_TESTS": "1", "FLEET_SCAN_PYTHON": str(scan_python(own, progress))}
    if promtool := find_promtool(own, cache_folder(own), progress):
        whole["FLEET_PROMTOOL"] = str(promtool)
    return run_visibly([sys.executable, "-m", "pytest", "-m", MARKED, *arguments], env=whole, cwd=str(ROOT))
