"""The supervisor, run as an ordinary process with harmless components."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

PATIENCE_SECONDS = 15.0


class Supervised:
    """A supervisor at work and what it says about itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, *components: dict[str, Any]) -> None:
        document = {
            "logs": str(self.folder), "status": str(self.folder / "status.json"),
            "api_server": "https://127.0.0.1:1", "authority": "", "components": components,
        }  # fmt: skip
        (self.folder / "node.json").write_text(json.dumps(document))

    def start(self) -> None:
        code = (
            "import sys; from pathlib import Path; from sandbox.supervisor import Supervisor;"
            "Supervisor(Path(sys.argv[1])).run()"
        )
        self.process = subprocess.Popen([sys.executable, "-c", code, str(self.folder / "node.json")])

    def status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.folder / "status.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def until(self, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not what(self.status()):
            assert time.monotonic() < deadline, self.status()
            time.sleep(0.05)
        return self.status()


def component(name: str, *command: str, **settings: Any) -> dict[str, Any]:
    return {
        "name": name, "command": command, "environment": {"PATH": os.environ["PATH"]},
        "needs_files": (), "needs_api": False, "stand_in": False,
    } | settings  # fmt: skip


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    one = Supervised(tmp_path)
    yield one
    if one.process is not None:
        children = psutil.Process(one.process.pid).children(recursive=True)
        one.process.terminate()
        one.process.wait(timeout=PATIENCE_SECONDS)
        for child in children:
            if child.is_running():
                child.kill()


def test_a_killed_component_is_started_again(supervised: Supervised) -> None:
    """A component that dies comes back under another number, and it is counted."""
    supervised.write(component("sleeper", "sleep", "60"))
    supervised.start()
    first = supervised.until(lambda found: bool(found.get("sleeper", {}).get("pid")))["sleeper"]["pid"]
    os.kill(first, signal.SIGKILL)
    again = supervised.until(lambda found: found["sleeper"]["pid"] not in {None, first})["sleeper"]
    assert again["restarts"] == 1
    assert again["last_exit"] == "signal 9"


def test_a_component_that_cannot_run_is_tried_ever_less_often(supervised: Supervised) -> None:
    """It neither stops the others nor keeps a processor busy."""
    supervised.write(component("broken", "false"), component("sleeper", "sleep", "60"))
    supervised.start()
    found = supervised.until(lambda found: found.get("broken", {}).get("restarts", 0) >= 2)
    assert found["broken"]["last_exit"] == "exit code 1"
    assert found["sleeper"]["pid"]
    time.sleep(1.0)
    assert supervised.status()["broken"]["restarts"] <= 3


def test_a_component_waits_for_its_files(supervised: Supervised, tmp_path: Path) -> None:
    """It starts when they are there, not before."""
    needed = tmp_path / "socket"
    supervised.write(component("waiting", "sleep", "60", needs_files=(str(needed),)), component("other", "sleep", "60"))
    supervised.start()
    assert supervised.until(lambda found: bool(found.get("other", {}).get("pid")))["waiting"]["pid"] is None
    needed.touch()
    supervised.until(lambda found: bool(found["waiting"]["pid"]))


def test_a_changed_component_alone_starts_anew(supervised: Supervised) -> None:
    """On SIGHUP the document is read again; what did not change keeps running."""
    supervised.write(component("kept", "sleep", "60"), component("changed", "sleep", "60"))
    supervised.start()
    first = supervised.until(lambda found: len(found) == 2 and all(one["pid"] for one in found.values()))
    supervised.write(component("kept", "sleep", "60"), component("changed", "sleep", "61"))
    assert supervised.process is not None
    supervised.process.send_signal(signal.SIGHUP)
    second = supervised.until(lambda found: found["changed"]["pid"] not in {None, first["changed"]["pid"]})
    assert second["kept"]["pid"] == first["kept"]["pid"]
