"""Programs that run side by side, each waited for by a thread of its own.

Python tells the main thread alone of a signal, so a thread that waits for a program learns nothing of it. Invariant: when the body ends, however it ends,
none of the programs runs any more; each is asked by SIGINT, as a terminal would, and killed where it does not follow.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from ops.processes import ProgramError, shown, terminated

PATIENCE_SECONDS = 15.0
"""Longer than the engine gives its plugins: five seconds each way (pulumi `sdk/go/common/util/cmdutil/child_unix.go`)."""

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


class SideBySide:
    """Any number of programs at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = set[subprocess.Popen[str]]()
        self._over = False

    def __enter__(self) -> "SideBySide":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._over = True
            left = list(self._running)
        _end(left)

    def run(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        fix: str,
        timeout_seconds: float | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """A program, waited for; what its exit code means is for the caller to say.

        Raises: ProgramError when it is missing or takes longer than `timeout_seconds`, KeyboardInterrupt when the body has ended meanwhile.
        """
        with self._started(arguments, env, cwd) as process:
            try:
                output, said = process.communicate(timeout=timeout_seconds)
            except subprocess.TimeoutExpired:
                raise ProgramError(shown(arguments), f"no answer within {timeout_seconds:.0f} s", fix) from None
            finally:
                _end([process])
                with self._lock:
                    self._running.discard(process)
        if self._over:
            raise KeyboardInterrupt
        return subprocess.CompletedProcess(arguments, process.returncode, output, said)

    def _started(self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path) -> "subprocess.Popen[str]":
        with self._lock:
            if self._over:
                raise KeyboardInterrupt
            try:
                process = subprocess.Popen(
                    arguments, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True,
                    # A group of its own: Ctrl-C comes from us, once, and to all that the program has started itself.
                    process_group=0,
                )  # fmt: skip
            except FileNotFoundError:
                raise ProgramError(
                    shown(arguments), f"{arguments[0]} is not installed", f"Put {arguments[0]} on PATH."
                ) from None
            self._running.add(process)
            return process


def _end(processes: Sequence["subprocess.Popen[str]"]) -> None:
    for process in processes:
        _tell(process, signal.SIGINT)
    for process in processes:
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            _tell(process, signal.SIGKILL)
            process.wait()


def _tell(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


@contextlib.contextmanager
def interrupted_once() -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends the body; those that follow (`make` hands on what it got as well) do not disturb what it leaves in order."""

    def first(number: int, frame: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        terminated(number, frame)

    before = {number: signal.getsignal(number) for number in INTERRUPTIONS}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, first)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
