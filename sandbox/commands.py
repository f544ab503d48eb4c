"""Running the system's own programs: always a list of arguments, and a failure that says what the program said."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.errors import SandboxError


def run(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    fix: str = "Run the same command by hand to see more.",
) -> str:
    """What the program wrote to standard output.

    Raises: SandboxError with the program's own words when it is missing or exits non-zero.
    """
    command = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise SandboxError(command[0], "the program is not installed", fix) from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise SandboxError(" ".join(command[:4]), "; ".join(said[-5:]), fix)
    return done.stdout


def succeeds(arguments: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> bool:
    """Whether the program is there and exits with 0; what it writes is dropped."""
    try:
        done = subprocess.run(
            [str(argument) for argument in arguments],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return False
    return done.returncode == 0
