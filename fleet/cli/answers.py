"""What a command prints for programs, and how it ends when something has to be put right.

Invariant: every command fails in one way. A FleetError is its message on standard error or, under `--json`, one JSON object on standard output; the
exit code is 1 for both. There is never a traceback for bad input.
"""

import sys
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from fleet.errors import FleetError

EXIT_FINDINGS = 1


class FleetCommand(TyperCommand):
    """A command of `fleet`: a FleetError ends it as `report_error` says."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; `--json` is the parameter `as_json` of every command that takes it."""
        from fleet.errors import FleetError

        try:
            return super().invoke(ctx)
        except FleetError as error:
            report_error(error, as_json=bool(ctx.params.get("as_json")))
            raise SystemExit(EXIT_FINDINGS) from None


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
