"""Where a process of this project finds the project: `python -m app.…`, asked by commands that import nothing of it."""

import os
from pathlib import Path


def project_environment(*first: str) -> dict[str, str]:
    """The variables of a process that imports what this one does, and before that from the folders `first`."""
    here = Path(__file__).resolve().parents[1]
    search = [*first, *([] if here.name == "site-packages" else [str(here)]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))}
