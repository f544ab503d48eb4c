"""Fakes at the edge of this room: `pulumi` and `kubectl` as small scripts on a PATH of the test's own.

Each fake notes its calls in `calls.jsonl` beside it, so a test asserts on what a real program would have been asked.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.target import ROOT, Target, load_local_plan

HEADER = f"""#!{sys.executable}
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (here / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([pathlib.Path(__file__).name, *words]) + "\\n")
def event(**body): print(json.dumps(body), flush=True)
"""


@dataclass(frozen=True)
class Programs:
    """Programs that stand in for the real ones."""

    folder: Path

    def write(self, name: str, body: str) -> None:
        """A fake program; `words` holds its arguments, `here` its folder."""
        file = self.folder / name
        file.write_text(HEADER + body)
        file.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        """What the program was called with, in order."""
        file = self.folder / "calls.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [words[1:] for words in map(json.loads, lines) if words[0] == name]


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """An empty folder for fakes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder)


@pytest.fixture
def target(programs: Programs, tmp_path: Path) -> Target:
    """The local fleet on a cluster that only the fakes know."""
    state = tmp_path / "state"
    state.mkdir()
    return Target(
        context=None,
        environ={"PATH": f"{programs.folder}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        plan=load_local_plan(ROOT),
        folder=state,
        root=tmp_path,
    )


@pytest.fixture
def dead_pid() -> int:
    """The number of a process that has ended."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


Kubernetes = Callable[..., dict[str, object]]


@pytest.fixture
def deployment() -> Kubernetes:
    """Makes a Deployment as the API server shows it."""

    def make(name: str, *, wanted: int, ready: int, available: str = "True") -> dict[str, object]:
        return {
            "kind": "Deployment",
            "metadata": {"name": name, "generation": 3},
            "spec": {"replicas": wanted},
            "status": {
                "observedGeneration": 3,
                "readyReplicas": ready,
                "availableReplicas": ready,
                "conditions": [{"type": "Available", "status": available}],
            },
        }

    return make
