"""How long `make up` takes: from nothing, with caches, and when everything is up.

Invariant: what is timed is the literal `make up` of a person, from its first to its last line. A cold start has a checkout, a virtual
environment, a Go and a package cache of its own in a temporary folder, so it neither uses nor empties the user's.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.running_fleet import ROOT

LONGEST_SECONDS = 2 * 60 * 60


def make(target: str, *, environment: Mapping[str, str] | None = None, root: Path = ROOT) -> float:
    """The seconds that one make target takes, with its output shown as it comes.

    Raises: SystemExit when the target fails.
    """
    begin = time.monotonic()
    done = subprocess.run(
        ["make", "--no-print-directory", target], cwd=root, env=dict(environment or os.environ),
        timeout=LONGEST_SECONDS, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise SystemExit(f"`make {target}` failed with exit code {done.returncode}; nothing was recorded")
    return seconds


def cold() -> dict[str, float]:
    """`make up` of a fresh clone with every cache empty. Nothing may run: the sandbox's addresses and both cores belong to it."""
    make("down")
    with tempfile.TemporaryDirectory(prefix="cold-start-", dir=_roomy_folder()) as folder:
        root = Path(folder) / "celery-fleet"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(root)], check=True)
        environment = {
            **os.environ,
            "XDG_CACHE_HOME": f"{folder}/cache",
            "XDG_STATE_HOME": f"{folder}/state",
            "GOPATH": f"{folder}/go",
            # Module files are read-only otherwise, and the folder could not be removed.
            "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip(),
            "PIP_CACHE_DIR": f"{folder}/cache/pip",
            "UV_CACHE_DIR": f"{folder}/cache/uv",
        }
        for inherited in ("FLEET_CACHE_DIR", "FLEET_STATE_DIR", "GOCACHE", "GOMODCACHE", "VIRTUAL_ENV"):
            environment.pop(inherited, None)
        try:
            seconds = make("up", environment=environment, root=root)
            make("down", environment=environment, root=root)
        finally:
            shutil.rmtree(f"{folder}/go", ignore_errors=True)
    return {"cold_up_seconds": round(seconds, 1)}


def _roomy_folder() -> str | None:
    """Where a cold start builds: TMPDIR when it is set; /var/tmp rather than a /tmp that may be memory."""
    return None if "TMPDIR" in os.environ else "/var/tmp"  # noqa: S108 a private folder is made inside it


def warm() -> dict[str, float]:
    """`make up` with caches present and nothing running."""
    make("down")
    return {"warm_up_seconds": round(make("up"), 1)}


def second() -> dict[str, float]:
    """`make up` of what is up already."""
    make("up")
    return {"second_up_seconds": round(make("up"), 1)}
