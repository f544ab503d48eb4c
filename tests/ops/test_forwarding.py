"""Ports on loopback, with a `kubectl` that serves what the web layer would."""

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from fleet.errors import FleetError
from ops import forwarding
from ops.forwarding import keep_forward, listens, read_keeper
from ops.observing import web_answers
from ops.target import Target
from tests.ops.conftest import Programs

SERVING = """
import http.server
local = next(word for word in words if word.partition(":")[2].isdigit()).partition(":")[0]
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(local)), Answer).serve_forever()
"""


@pytest.fixture
def served(programs: Programs, target: Target) -> Iterator[Target]:
    """A target whose kubectl forwards, and nothing of it left behind."""
    programs.write("kubectl", SERVING)
    yield target
    forwarding.end_all(target.folder)


def kept(target: Target) -> int:
    return keep_forward(target, "web", 80, preferred=forwarding.free_port(), answers=web_answers)


def test_a_forward_stays_for_the_next_command(served: Target, programs: Programs) -> None:
    """`make status` after `make up` finds the same address, and starts nothing."""
    first = kept(served)
    assert kept(served) == first
    assert len(programs.calls("kubectl")) == 1


def test_a_forward_leads_from_loopback_alone(served: Target, programs: Programs) -> None:
    """Nothing listens on the machine's own addresses."""
    port = kept(served)
    [call] = programs.calls("kubectl")
    assert call[-4:] == ["--address", "127.0.0.1", "service/web", f"{port}:80"]


def test_a_forward_whose_pod_went_away_comes_back(served: Target) -> None:
    """A rolling update of the web layer does not end its address."""
    port = kept(served)
    keeper = read_keeper(served.folder / "web.forward.json")
    assert keeper is not None
    [kubectl] = psutil.Process(keeper.pid).children()
    kubectl.kill()
    deadline = time.monotonic() + 10
    while not (listens(port) and web_answers(port)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_keeper_holds_nothing_open_of_the_command_that_started_it(served: Target) -> None:
    """A lock or a pipe that `make up` was given is free again when `make up` ends, not when the fleet does."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        kept(served)
    finally:
        os.close(writing)
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b""


def test_a_keeper_that_was_killed_is_replaced(served: Target) -> None:
    """Neither a dead keeper nor the kubectl it left behind stands in the way."""
    kept(served)
    file = served.folder / "web.forward.json"
    keeper = read_keeper(file)
    assert keeper is not None
    [orphan] = psutil.Process(keeper.pid).children()
    os.kill(keeper.pid, signal.SIGKILL)
    os.waitpid(keeper.pid, 0)
    assert web_answers(kept(served))
    assert not orphan.is_running()


def test_ending_leaves_no_process_and_no_file(served: Target) -> None:
    """After `make down` nothing of ours listens."""
    port = kept(served)
    keeper = read_keeper(served.folder / "web.forward.json")
    assert keeper is not None
    processes = [psutil.Process(keeper.pid), *psutil.Process(keeper.pid).children()]
    forwarding.end_all(served.folder)
    assert not [process for process in processes if process.is_running()]
    assert not listens(port)
    assert not list(served.folder.glob("*.forward.json"))


def test_another_cluster_s_forward_is_not_taken(served: Target) -> None:
    """The address printed for a cluster leads to that cluster."""
    kept(served)
    first = read_keeper(served.folder / "web.forward.json")
    other = Target(context="own", environ=served.environ, plan=served.plan, folder=served.folder, root=served.root)
    kept(other)
    second = read_keeper(served.folder / "web.forward.json")
    assert first is not None
    assert second is not None
    assert first.pid != second.pid
    assert "own" in second.command


def test_a_file_of_ours_that_was_cut_off_is_no_error(target: Target) -> None:
    """A machine that lost power gives a fresh start."""
    (target.folder / "web.forward.json").write_text('{"pid": 1')
    assert read_keeper(target.folder / "web.forward.json") is None
    forwarding.end_all(target.folder)


def test_a_service_without_pods_is_told_in_kubectl_s_words(programs: Programs, target: Target) -> None:
    """The reason reaches the person."""
    programs.write("kubectl", """sys.exit("error: timed out waiting for the condition")""")
    with (
        pytest.raises(FleetError, match="timed out waiting for the condition"),
        forwarding.forwarded(target, "broker", 15672),
    ):
        pass
