"""What this room remembers between two commands: which cluster the last `up` was for, and the port forwards that it started.

The invariant: everything lies in one folder of the state folder, and removing it loses nothing but convenience.
Source: the XDG base directory specification; `FLEET_STATE_DIR` overrides it, as it does for the sandbox.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OWN_FOLDER = "ops"
TARGET_FILE = "target.json"
MONITORED_FILE = "monitored"


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of this room's own files, made when it is missing, readable by its owner alone."""
    if chosen := environ.get("FLEET_STATE_DIR"):
        root = Path(chosen).absolute()
    else:
        base = environ.get("XDG_STATE_HOME", "")
        # The specification says that a relative path is to be ignored.
        root = (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "celery-fleet"
    for folder in (root, root / OWN_FOLDER):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root / OWN_FOLDER


def read_record(path: Path) -> dict[str, Any]:
    """A JSON file of ours; empty when it is missing or was cut off while being written."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON file of ours whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(record))
    temporary.chmod(0o600)
    temporary.replace(path)


def remember_context(folder: Path, context: str | None) -> None:
    """Keep which cluster `up` was for; the commands after it mean the same one."""
    write_record(folder / TARGET_FILE, {"context": context})


def remembered_context(folder: Path) -> str | None:
    """The kubeconfig context of the last `up`, or None for the sandbox."""
    context = read_record(folder / TARGET_FILE).get("context")
    return context if isinstance(context, str) else None


def forget_context(folder: Path) -> None:
    """After `down` there is no cluster to mean."""
    (folder / TARGET_FILE).unlink(missing_ok=True)


def remember_monitored(folder: Path) -> None:
    """Keep that a Prometheus in the sandbox was asked for; every command after it means a fleet that is monitored."""
    (folder / MONITORED_FILE).touch(mode=0o600)


def is_monitored(folder: Path) -> bool:
    """Whether it was asked for since the sandbox began."""
    return (folder / MONITORED_FILE).exists()


def forget_monitored(folder: Path) -> None:
    """It ends with the sandbox."""
    (folder / MONITORED_FILE).unlink(missing_ok=True)
