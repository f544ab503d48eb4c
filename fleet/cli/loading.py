"""From the shared options to a Plan."""

from pathlib import Path

from fleet.catalogue import Catalogue
from fleet.deriving import FLEET_NAME, load_plan
from fleet.environment import ENVIRONMENTS, Environment, load_environment
from fleet.errors import CatalogueError, UsageError
from fleet.plan import Plan
from fleet.reading import validate_catalogue
from fleet.source import Source, read_source


def load(file: Path, stack: str, name: str | None = None, *, explain: bool = False) -> Plan:
    """The Plan of a catalogue in an environment whose settings stand beside it; with its reasons where `explain` asks for them.

    Raises: CatalogueError with every finding; UsageError when there is no such environment.
    """
    environment = named_environment(file, stack)
    return load_plan(file, environment, fleet=name or FLEET_NAME, shown_as=str(file), explain=explain)


def named_environment(file: Path, stack: str) -> Environment:
    """The environment of a name: a built-in one, or one that states its settings beside the catalogue.

    Raises: UsageError for any other name, because a misspelt one would quietly plan with the settings of `dev`; CatalogueError with findings.
    """
    folder = file.resolve().parent
    if stack not in ENVIRONMENTS and not (folder / f"Pulumi.{stack}.yaml").is_file():
        known = ", ".join(ENVIRONMENTS)
        raise UsageError(
            f"environment {stack!r}",
            f"is neither one of {known} nor has a file Pulumi.{stack}.yaml beside {file}",
            "Correct the name, or make it: pulumi stack init.",
        )
    return load_environment(folder, stack)


def load_catalogue(file: Path) -> tuple[Catalogue, Source]:
    """A catalogue whose fields are right one by one, and where they stand.

    Raises: CatalogueError with every finding.
    """
    source = read_source(file, shown_as=str(file))
    catalogue, findings = validate_catalogue(source)
    if findings or catalogue is None:
        raise CatalogueError(findings)
    return catalogue, source
