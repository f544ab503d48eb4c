"""The memory of the running fleet while `make demo` loads it: control plane, broker, workers, everything of the sandbox's node.

Invariant: a page that several processes share counts once (proportional set size), the page cache of files that nobody has mapped not at
all: the kernel gives it back when somebody asks. Builds run outside the node and are not in the figure.
Source: Linux `Documentation/filesystems/proc.rst`, `smaps_rollup`.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from bench.starts import make
from tests.cluster.running_fleet import ROOT

SAMPLE_SECONDS = 3.0


def node_supervisor() -> int:
    """Process number of the node's supervisor; everything of the node descends from it."""
    printed = subprocess.run(
        [sys.executable, "-m", "sandbox", "status", "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    status = json.loads(printed.stdout or "{}")
    if "supervisor_pid" not in status:
        raise SystemExit("no sandbox is running; `make up` starts one")
    return int(status["supervisor_pid"])


def node_bytes(supervisor: int) -> int:
    """Proportional set size of the supervisor and all its descendants."""
    root = psutil.Process(supervisor)
    total = 0
    for process in [root, *root.children(recursive=True)]:
        # A process may end between being listed and being read.
        with suppress(psutil.Error, FileNotFoundError, ProcessLookupError):
            total += process.memory_full_info().pss
    return total


@contextmanager
def watching(supervisor: int) -> Iterator[list[int]]:
    """A list that grows by one sample every three seconds while the block runs."""
    samples = [node_bytes(supervisor)]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            samples.append(node_bytes(supervisor))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def memory() -> dict[str, float]:
    """The largest sample during `make demo`, and the one before it began."""
    with watching(node_supervisor()) as samples:
        begin = time.monotonic()
        make("demo")
        seconds = time.monotonic() - begin
    mebibytes = [size / 2**20 for size in samples]
    return {
        "peak_memory_mib": round(max(mebibytes)),
        "idle_memory_mib": round(mebibytes[0]),
        "demo_seconds": round(seconds, 1),
    }
