"""From the shared options to a Plan."""

from pathlib import Path

from fleet.deriving import FLEET_NAME, load_plan
from fleet.environment import load_environment
from fleet.plan import Plan


def load(file: Path, stack: str, name: str | None = None) -> Plan:
    """The Plan of a catalogue in an environment whose settings stand beside it.

    Raises: CatalogueError with every finding.
    """
    return load_plan(file, load_environment(file.resolve().parent, stack), fleet=name or FLEET_NAME, shown_as=str(file))
