"""The sandbox as this room sees it: a command line that starts and stops it and prints the variables to work with it."""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleet.errors import FleetError
from ops.processes import run, run_visibly

NAME_VARIABLE = "FLEET_SANDBOX_NAME"
"""Names another sandbox than the default one; the sandbox's own `env` sets it, so a shell stays with its sandbox."""

STATUS_SECONDS = 30.0

MONITOR_SECONDS = 900.0
"""Its image is made first, once."""


def command(environ: Mapping[str, str], *words: str) -> list[str]:
    """The command line of one of the sandbox's commands, with this Python."""
    name = environ.get(NAME_VARIABLE)
    return [sys.executable, "-m", "sandbox", *words, *(("--name", name) if name else ())]


def start(environ: Mapping[str, str], root: Path) -> None:
    """Start the sandbox, or what is missing of it; it shows its own progress.

    Raises: SystemExit with the sandbox's exit code when it refuses or fails, because it has said why.
    """
    if code := run_visibly(command(environ, "up"), env=environ, cwd=str(root)):
        raise SystemExit(code)


def stop(environ: Mapping[str, str], root: Path, *, with_caches: bool = False) -> None:
    """Stop the sandbox, leaving nothing behind; `with_caches` drops what was built too."""
    if code := run_visibly(command(environ, "clean" if with_caches else "down"), env=environ, cwd=str(root)):
        raise SystemExit(code)


def monitor(environ: Mapping[str, str], root: Path, files: Mapping[str, Mapping[str, str]]) -> None:
    """Start a Prometheus with these files (folder -> name -> text), or give them to the one that runs.

    Raises: ProgramError with the sandbox's own words.
    """
    run(
        command(environ, "monitoring"),
        env=environ,
        cwd=str(root),
        stdin=json.dumps(files),
        fix="Run the same command again; it goes on from where it stopped.",
        timeout_seconds=MONITOR_SECONDS,
    )


def read_status(environ: Mapping[str, str], root: Path) -> dict[str, Any]:
    """What `python -m sandbox status --json` says."""
    text = run(
        command(environ, "status", "--json"),
        env=environ,
        cwd=str(root),
        fix="Run: python -m sandbox status",
        timeout_seconds=STATUS_SECONDS,
        # The exit code tells a shell whether the sandbox is ready; the document tells more.
        accepted=(0, 1),
    )
    try:
        status = json.loads(text)
    except ValueError:
        raise FleetError(
            "python -m sandbox status", "printed no JSON", "Run it by hand to see what is wrong."
        ) from None
    return status if isinstance(status, dict) else {}


def variables(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """The variables that `python -m sandbox env` prints."""
    text = run(
        command(environ, "env"),
        env=environ,
        cwd=str(root),
        fix="Run: python -m sandbox env",
        timeout_seconds=STATUS_SECONDS,
    )
    return parse_exports(text)


def parse_exports(text: str) -> dict[str, str]:
    """Variable -> value of `export NAME=value` lines, unquoted as a shell would."""
    words = shlex.split(text)
    return dict(word.split("=", 1) for word in words if word != "export" and "=" in word)
