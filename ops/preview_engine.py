"""The engine that a preview is made with: the user's own against the real state, or one behind which everything is imagined.

Invariant: which one it was is said with every preview; a stack's own state is only ever read. Where everything is imagined there is no state, so the
base of the change is brought up first, and the engine compares with that: what it then calls updated or replaced is its own and its plugins' word.
Source: Pulumi docs, "Environment variables" (`PULUMI_ENABLE_STREAMING_JSON_PREVIEW`: one event a line).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from fleet.errors import FleetError
from ops.engine_events import EngineRun
from ops.processes import ProgramError, last_lines, shown
from ops.sandbox_cli import parse_exports
from ops.side_by_side import SideBySide
from ops.stack_files import EKS

NOT_HANDED_ON = ("FLEET_", "PULUMI_", "AWS_", "KUBE")
"""Beginnings of variables that mean a stack, an account or a cluster of the user's own."""

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
"""Any of these says that AWS is meant. Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers"."""

SECRETS_KEYS = ("encryptionsalt", "secretsprovider", "encryptedkey")
"""Of a stack's file: they seal its secrets for people who hold the key."""

PLACEHOLDERS = {
    "celery-fleet:resultsPassword": "imagined-password-of-a-preview",
    "celery-fleet:webTokens": "imagined:token-of-a-preview-0000",
}
"""What stands for sealed values that have a form of their own."""

PLACEHOLDER = "imagined"
FIX = "Run it by hand."
ENGINE_SECONDS = 1200.0
INIT_SECONDS = 120.0
BUILD_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine, ready for every stack of this run."""

    environ: Mapping[str, str] = field(repr=False)
    imagined: bool
    stood_in: tuple[str, ...]
    """One line for each thing that is not the real one."""
    programs: SideBySide = field(repr=False)
    """What runs it."""


@dataclass(frozen=True, kw_only=True)
class Previewed:
    """What the engine said of one stack."""

    events: str
    """One event a line; may end in an error."""
    succeeded: bool
    said: str
    """What the CLI wrote to standard error."""


def has_own_engine(target: str, environ: Mapping[str, str]) -> bool:
    """Whether a stack can be previewed against what is really there: the user's `pulumi`, and credentials for AWS."""
    credentials = any(environ.get(name) for name in CREDENTIALS)
    return target == EKS and credentials and shutil.which("pulumi", path=environ.get("PATH", os.defpath)) is not None


def own_engine(environ: Mapping[str, str], programs: SideBySide) -> Engine:
    """The user's own."""
    return Engine(environ=dict(environ), imagined=False, stood_in=(), programs=programs)


def imagined_engine(environ: Mapping[str, str], root: Path, folder: Path, programs: SideBySide) -> Engine:
    """One that keeps everything below `folder`.

    Raises: ProgramError when there is no Pulumi CLI and none can be built.
    """
    handed_on = {name: value for name, value in environ.items() if not name.startswith(NOT_HANDED_ON)}
    command = [sys.executable, "-m", "sandbox", "imagine", str(folder)]
    cache = {name: environ[name] for name in ("FLEET_CACHE_DIR",) if name in environ}
    fix = "Put `pulumi` on PATH."
    done = programs.run(command, env={**handed_on, **cache}, cwd=root, fix=fix, timeout_seconds=BUILD_SECONDS)
    if done.returncode != 0:
        raise ProgramError("python -m sandbox imagine", done.stderr.strip(), fix)
    password = {"FLEET_RESULTS_PASSWORD": PLACEHOLDERS["celery-fleet:resultsPassword"]}
    stood_in = tuple(line for line in done.stderr.splitlines() if line.startswith("stand-in for "))
    found = {**handed_on, **parse_exports(done.stdout), **password}
    return Engine(environ=found, imagined=True, stood_in=stood_in, programs=programs)


def open_settings(settings: Path) -> None:
    """Take the seals off a copy of a stack's file: placeholders stand for what only the key's holders can read."""
    document = yaml.safe_load(settings.read_text()) or {}
    for key in SECRETS_KEYS:
        document.pop(key, None)
    document["config"] = {key: _opened(key, value) for key, value in (document.get("config") or {}).items()}
    settings.write_text(yaml.safe_dump(document, sort_keys=False))


def _opened(key: str, value: object) -> object:
    if isinstance(value, dict):
        if value.keys() == {"secure"}:
            return PLACEHOLDERS.get(key, PLACEHOLDER)
        return {name: _opened(f"{key}.{name}", inner) for name, inner in value.items()}
    return [_opened(key, item) for item in value] if isinstance(value, list) else value


def start_stack(engine: Engine, project: Path, stack: str) -> None:
    """A state for a stack, which nothing has been deployed to."""
    command = ["pulumi", "stack", "init", stack, "--non-interactive", "--no-select"]
    done = _run(engine, project, command, seconds=INIT_SECONDS)
    if done.returncode != 0:
        raise ProgramError(shown(command), last_lines(done.stderr or done.stdout, done.returncode), FIX, done.stderr)


def carry_salt(base: Path, head: Path) -> None:
    """Let a copy of a stack's file speak of the same state as another one does."""
    salt = (yaml.safe_load(base.read_text()) or {}).get("encryptionsalt")
    document = yaml.safe_load(head.read_text()) or {}
    head.write_text(yaml.safe_dump({**document, "encryptionsalt": salt}, sort_keys=False))


def bring_up(engine: Engine, project: Path, stack: str) -> None:
    """Deploy a stack of imagined resources.

    Raises: FleetError with every error of the engine.
    """
    command = ["pulumi", "up", "--stack", stack, "--yes", "--skip-preview", "--non-interactive", "--json"]
    done = _run(engine, project, command)
    if done.returncode != 0:
        told = EngineRun()
        for line in done.stdout.splitlines():
            told.read(line)
        errors = [error.text for error in told.told_errors()] or [done.stderr.strip()]
        raise FleetError(f"{stack} of the base", "\n  ".join(errors), "Name a base that can be deployed.")


def preview(engine: Engine, project: Path, stack: str, *, policy: bool = True) -> Previewed:
    """`pulumi preview`, with the project's policy pack unless what that costs is the question."""
    command = ["pulumi", "preview", "--stack", stack, "--json", "--show-sames", "--non-interactive"]
    pack = ["--policy-pack", str(project / "policy")] if policy else []
    done = _run(engine, project, [*command, *pack], PULUMI_ENABLE_STREAMING_JSON_PREVIEW="true")
    return Previewed(events=done.stdout, succeeded=done.returncode == 0, said=done.stderr)


def _run(
    engine: Engine, project: Path, command: Sequence[str], *, seconds: float = ENGINE_SECONDS, **further: str
) -> "subprocess.CompletedProcess[str]":
    """A command of the CLI; `further` are variables of it alone."""
    # The program's modules come from the project that is run, not from where this command is installed.
    own = {"PYTHONPATH": str(project)} if engine.imagined else {}
    environ = {**engine.environ, **own, **further}
    return engine.programs.run(command, env=environ, cwd=project, fix=FIX, timeout_seconds=seconds)
