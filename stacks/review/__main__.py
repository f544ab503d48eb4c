"""`python -m stacks.review preview.json …`: one comment for all stacks, and the verdict as exit code.

Exit codes: 0 every gate passes or is overridden with a reason, 1 a gate fails, 2 it could not be judged.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from fleet.errors import FleetError, UsageError
from stacks.review.comment import comment_text
from stacks.review.gates import COST_RISE_PERCENT, Status, judge
from stacks.review.model import absent_preview, read_preview
from stacks.review.overrides import read_overrides

DESCRIPTION_VARIABLE = "FLEET_PULL_REQUEST"
"""The description of the pull request, where no file has it: workflows hand text of others over by environment, never in a command line."""

STACKS_VARIABLE = "FLEET_STACKS"
"""The stacks that there have to be previews of, as a JSON list: a job that died left none, which is no reason to pass. Not set, those given are all."""

EXIT_FAILED = 1
EXIT_UNJUDGED = 2


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m stacks.review", description=__doc__)
    top.add_argument("previews", nargs="+", type=Path, metavar="preview.json")
    top.add_argument("--out", type=Path, metavar="FILE", help="write the comment here; else to standard output")
    top.add_argument(
        "--description", type=Path, metavar="FILE",
        help=f"description of the pull request, with its overrides; else ${DESCRIPTION_VARIABLE}",
    )  # fmt: skip
    top.add_argument(
        "--cost-rise", type=_percent, default=COST_RISE_PERCENT, metavar="PERCENT",
        help="by how much the month of a stack may rise (default: %(default)g)",
    )  # fmt: skip
    return top


def _percent(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number from zero")
    return number


def review(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Write the comment; the verdict."""
    found = [read_preview(path) for path in given.previews]
    names = sorted(preview.stack for preview in found)
    if len(set(names)) < len(names):
        raise UsageError("python -m stacks.review", "was given one stack twice", f"Name each once: {', '.join(names)}.")
    missing = [absent_preview(stack) for stack in sorted(_expected(environ) - set(names))]
    previews = sorted([*found, *missing], key=lambda preview: preview.stack)
    overrides = read_overrides(_description(given.description, environ))
    verdicts = judge(previews, overrides, cost_rise_percent=given.cost_rise)
    text = comment_text(previews, verdicts, overrides)
    if given.out is None:
        sys.stdout.write(text)
    else:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text, encoding="utf-8")
    sys.stderr.write(text.partition("\n")[0].replace("*", "") + "\n")
    if any(preview.errors for preview in previews):
        return EXIT_UNJUDGED
    return EXIT_FAILED if any(verdict.status is Status.FAILED for verdict in verdicts) else 0


def _expected(environ: Mapping[str, str]) -> set[str]:
    text = environ.get(STACKS_VARIABLE) or "[]"
    try:
        return set(msgspec.json.decode(text, type=list[str]))
    except msgspec.DecodeError:
        raise UsageError(f"${STACKS_VARIABLE}", f"is {text!r}", 'Write a JSON list: ["dev", "prod"].') from None


def _description(file: Path | None, environ: Mapping[str, str]) -> str:
    if file is None:
        return environ.get(DESCRIPTION_VARIABLE, "")
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(str(file), f"cannot be read: {error.strerror}", "Name the file of the description.") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors become messages and exit codes."""
    given = parser().parse_args(arguments)
    try:
        return review(given, os.environ)
    except (FleetError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNJUDGED


if __name__ == "__main__":
    raise SystemExit(main())
