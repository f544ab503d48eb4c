"""The offline scan: checkov over everything that the programs would make, without a cluster or an account, promtool over the alerts, zizmor and actionlint
over the workflows, and the licences and parts of what is shipped.

Invariant: checkov pins packages that the rest of the project needs newer, so the scanners live in an environment of their own in the project's cache
folder, named by the hash of its requirements: one that was only half installed is made anew, and `make clean` drops it with the other
caches. actionlint is a Go program, built once from its pinned module where there is a Go compiler.
Source: the XDG base directory specification; `FLEET_CACHE_DIR` overrides it, as it does for the sandbox.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ops.processes import run, run_visibly
from ops.progress import Progress
from ops.promtool import find_promtool
from ops.target import ROOT
from ops.testing import environment_of_tests

MARKED = "scan"
REQUIREMENTS = ROOT / "requirements" / "scan.txt"
FINISHED = "installed"
"""Written last: an environment without it is no environment."""

INSTALL_SECONDS = 600.0

AUDITED = ("app", "infra")
"""Groups of requirements: what runs in the containers, and what runs with credentials of an account."""

ACTIONLINT = ROOT / "requirements" / "actionlint"
"""Its go.mod and go.sum."""

ACTIONLINT_PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
ACTIONLINT_VARIABLE = "FLEET_SCAN_ACTIONLINT"


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


def actionlint(environ: Mapping[str, str], progress: Progress) -> Path | None:
    """The program; built first where it is missing, and None where there is no Go to build it with.

    Raises: FleetError when the build fails, with Go's own words.
    """
    digest = hashlib.sha256(b"".join((ACTIONLINT / name).read_bytes() for name in ("go.mod", "go.sum"))).hexdigest()[
        :12
    ]
    cache = cache_folder(environ)
    program = cache / f"actionlint-{digest}" / "actionlint"
    if program.exists():
        return program
    if shutil.which("go", path=environ.get("PATH")) is None:
        return None
    unfinished = program.with_suffix(".new")
    with TemporaryDirectory(prefix="actionlint-") as folder, progress.step("Building actionlint (once)"):
        # Folders of its own: those of the sandbox's builds go when they are done.
        go = {
            "GOCACHE": f"{folder}/build", "GOMODCACHE": f"{folder}/mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        }  # fmt: skip
        run(
            ["go", "build", "-trimpath", "-o", str(unfinished), ACTIONLINT_PACKAGE],
            env={**environ, **go}, cwd=str(ACTIONLINT), timeout_seconds=INSTALL_SECONDS,
            fix="See whether Go's module proxy can be reached, then run: make scan",
        )  # fmt: skip
    unfinished.replace(program)
    return program


def run_scan(environ: Mapping[str, str], progress: Progress, arguments: Sequence[str] = ()) -> int:
    """pytest's exit code."""
    own = environment_of_tests(environ)
    whole = {**own, "FLEET_SCAN_TESTS": "1", "FLEET_SCAN_PYTHON": str(scan_python(own, progress))}
    if promtool := find_promtool(own, cache_folder(own), progress):
        whole["FLEET_PROMTOOL"] = str(promtool)
    if (program := actionlint(own, progress)) is not None:
        whole[ACTIONLINT_VARIABLE] = str(program)
    # A file's tests share the stacks that they look at.
    on_every_core = ("-n", str(os.cpu_count() or 1), "--dist", "loadfile")
    words = arguments or on_every_core
    return run_visibly([sys.executable, "-m", "pytest", "-m", MARKED, *words], env=whole, cwd=str(ROOT))


def audit(python: Path, environ: Mapping[str, str], root: Path) -> int:
    """pip-audit's exit code, over what is pinned for the images and for the program; it asks the Python Packaging Advisory Database.

    `python` is that of the scanners' environment.
    """
    files = [word for group in AUDITED for word in ("-r", f"requirements/{group}.txt")]
    command = [
        str(python.with_name("pip-audit")),
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner",
        "off",
        *files,
    ]
    code = run_visibly(command, env=environ, cwd=str(root))
    if code:
        sys.stderr.write(
            "make audit: known vulnerabilities, or no answer: it asks the package index, and is the one check that needs the network.\n"
        )
    return code
