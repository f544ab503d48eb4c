"""From the shared options to a Plan."""

from pathlib import Path

from fleet.catalogue import Catalogue
from fleet.deriving import FLEET_NAME
from fleet.environment import ENVIRONMENTS, Environment, load_environment, settings_file
from fleet.errors import CatalogueError, UsageError
from fleet.files import read_catalogue
from fleet.loading import Draft, draft_stack_plan, finish
from fleet.plan import Plan
from fleet.reading import validate_catalogue
from fleet.source import Source


def load(file: Path, stack: str, name: str | None = None, *, explain: bool = False) -> Plan:
    """The Plan of a catalogue in an environment whose settings stand beside it; with its reasons where `explain` asks for them.

    Raises: CatalogueError with every finding; UsageError when there is no such environment.
    """
    return finish(draft(file, stack, name, explain=explain))


def draft(
    file: Path, stack: str, name: str | None = None, *, shown_as: str | None = None, explain: bool = False
) -> Draft:
    """The same with what is wrong with it, for commands that have checks of their own to add.

    Raises: UsageError when there is no such environment.
    """
    root = _settings_folder(file, stack)
    return draft_stack_plan(
        file, stack, root=root, fleet=name or FLEET_NAME, shown_as=shown_as or str(file), explain=explain
    )


def named_environment(file: Path, stack: str) -> Environment:
    """The environment of a name, for commands that ask for more than its Plan.

    Raises: UsageError when there is no such environment; CatalogueError with every finding of its settings.
    """
    return load_environment(_settings_folder(file, stack), stack)


def _settings_folder(file: Path, stack: str) -> Path:
    """The folder of an environment's settings, beside the catalogue: of a built-in environment, or of one that states its settings there.

    Raises: UsageError for any other name, because a misspelt one would quietly plan with the settings of `dev`.
    """
    folder = file.resolve().parent
    if stack not in ENVIRONMENTS and not (folder / settings_file(stack)).is_file():
        known = ", ".join(ENVIRONMENTS)
        raise UsageError(
            f"environment {stack!r}",
            f"is neither one of {known} nor has a file {settings_file(stack)} beside {file}",
            "Correct the name, or make it: pulumi stack init.",
        )
    return folder


def load_catalogue(file: Path) -> tuple[Catalogue, Source]:
    """A catalogue whose fields are right one by one, and where they stand.

    Raises: CatalogueError with every finding.
    """
    source = read_catalogue(file, shown_as=str(file))
    catalogue, findings = validate_catalogue(source)
    if findings or catalogue is None:
        raise CatalogueError(findings, files=source.files)
    return catalogue, source
