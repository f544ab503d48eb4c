"""The Pulumi engine at work on the stack: up, destroy, and what makes them continue after an interruption.

The invariant: the program sees the same environment as in `make shell`, nothing is written into the work tree, and a run of the engine that was
asked to stop is waited for, because a run that is killed leaves operations behind whose outcome it does not know.
"""

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import IO

from fleet.errors import FleetError
from ops import recovery
from ops.engine_events import EngineMessage, EngineRun
from ops.processes import INTERRUPTS_BEFORE_KILL, ProgramError, run
from ops.progress import Progress, Step
from ops.target import STACK, Target

FLAGS = ("--stack", STACK, "--yes", "--skip-preview", "--non-interactive", "--json", "--suppress-permalink")
SHORT_SECONDS = 60.0
"""Bound on commands that only read or write the stack's state."""

SHORT_FIX = "Run it by hand in `make shell` to see more."

REDRAW_SECONDS = 0.25
STOPPING = "stopping once this has finished (Ctrl-C again: at once)"

LOCK_ATTEMPTS = 3
"""Another run may have to be waited for, and its lock taken away after it died."""


class EngineError(FleetError):
    """The engine failed; the message holds every error it reported."""


def pulumi(target: Target, *words: str, stdin: str | None = None) -> str:
    """What a short command of the CLI prints."""
    return run(
        ["pulumi", *words, "--stack", STACK, "--non-interactive"],
        env=target.environ,
        stdin=stdin,
        cwd=str(target.root),
        fix=SHORT_FIX,
        timeout_seconds=SHORT_SECONDS,
    )


def ensure_stack(target: Target, progress: Progress) -> None:
    """Make the stack if there is none, and put in order what an interrupted run left in its state."""
    try:
        exported = pulumi(target, "stack", "export")
    except ProgramError as error:
        if "no stack named" not in error.said:
            raise
        run(
            ["pulumi", "stack", "init", STACK, "--non-interactive", "--no-select"],
            env=target.environ,
            cwd=str(target.root),
            fix=SHORT_FIX,
            timeout_seconds=SHORT_SECONDS,
        )
        return
    recovery.settle_pending(target, exported, progress, lambda edited: _restore(target, edited, progress))


def _restore(target: Target, state: str, progress: Progress) -> None:
    """Put an edited state back, past the lock of the run that was interrupted."""
    for attempt in range(LOCK_ATTEMPTS):
        try:
            pulumi(target, "stack", "import", stdin=state)
        except ProgramError as error:
            if attempt == LOCK_ATTEMPTS - 1 or not take_away_lock(target, error.said, progress):
                raise
        else:
            return


def take_away_lock(target: Target, said: str, progress: Progress) -> bool:
    """Whether the stack was locked and another attempt is worth it."""
    return recovery.take_away_lock(said, progress, lambda: pulumi(target, "cancel", "--yes"))


def deploy(target: Target, progress: Progress) -> EngineRun:
    """`pulumi up`, continued where an earlier run stopped."""
    ensure_stack(target, progress)
    return run_engine(target, progress, "up", label="pulumi up")


def destroy(target: Target, progress: Progress, *, timeout_seconds: float | None = None) -> EngineRun:
    """`pulumi destroy`: every resource of the stack and nothing else.

    Raises: EngineError when it fails or, with a bound, is not done in time.
    """
    ensure_stack(target, progress)
    return run_engine(target, progress, "destroy", label="pulumi destroy", timeout_seconds=timeout_seconds)


def run_engine(
    target: Target,
    progress: Progress,
    verb: str,
    *words: str,
    label: str,
    timeout_seconds: float | None = None,
) -> EngineRun:
    """One run of the engine, its progress shown, its errors told in full; a stale lock of this machine is taken away."""
    for attempt in range(LOCK_ATTEMPTS):
        with progress.step(label) as step:
            done, code, said = _attempt(target, step, ["pulumi", verb, *FLAGS, *words], timeout_seconds)
        if code == 0:
            for warning in done.warnings:
                progress.say(f"warning: {shown_message(warning)}")
            return done
        last = attempt == LOCK_ATTEMPTS - 1
        if not last and take_away_lock(target, said, progress):
            continue
        raise EngineError(f"pulumi {verb}", failure(done, said, code), _fix(verb))
    raise AssertionError("the last attempt returns or raises")


def _fix(verb: str) -> str:
    return f"Put it right and run `make {'down' if verb == 'destroy' else 'up'}` again: it continues from here."


def _attempt(
    target: Target, step: Step, command: list[str], timeout_seconds: float | None
) -> tuple[EngineRun, int, str]:
    """The run, its exit code, and what the CLI itself said on standard error."""
    done, said = EngineRun(), list[str]()
    try:
        process = subprocess.Popen(
            command,
            env=dict(target.environ),
            cwd=target.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A group of its own: Ctrl-C comes from us, once, and not from the terminal to the engine and all its plugins.
            process_group=0,
        )
    except FileNotFoundError:
        raise ProgramError("pulumi", "is not installed", "Put pulumi on PATH, or leave CONTEXT out.") from None
    readers = [
        threading.Thread(target=_read, args=(process.stdout, done.read)),
        threading.Thread(target=_read, args=(process.stderr, said.append)),
    ]
    for reader in readers:
        reader.start()
    code = _wait(process, step, done, timeout_seconds)
    for reader in readers:
        reader.join()
    return done, code, "".join(said)


def _read(stream: IO[str] | None, take: Callable[[str], object]) -> None:
    with stream or nullcontext(()) as lines:
        for line in lines:
            take(line)


def _wait(process: "subprocess.Popen[str]", step: Step, done: EngineRun, timeout_seconds: float | None) -> int:
    deadline = time.monotonic() + timeout_seconds if timeout_seconds else None
    interrupts = 0
    while True:
        try:
            code = process.wait(REDRAW_SECONDS)
        except subprocess.TimeoutExpired:
            step.note(f"{STOPPING}: {done.detail}" if interrupts else done.detail)
            if deadline is not None and time.monotonic() > deadline:
                deadline = None
                process.send_signal(signal.SIGINT)
        except KeyboardInterrupt:
            interrupts += 1
            if interrupts < INTERRUPTS_BEFORE_KILL:
                process.send_signal(signal.SIGINT)
            else:
                process.kill()
        else:
            break
    if interrupts:
        raise KeyboardInterrupt
    return code


def failure(done: EngineRun, said: str, code: int) -> str:
    """Every error of a run, each on its own lines."""
    told = [shown_message(error) for error in done.told_errors()]
    if not told:
        told = [line for line in said.strip().splitlines() if line.strip()] or [f"ended with exit code {code}"]
    return "\n  ".join(line for text in told for line in text.splitlines())


def shown_message(message: EngineMessage) -> str:
    """A message with the resource it is about."""
    return f"{message.subject}: {message.text}" if message.subject else message.text
