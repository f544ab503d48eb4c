"""The answer of `fleet measure`: what was seen, what the catalogue should say, what follows."""

from collections.abc import Callable

from fleet.comparing import Comparison
from fleet.environment import Environment
from fleet.errors import CatalogueError, Finding
from fleet.loading import Draft
from fleet.measure.consequences import PromiseChange, Simulate, consequences
from fleet.measure.figures import Figure
from fleet.measure.judging import Measured, measure, measure_startup
from fleet.measure.observation import Look
from fleet.measure.proposing import Change, Proposal, Refusal
from fleet.records import Record

Propose = Callable[[tuple[Measured, ...]], Proposal]


class Answer(Record, frozen=True, kw_only=True):
    """What `fleet measure --json` prints; stable."""

    fleet: str
    environment: str
    source: str
    """What was asked, in words."""
    window_seconds: float | None
    """None since the workers' start."""
    queues: tuple[Measured, ...]
    startup: Figure
    changes: tuple[Change, ...]
    refusals: tuple[Refusal, ...]
    """Changes that a person has to make."""
    diff: str
    """Unified; empty where nothing is to be changed."""
    comparison: Comparison | None
    """Of the catalogue as it is with the changed one; None where nothing is changed, or the changed one has findings."""
    promises: tuple[PromiseChange, ...]
    simulated: bool
    """Whether promises were simulated, which takes numpy."""
    findings: tuple[Finding, ...]
    """What is wrong with the changed catalogue."""
    written: tuple[str, ...] = ()
    """Files that were changed."""


def answer(
    draft: Draft, environment: Environment, look: Look, propose: Propose, *, simulate: Simulate | None
) -> tuple[Answer, Proposal]:
    """Everything but the writing; `draft` has its reasons, and without `simulate` no promise is tried out.

    Raises: CatalogueError when the draft has findings.
    """
    if draft.plan is None or draft.catalogue is None or draft.errors:
        raise CatalogueError(draft.errors, files=draft.source.files)
    measured = measure(draft.plan, draft.catalogue, environment, look)
    proposal = propose(measured)
    follows = consequences(draft, proposal, environment, simulate=simulate) if proposal.files else None
    return Answer(
        fleet=draft.plan.fleet,
        environment=environment.name,
        source=look.source,
        window_seconds=look.seconds,
        queues=measured,
        startup=measure_startup(environment, look.queues.values()),
        changes=proposal.changes,
        refusals=proposal.refusals,
        diff=proposal.diff,
        comparison=follows.comparison if follows else None,
        promises=follows.promises if follows else (),
        simulated=simulate is not None,
        findings=follows.findings if follows else (),
    ), proposal
