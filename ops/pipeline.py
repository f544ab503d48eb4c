"""`python -m ops.pipeline stacks|promote|deploy|drift|drift-issue|summary|comment|sbom|audit|passed`: what the workflows run, each through `make`.

What a workflow knows arrives in variables of the environment, never in a command line. Exit codes as those of `python -m ops`.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fleet.errors import FleetError
from ops import comment, deploying, drift
from ops.github import open_repository, passed, read_event, write_outputs
from ops.processes import EXIT_INTERRUPTED, terminated
from ops.progress import Progress
from ops.sbom import write_sbom
from ops.scanning import audit, scan_python
from ops.stack_files import CLOUD_VARIABLE, split_stacks
from ops.target import ROOT, own_environment

EXIT_FINDINGS = 1
COMMENT_FOLDER = Path("preview")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m ops.pipeline", description="The steps of the workflows.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("stacks", help="list the stacks: those of $CLOUD, looked at in their account, and the others")
    for name, said in (
        ("promote", "have a stack run the images in $IMAGES; without it, those that it runs"),
        ("deploy", "update a stack on EKS, held against the policy pack"),
        ("drift", "tell what in a stack's account is not what its state says"),
    ):
        commands.add_parser(name, help=said).add_argument("--stack", required=True, metavar="NAME")
    commands.add_parser("drift-issue", help="open, rewrite or close the issue that tells of drift")
    commands.add_parser("comment", help="post the comment that a preview of a pull request left")
    commands.add_parser("summary", help="show the comment of a preview in the summary of the run")
    commands.add_parser("sbom", help="write what the images consist of, as a CycloneDX document")
    commands.add_parser("audit", help="ask for known vulnerabilities of the pinned packages; needs the network")
    commands.add_parser("passed", help="fail when one of the jobs in $NEEDS did")
    return top


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """One step; its exit code."""
    own = own_environment(environ)
    match given.command:
        case "stacks":
            stacks = split_stacks(ROOT, environ.get(CLOUD_VARIABLE, ""))
            every = sorted(name for names in stacks.values() for name in names)
            write_outputs({name: json.dumps(names) for name, names in {**stacks, "all": every}.items()}, environ)
            print(json.dumps(stacks))
        case "promote":
            images = deploying.promote(given.stack, environ.get("IMAGES", ""), own, ROOT)
            print(json.dumps(images) if images else f"{given.stack} runs no images yet")
        case "deploy":
            return deploying.deploy(given.stack, own, ROOT)
        case "drift":
            found = drift.check_drift(given.stack, own, ROOT)
            drift.keep(found, ROOT / drift.FOLDER)
            print(drift.described(found))
            return EXIT_FINDINGS if found.found is drift.Found.DRIFTED else 0
        case "drift-issue":
            run_url = f"{environ.get('GITHUB_SERVER_URL')}/{environ.get('GITHUB_REPOSITORY')}/actions/runs/{environ.get('GITHUB_RUN_ID')}"
            stacks = split_stacks(ROOT, environ.get(CLOUD_VARIABLE, ""))
            answers = drift.answers_of(stacks["cloud"], drift.kept(ROOT / drift.FOLDER))
            issue = drift.tell(open_repository(environ), answers, run_url)
            print(issue or "nothing has drifted")
        case "comment":
            posted = comment.post_comment(open_repository(environ), read_event(environ), ROOT / COMMENT_FOLDER)
            print(posted or "the pull request has moved on; its next preview posts the comment")
        case "summary":
            comment.summarise(ROOT / COMMENT_FOLDER, environ)
        case "sbom":
            print(write_sbom(ROOT).name)
        case "audit":
            return audit(scan_python(own, Progress()), own, ROOT)
        case "passed":
            passed(environ.get("NEEDS", ""))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; errors become messages and exit codes."""
    given = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, terminated)
    try:
        return run(given, os.environ)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FINDINGS
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    raise SystemExit(main())
