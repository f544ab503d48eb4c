"""What a command prints, and how it ends when something has to be put right.

Invariant: every command fails in one way. A FleetError is its message on standard error or, under `--json`, one JSON object on standard output; the
exit code is 1, or 2 where the command line itself names something that is not there. There is never a traceback for bad input.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from fleet.errors import FleetError

EXIT_FINDINGS = 1
EXIT_USAGE = 2


class FleetCommand(TyperCommand):
    """A command of `fleet`: a FleetError ends it as `report_error` says."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; `--json` is the parameter `as_json` of every command that takes it."""
        from fleet.errors import FleetError, UsageError

        try:
            return super().invoke(ctx)
        except FleetError as error:
            report_error(error, as_json=bool(ctx.params.get("as_json")))
            raise SystemExit(EXIT_USAGE if isinstance(error, UsageError) else EXIT_FINDINGS) from None


def report_error(error: "FleetError", *, as_json: bool) -> None:
    """Prints a FleetError: `{"findings": [...]}` where it has places in a file, else `{"error": {where, problem, fix}}`."""
    if not as_json:
        sys.stderr.write(f"{error}\n")
        return
    findings = getattr(error, "findings", None)
    if findings is None:
        print_json({"error": {"where": error.where, "problem": error.problem, "fix": error.fix}})
    else:
        print_json({"findings": findings})


def print_json(value: Any) -> None:
    """Prints records, dataclasses and plain data as indented JSON."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def print_lines(lines: Iterable[str]) -> None:
    """Prints text, a line at a time."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def write_file(path: Path, text: str) -> None:
    """Writes a file that the command line names.

    Raises: UsageError when it cannot be written.
    """
    from fleet.errors import UsageError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            str(path), f"cannot be written: {error.strerror}", "Name a file in a folder of yours."
        ) from None
