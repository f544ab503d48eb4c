"""Run one Pulumi program in Python, as the process that the language host starts for it.

The invariant: what the user sees of a failing program is the program's own: the message of a `RunError`, or the
traceback from the program's first frame on; never a frame of this file.

Source: pulumi v3.259 `sdk/python/cmd/pulumi-language-python-exec` (which arguments, which messages, exit code 32).
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import logging
import os
import runpy
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import pulumi
import pulumi.runtime

SHOWN_TO_THE_USER = 32
"""Exit code that tells the language host that the failure has been explained already."""

PR_SET_PDEATHSIG = 1
"""Linux's number for the option, from prctl(2)."""

INTERRUPTED = 130
"""Exit code of a program that was told to stop."""

WORKERS_A_RESOURCE = 4
"""Threads for each resource operation that may run at once, as in the real host."""


def main() -> None:
    """Configure the SDK from the arguments, run the program, exit with the code the language host understands."""
    parser = argparse.ArgumentParser(description="Run a Pulumi program")
    for option in ("monitor", "engine", "project", "root_directory", "stack", "organization", "pwd", "tracing"):
        parser.add_argument(f"--{option}")
    parser.add_argument("--dry_run", default="false")
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("program")
    parser.add_argument("arguments", nargs="*")
    given = parser.parse_args()
    end_with_parent()

    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=given.monitor,
            engine=given.engine,
            project=given.project,
            stack=given.stack,
            parallel=given.parallel,
            dry_run=given.dry_run == "true",
            organization=given.organization,
            root_directory=given.root_directory,
        )
    )
    sys.argv = [given.program, *given.arguments]
    if given.pwd:
        os.chdir(given.pwd)
    # Futures of resources that a failing program never awaits are no news to the user.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    sys.exit(run_program(Path(given.program).absolute(), given.parallel))


def end_with_parent() -> None:
    """Have the system end this process with the language host, however that one ends; without it nobody waits for us."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run_program(program: Path, parallel: int) -> int:
    """Run the program to its end and return the exit code; its failure has been reported to the engine by then."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=max(parallel, 1) * WORKERS_A_RESOURCE)
    loop.set_default_executor(executor)
    if program.is_dir() and not (program / "__main__.py").exists():
        pulumi.log.error(f"unable to find main python program `__main__.py` in `{program}`")
        return SHOWN_TO_THE_USER
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _execute(program)))
    except KeyboardInterrupt:
        # The engine has given up; threads that wait for its answers would keep the process from ending.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except Exception as error:
        # Whatever a program raises is the program's own failure.
        pulumi.log.error(f"Program failed with an unhandled exception:\n{program_traceback(error, program)}")
        return SHOWN_TO_THE_USER
    finally:
        executor.shutdown(wait=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _execute(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")


def program_traceback(error: BaseException, program: Path) -> str:
    """The traceback from the program's own first frame on; the whole one when no frame is the program's."""
    main_file = str(program / "__main__.py" if program.is_dir() else program)
    frame: TracebackType | None = error.__traceback__
    while frame is not None and os.path.abspath(frame.tb_frame.f_code.co_filename) != main_file:  # noqa: PTH100 - a frame's file need not exist
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame or error.__traceback__))


if __name__ == "__main__":
    main()
