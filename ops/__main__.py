"""`python -m ops up|demo|status|shell|down|clean|preview|scan|test`: what `make` runs.

Exit codes: 0 fine, 1 something a person has to put right, 2 wrong usage, 130 interrupted. A FleetError ends in its message, never in a traceback.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from fleet.errors import FleetError
from ops.demo import TIMEOUT_SECONDS, run_demo
from ops.previewing import FOLDER, Request, choose_stacks, preview_stacks
from ops.processes import EXIT_INTERRUPTED, terminated
from ops.progress import Progress
from ops.scanning import run_scan
from ops.shell import open_shell
from ops.starting import start_fleet
from ops.status import show_status
from ops.stopping import stop_fleet
from ops.target import open_last
from ops.testing import run_cluster_tests

EXIT_FINDINGS = 1


def parser() -> argparse.ArgumentParser:
    """The command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--context", metavar="NAME", help="kubeconfig context of your own cluster; without it the sandbox"
    )
    top = argparse.ArgumentParser(prog="python -m ops", description="Start, watch and stop a fleet.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", parents=[shared], help="deploy the fleet, wait until it is ready, show where it is")
    up.add_argument("--monitoring", action="store_true", help="with a Prometheus in the sandbox that reads the fleet")
    demo = commands.add_parser("demo", parents=[shared], help="send a realistic mix and watch it until all is done")
    demo.add_argument("--scale", type=_positive, default=1.0, metavar="X", help="factor on the number of tasks")
    demo.add_argument(
        "--timeout", type=_positive, default=TIMEOUT_SECONDS, metavar="S", help="seconds until it gives up"
    )
    status = commands.add_parser("status", parents=[shared], help="show queues, messages, pods and waits once")
    for command in (demo, status):
        command.add_argument("--json", action="store_true", help="print JSON for programs")
    shell = commands.add_parser("shell", parents=[shared], help="a shell with pulumi, kubectl, celery and fleet")
    shell.add_argument("-c", dest="line", metavar="CMD", help="run this in the shell and leave")
    commands.add_parser("down", parents=[shared], help="stop everything, leaving nothing behind but caches")
    commands.add_parser("clean", parents=[shared], help="down, and drop what the sandbox has built")
    preview = commands.add_parser("preview", help="what a change does to each stack; needs neither cluster nor account")
    preview.add_argument("--stack", action="append", default=[], metavar="NAME", help="only this one; repeatable")
    preview.add_argument("--base", metavar="REVISION", help="compare with where the branch left it")
    preview.add_argument("--imagined", action="store_true", help="stand in for AWS also where there are credentials")
    preview.add_argument("--out", type=Path, default=Path(FOLDER), metavar="FOLDER", help="default: %(default)s")
    scan = commands.add_parser("scan", help="the offline policy scan of everything that the programs would make")
    scan.add_argument("arguments", nargs=argparse.REMAINDER, help="further words for pytest")
    test = commands.add_parser("test", help="engine and cluster tests on a sandbox that is left as it was found")
    test.add_argument("arguments", nargs=argparse.REMAINDER, help="further words for pytest")
    return top


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number above zero")
    return number


def run(given: argparse.Namespace) -> int:
    """One command; its exit code."""
    match given.command:
        case "up":
            start_fleet(given.context, os.environ, Progress(), monitored=given.monitoring)
        case "demo":
            run_demo(open_last(given.context), scale=given.scale, as_json=given.json, timeout_seconds=given.timeout)
        case "status":
            show_status(open_last(given.context), as_json=given.json)
        case "shell":
            return open_shell(open_last(given.context), Progress(), command=given.line)
        case "down" | "clean":
            stop_fleet(given.context, os.environ, Progress(), with_caches=given.command == "clean")
        case "preview":
            stacks, out = choose_stacks(given.stack), given.out.absolute()
            request = Request(stacks=stacks, base=given.base, out=out, imagined=given.imagined)
            return preview_stacks(request, os.environ, Progress())
        case "scan":
            return run_scan(os.environ, Progress(), given.arguments)
        case "test":
            return run_cluster_tests(os.environ, given.arguments)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors become messages and exit codes."""
    given = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, terminated)
    try:
        return run(given)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FINDINGS
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from here\n")
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    raise SystemExit(main())
