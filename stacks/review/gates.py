"""The gates: what a change must not do without somebody saying why.

Invariant: a gate judges what is in the previews alone, and one that could not be asked never passes in silence. An override turns a failure into a
reason that the comment shows; it never hides what was found.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stacks.review.model import Preview
from stacks.review.overrides import Override
from stacks.review.stateful import lost_queues, lost_state
from stacks.review.versions import KUBERNETES

COST_RISE_PERCENT = 20.0
"""By how much the expected month of a stack may rise, in percent, where nothing else is asked for."""

ROUNDING_USD = 0.005

KUBERNETES_APART = 1
"""Minor versions between two stacks while an upgrade is on its way from one to the next."""


class Status(StrEnum):
    """What a gate says."""

    PASSED = "passed"
    FAILED = "failed"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a gate does not let through."""

    stack: str
    """Empty where it is about several."""
    text: str


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One question, asked of all previews."""

    id: str
    """As an override names it."""
    says: str
    """What has to be so."""
    find: Callable[[Sequence[Preview], float], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer of one gate."""

    gate: Gate
    status: Status
    findings: tuple[Finding, ...]
    reason: str
    """Of the override that counts; empty without one."""


def _each(ask: Callable[[Preview], Iterator[str]]) -> Callable[[Sequence[Preview], float], Iterator[Finding]]:
    return lambda previews, _: (
        Finding(stack=preview.stack, text=text) for preview in previews for text in ask(preview)
    )


def _cost(previews: Sequence[Preview], limit_percent: float) -> Iterator[Finding]:
    for preview in previews:
        before, after = preview.cost.before, preview.cost.after
        if before is None or after is None:
            continue
        for word, old, new in (("expected", before.expected, after.expected), ("peak", before.peak, after.peak)):
            if old > 0 and new > old * (1 + limit_percent / 100) + ROUNDING_USD:
                text = (
                    f"the {word} month goes from {old:,.0f} to {new:,.0f} USD,"
                    f" {(new / old - 1) * 100:.0f} % more; {limit_percent:g} % are let through"
                )
                yield Finding(stack=preview.stack, text=text)


def _promise(preview: Preview) -> Iterator[str]:
    for item in preview.promises:
        if item.after.kept or (item.before is not None and not item.before.kept):
            continue
        before = f" (before: {item.before.within_percent:.1f} %)" if item.before else ""
        yield (
            f"queue {item.queue} would not keep {item.promise}: {item.after.within_percent:.1f} % on the load"
            f" {item.after.worst_trace}{before}"
        )


def _policy(preview: Preview) -> Iterator[str]:
    for finding in preview.policies:
        if finding.mandatory:
            yield f"{finding.rule}: {finding.resource or 'the stack'}: {finding.message}"
    if not preview.policies_ran:
        yield "the policy pack was not asked"


def _versions(previews: Sequence[Preview], _: float) -> Iterator[Finding]:
    parts = dict.fromkeys(part for preview in previews for part in preview.versions)
    for part in parts:
        stated = {preview.stack: preview.versions[part] for preview in previews if part in preview.versions}
        if _drift(part, stated):
            listed = ", ".join(f"{version} in {stack}" for stack, version in stated.items())
            yield Finding(stack="", text=f"{part} differs between stacks: {listed}")


def _drift(part: str, stated: Mapping[str, str]) -> bool:
    if len(set(stated.values())) < 2:
        return False
    if part != KUBERNETES:
        return True
    minors = [_minor(version) for version in stated.values()]
    known = [minor for minor in minors if minor is not None]
    return len(known) < len(minors) or max(known) - min(known) > KUBERNETES_APART


def _minor(version: str) -> int | None:
    parts = version.split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else None


GATES = (
    Gate(
        id="replace-stateful",
        says="Nothing that is protected, or that nobody could make again, is replaced, deleted or made smaller.",
        find=_each(lost_state),
    ),
    Gate(id="remove-queue", says="No queue that may hold messages loses its consumers.", find=_each(lost_queues)),
    Gate(id="cost", says="No stack's month becomes dearer by more than the share that is let through.", find=_cost),
    Gate(id="promise", says="Every promise that was kept in simulation is kept.", find=_each(_promise)),
    Gate(id="policy", says="No resource breaks a mandatory rule of the policy pack.", find=_each(_policy)),
    Gate(
        id="versions",
        says="All stacks run the same versions; of Kubernetes, one minor version may lie between two.",
        find=_versions,
    ),
)


def judge(
    previews: Sequence[Preview], overrides: Sequence[Override] = (), *, cost_rise_percent: float = COST_RISE_PERCENT
) -> tuple[Verdict, ...]:
    """Every gate's verdict."""
    whole = [preview for preview in previews if not preview.errors]
    return tuple(_verdict(gate, tuple(gate.find(whole, cost_rise_percent)), overrides) for gate in GATES)


def _verdict(gate: Gate, findings: tuple[Finding, ...], overrides: Sequence[Override]) -> Verdict:
    reason = next((item.reason for item in overrides if item.gate == gate.id and item.counts), "")
    status = Status.PASSED if not findings else Status.OVERRIDDEN if reason else Status.FAILED
    return Verdict(gate=gate, status=status, findings=findings, reason=reason if findings else "")
