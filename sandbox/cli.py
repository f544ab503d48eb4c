"""`python -m sandbox up|down|status|env|imagine|build|clean`: the one entry, and errors as messages instead of tracebacks."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox import host, lifecycle, monitoring
from sandbox.environment import export_lines, variables
from sandbox.errors import SandboxError
from sandbox.folders import DEFAULT_NAME, Folders, find_folders
from sandbox.imagining import imagined_variables
from sandbox.progress import Progress
from sandbox.status import read_status, status_lines

INTERRUPTED = 130
"""What a shell shows for a program ended by Ctrl-C."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--name", default=DEFAULT_NAME, help="which sandbox (default: %(default)s)")
    shared.add_argument("--state-dir", type=Path, help="instead of FLEET_STATE_DIR or the XDG state folder")
    shared.add_argument("--cache-dir", type=Path, help="instead of FLEET_CACHE_DIR or the XDG cache folder")
    top = argparse.ArgumentParser(prog="python -m sandbox", description="A one-node Kubernetes on this machine.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("up", parents=[shared], help="start it, or what is missing of it, and wait until it is ready")
    commands.add_parser("down", parents=[shared], help="stop it and remove everything but caches and passwords")
    status = commands.add_parser("status", parents=[shared], help="show components, versions and stand-ins")
    status.add_argument("--json", action="store_true", help="as one JSON document")
    commands.add_parser("env", parents=[shared], help='print export lines for a shell: eval "$(python -m sandbox env)"')
    imagine = commands.add_parser(
        "imagine",
        parents=[shared],
        help="print export lines for a shell in which `pulumi` needs neither cluster nor account",
    )
    imagine.add_argument("folder", type=Path, help="an empty folder for its state; the shell works until it is gone")
    commands.add_parser("build", parents=[shared], help="only build programs and images")
    commands.add_parser(
        "monitoring", parents=[shared], help="start a Prometheus with the scrape settings and rules on standard input"
    )
    commands.add_parser("clean", parents=[shared], help="down, then remove caches and passwords too")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code says whether it did what it should."""
    given = parser().parse_args(arguments)
    progress = Progress()
    try:
        folders = find_folders(given.name, state=given.state_dir, cache=given.cache_dir)
        return _run(given, folders, progress)
    except SandboxError as error:
        progress.say(str(error))
        return 1
    except KeyboardInterrupt:
        progress.say("interrupted; the same command goes on from here")
        return INTERRUPTED


def _run(given: argparse.Namespace, folders: Folders, progress: Progress) -> int:
    match given.command:
        case "up":
            lifecycle.up(folders, progress)
        case "down":
            lifecycle.down(folders, progress)
        case "build":
            host.check_system()
            folders.create()
            lifecycle.build(folders, progress)
        case "clean":
            lifecycle.clean(folders, progress)
        case "monitoring":
            monitoring.start(folders, json.load(sys.stdin), progress)
        case "env":
            folders.create()
            sys.stdout.write(export_lines(variables(folders, os.environ)))
        case "imagine":
            folders.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            imagined = imagined_variables(given.folder.absolute(), folders.cache, os.environ, progress)
            sys.stdout.write(export_lines(imagined))
        case "status":
            found = read_status(folders)
            text = json.dumps(found, indent=2) if given.json else "\n".join(status_lines(found))
            sys.stdout.write(f"{text}\n")
            return 0 if found["state"] == "ready" else 1
    return 0
