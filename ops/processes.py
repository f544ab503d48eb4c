"""Running the programs that this room is built on: `pulumi`, `kubectl`, the sandbox's command line.

The invariant: a program that is missing or fails ends in a FleetError with the program's own words, and a command that was interrupted
leaves no program of ours running.
"""

import contextlib
import signal
import subprocess
from collections.abc import Mapping, Sequence

from fleet.errors import FleetError

EXIT_INTERRUPTED = 130
"""What a shell shows for a program that Ctrl-C ended."""

SHOWN_LINES = 12
"""Last lines of a failed program that are shown: enough for its reason, not its whole life."""

INTERRUPTS_BEFORE_KILL = 3
"""The first Ctrl-C lets the program finish what is in flight, the second asks again, the third ends it."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: an interruption that came to this process alone, so that its children have to be told."""


def terminated(_number: int, _frame: object) -> None:
    """Handler of SIGTERM: ends like Ctrl-C, in order."""
    raise Terminated


class ProgramError(FleetError):
    """A program that was run for the user failed; `said` is what it wrote to standard error."""

    def __init__(self, where: str, problem: str, fix: str, said: str = "") -> None:
        super().__init__(where, problem, fix)
        self.said = said


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    fix: str,
    stdin: str | None = None,
    timeout_seconds: float | None = None,
    cwd: str | None = None,
    accepted: Sequence[int] = (0,),
) -> str:
    """What the program wrote to standard output.

    Raises: ProgramError when it is missing, ends with an exit code that is not accepted, or takes longer than `timeout_seconds`.
    """
    where = shown(arguments)
    try:
        done = subprocess.run(
            arguments,
            env=dict(env),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
            cwd=cwd,
        )
    except FileNotFoundError:
        raise ProgramError(where, f"{arguments[0]} is not installed", f"Put {arguments[0]} on PATH.") from None
    except subprocess.TimeoutExpired:
        raise ProgramError(where, f"no answer within {timeout_seconds:.0f} s", fix) from None
    if done.returncode not in accepted:
        raise ProgramError(where, last_lines(done.stderr or done.stdout, done.returncode), fix, done.stderr)
    return done.stdout


def run_visibly(arguments: Sequence[str], *, env: Mapping[str, str], cwd: str | None = None) -> int:
    """Run a program that talks to the user itself; its exit code.

    A Ctrl-C reaches it from the terminal; it is waited for, so that it can leave things in order.
    """
    try:
        process = subprocess.Popen(arguments, env=dict(env), cwd=cwd)
    except FileNotFoundError:
        raise ProgramError(
            shown(arguments), f"{arguments[0]} is not installed", f"Put {arguments[0]} on PATH."
        ) from None
    interrupted: KeyboardInterrupt | None = None
    for _ in range(INTERRUPTS_BEFORE_KILL):
        try:
            process.wait()
            break
        except KeyboardInterrupt as interrupt:
            interrupted = interrupt
            if isinstance(interrupt, Terminated):
                process.send_signal(signal.SIGINT)
    else:
        process.kill()
        process.wait()
    if interrupted is not None:
        raise interrupted
    return process.returncode


def stop(process: "subprocess.Popen[str] | subprocess.Popen[bytes]", *, patience_seconds: float = 5.0) -> None:
    """End a child: asked first, killed when it does not follow."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def shown(arguments: Sequence[str]) -> str:
    """A command as it is named in messages: the program and the words that say what it does."""
    words = [word for word in arguments[1:] if not word.startswith("-")]
    return " ".join([arguments[0].rsplit("/", 1)[-1], *words[:3]])


def last_lines(said: str, code: int) -> str:
    """The last lines of what a program said, or its exit code where it said nothing."""
    lines = [line.rstrip() for line in said.strip().splitlines() if line.strip()]
    return "\n  ".join(lines[-SHOWN_LINES:]) if lines else f"ended with exit code {code}"
