"""Asks `python -m app.dead_letters`, in a process of its own: nothing here imports Celery or knows AMQP.

Invariant: whatever ends the command, the process is told once and waited for, so that it ends between two letters and says what it did.
"""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable

import msgspec

from fleet.dead_letters import LetterAnswer, LetterRequest, Progress
from fleet.errors import FleetError
from fleet.subprocesses import project_environment


def ask_dead_letters(request: LetterRequest, tell: Callable[[Progress], None]) -> LetterAnswer:
    """The answer; `tell` hears how far it is.

    Raises: FleetError with what the process says is wrong, or when it ends without a word.
    """
    process = subprocess.Popen(
        # -P: a package `app` in the working directory is the user's, not the one that is meant.
        [sys.executable, "-P", "-m", "app.dead_letters"],
        env=project_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C reaches the terminal's whole group; the process hears of it from here, once.
        process_group=0,
    )
    with process:
        try:
            return _converse(process, request, tell)
        except BaseException:
            process.kill()
            raise


def _converse(
    process: "subprocess.Popen[bytes]", request: LetterRequest, tell: Callable[[Progress], None]
) -> LetterAnswer:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no pipes")
    # One that ended before it read says why on its output, or by its silence.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(msgspec.json.encode(request))
        process.stdin.close()
    last = None
    while True:
        try:
            for line in process.stdout:
                last = msgspec.json.decode(line, type=LetterAnswer)
                if last.progress is not None:
                    tell(last.progress)
            break
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
        except msgspec.DecodeError:
            last = None
            break
    if last is None or last.progress is not None:
        raise FleetError(
            "python -m app.dead_letters",
            f"ended without an answer (exit code {process.wait()})",
            "What it wrote above says why; letters that it had read are back in their queue.",
        )
    if last.error is not None:
        raise FleetError(last.error.where, last.error.problem, last.error.fix)
    return last
