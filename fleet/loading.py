"""From files to a Plan: read, validate, check, derive; every finding of all files in one run.

Invariant: what is wrong with the settings of an environment does not hide what is wrong with the catalogue, nor the other way round.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from fleet.catalogue import Catalogue
from fleet.checks import check_catalogue, check_plan
from fleet.deriving import FLEET_NAME, derive_plan
from fleet.environment import Environment, read_settings, validate_environment
from fleet.errors import CatalogueError, Finding, Severity, in_file_order
from fleet.files import read_catalogue
from fleet.plan import Plan
from fleet.reading import validate_catalogue
from fleet.reasons import explain_plan
from fleet.source import Source


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A catalogue as far as it could be understood."""

    source: Source
    catalogue: Catalogue | None
    """None where there is no queue to check; with findings good for further checks alone."""
    plan: Plan | None
    """With findings only good for finding more."""
    findings: list[Finding]
    """What is wrong, and notes."""

    @property
    def errors(self) -> list[Finding]:
        """What has to be put right before the plan is good for anything."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]


def load_plan(
    catalogue_path: Path,
    environment: Environment,
    *,
    fleet: str = FLEET_NAME,
    shown_as: str | None = None,
    settings: Source | None = None,
    explain: bool = False,
) -> Plan:
    """The Plan of a catalogue's files in an environment, with its notes, and the reason of each number where `explain` asks for it.

    `settings` is the environment's file, for findings about its keys.

    Raises: CatalogueError with all findings (of single fields, across fields, and of the derived numbers), in file order.
    """
    source = replace(read_catalogue(catalogue_path, shown_as=shown_as), settings=settings)
    return plan_from_source(source, environment, fleet=fleet, explain=explain)


def plan_from_source(
    source: Source,
    environment: Environment,
    *,
    fleet: str = FLEET_NAME,
    findings: Iterable[Finding] = (),
    explain: bool = False,
) -> Plan:
    """The Plan of parsed files, for callers that have their texts (`fleet.files.parse_catalogue`); see `load_plan` and `draft_plan`.

    Raises: CatalogueError with all findings, in file order.
    """
    return finish(draft_plan(source, environment, fleet=fleet, findings=findings, explain=explain))


def draft_stack_plan(
    catalogue_path: Path,
    stack: str,
    *,
    root: Path,
    fleet: str = FLEET_NAME,
    shown_as: str | None = None,
    explain: bool = False,
) -> Draft:
    """The draft of a catalogue's files in the environment that `Pulumi.<stack>.yaml` in the project's root states, with the findings of both."""
    settings = read_settings(root, stack)
    environment, findings = validate_environment(stack, settings)
    source = replace(read_catalogue(catalogue_path, shown_as=shown_as), settings=settings)
    return draft_plan(source, environment, fleet=fleet, findings=findings, explain=explain)


def draft_plan(
    source: Source,
    environment: Environment,
    *,
    fleet: str = FLEET_NAME,
    findings: Iterable[Finding] = (),
    explain: bool = False,
) -> Draft:
    """Validates, derives and checks parsed files (`fleet.files`); `findings` are those that were made before."""
    catalogue, found = validate_catalogue(source)
    found += findings
    plan = None
    if catalogue is not None:
        found += check_catalogue(catalogue, environment, source)
        plan = derive_plan(catalogue, environment, fleet=fleet)
        found += check_plan(plan, catalogue, environment, source)
        if explain and all(finding.severity is not Severity.ERROR for finding in found):
            plan = structs.replace(plan, reasons=explain_plan(plan, catalogue, environment))
    return Draft(source=source, catalogue=catalogue, plan=plan, findings=found)


def finish(draft: Draft, further: Iterable[Finding] = ()) -> Plan:
    """The Plan of a draft, with its notes; `further` are findings that the caller has to add.

    Raises: CatalogueError with all that is wrong, in file order. Notes wait until the numbers that they explain are right.
    """
    found = [*draft.findings, *further]
    errors = [finding for finding in found if finding.severity is Severity.ERROR]
    if errors or draft.plan is None:
        raise CatalogueError(errors, files=draft.source.files)
    return structs.replace(draft.plan, notes=tuple(in_file_order(found, draft.source.files)))
