"""Prometheus's own checker of rules, from Debian's package, for the tests of the alerts.

Invariant: nothing is installed on the machine. The package is unpacked into the project's cache folder, named by its version, and `make clean` drops
it with the other caches; one that is on PATH already is taken as it is.
Source: Debian package `prometheus` (`/usr/bin/promtool`; the program is linked against the C library alone).
"""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ops.processes import ProgramError, run
from ops.progress import Progress

PACKAGE = "prometheus"
PROGRAM = "promtool"
DOWNLOAD_SECONDS = 300.0


def find_promtool(environ: Mapping[str, str], cache: Path, progress: Progress) -> Path | None:
    """The program; None where there is none and no apt to get it from.

    Raises: FleetError when apt is there and fails, with its own words.
    """
    if found := shutil.which(PROGRAM, path=environ.get("PATH")):
        return Path(found)
    if shutil.which("apt-get", path=environ.get("PATH")) is None:
        return None
    version = _candidate(environ)
    program = cache / f"{PROGRAM}-{re.sub(r'[^A-Za-z0-9.+~-]', '_', version)}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with progress.step(f"Fetching {PROGRAM} {version} (once)"), tempfile.TemporaryDirectory(dir=cache) as folder:
            _unpack(environ, version, Path(folder), program)
    return program


def _candidate(environ: Mapping[str, str]) -> str:
    """The version that apt would install."""
    said = run(
        ["apt-cache", "policy", PACKAGE],
        env={**environ, "LC_ALL": "C.UTF-8"},
        fix="Run it by hand.",
        timeout_seconds=DOWNLOAD_SECONDS,
    )
    found = re.search(r"Candidate: (\S+)", said)
    if found is None or found[1] == "(none)":
        raise ProgramError(
            f"apt-cache policy {PACKAGE}",
            "knows no version of it",
            "Run `apt-get update`, then the same command again.",
        )
    return found[1]


def _unpack(environ: Mapping[str, str], version: str, folder: Path, program: Path) -> None:
    fix = "See whether Debian's mirror can be reached (apt-get update), then run: make scan"
    # As root apt would download as a user of its own, which sees nothing of a private cache folder.
    run(
        ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", f"{PACKAGE}={version}"],
        env=environ,
        fix=fix,
        timeout_seconds=DOWNLOAD_SECONDS,
        cwd=str(folder),
    )
    archive = next(folder.glob(f"{PACKAGE}_*.deb"))
    run(["dpkg-deb", "-x", str(archive), "unpacked"], env=environ, fix=fix, cwd=str(folder))
    # By one rename, so that what is in the cache is whole.
    (folder / "unpacked" / "usr" / "bin" / PROGRAM).replace(program)
