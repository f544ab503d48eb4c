"""What the engine plans, read from the events of `pulumi preview --json`, one a line.

Invariant: an event of an unknown kind or shape is passed over, never an error, because the stream may grow with any version of the CLI; values are
masked as they are read, and nothing later sees one that is not.
Source: pulumi v3.259 `sdk/go/common/apitype/events.go`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stacks.review.masking import masked_properties
from stacks.review.model import Operation, PolicyFinding, PropertyChange, Step
from stacks.review.properties import property_changes

OPERATIONS = {
    "create": Operation.CREATE,
    "import": Operation.CREATE,
    "update": Operation.UPDATE,
    "replace": Operation.REPLACE,
    "delete": Operation.DELETE,
}
"""Step of the engine -> what it comes to; a replacement is also told as its two halves, which add nothing."""

UNCHANGED = frozenset({"same", "read", "refresh"})

NOISE = ("preview failed", "an unhandled error occurred", "program exited with non-zero exit code")
"""What the engine says of a failure that it, the program or the policy pack has already told."""

REFUSED = "currently marked for protection"
"""What the engine says where it would have to delete what is protected; the step itself says that as well."""


@dataclass(frozen=True, kw_only=True)
class State:
    """A resource on one side."""

    urn: str
    type: str
    parent: str
    custom: bool
    protected: bool
    kept: bool
    inputs: Mapping[str, Any]
    """Masked."""
    outputs: Mapping[str, Any]
    """Masked."""

    @property
    def name(self) -> str:
        """In the program."""
        return self.urn.rpartition("::")[2]


@dataclass(kw_only=True)
class Plan:
    """What one run of the engine told."""

    steps: list[Step] = field(default_factory=list)
    before: dict[str, State] = field(default_factory=dict)
    """URN -> resource, of everything that is there."""
    after: dict[str, State] = field(default_factory=dict)
    """URN -> resource, of everything that will be there."""
    unchanged: int = 0
    policies: list[PolicyFinding] = field(default_factory=list)
    policies_ran: bool = False
    errors: list[str] = field(default_factory=list)
    refused: int = 0
    """Steps that the engine refuses because of what is protected."""
    finished: bool = False
    """Whether the engine came to its end, well or not."""

    def read(self, line: str) -> None:
        """Take in one line of the stream."""
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return
        for kind, take in (
            ("resourcePreEvent", self._planned),
            ("policyEvent", self._judged),
            ("diagnosticEvent", self._said),
            ("summaryEvent", self._ended),
        ):
            body = event.get(kind) if isinstance(event, dict) else None
            if isinstance(body, dict):
                take(body)

    def _planned(self, body: dict[str, Any]) -> None:
        metadata = body.get("metadata")
        if not isinstance(metadata, dict):
            return
        old, new = (_state(metadata.get(side)) for side in ("old", "new"))
        operation = metadata.get("op")
        if old is not None:
            self.before[old.urn] = old
        if new is not None and operation != "delete":
            self.after[new.urn] = new
        state = new or old
        if state is None or not state.custom:
            return
        if operation in UNCHANGED:
            self.unchanged += 1
        elif operation in OPERATIONS:
            self.steps.append(_step(OPERATIONS[operation], state, old, new, metadata))

    def _judged(self, body: dict[str, Any]) -> None:
        urn = str(body.get("resourceUrn") or "")
        self.policies.append(
            PolicyFinding(
                rule=str(body.get("policyName")),
                mandatory=body.get("enforcementLevel") == "mandatory",
                resource=urn.rpartition("::")[2],
                message=str(body.get("message", "")).strip(),
            )
        )

    def _said(self, body: dict[str, Any]) -> None:
        text = str(body.get("message", "")).strip()
        if body.get("severity") != "error" or not text or text.startswith(NOISE):
            return
        if REFUSED in text:
            self.refused += 1
        elif text not in self.errors:
            self.errors.append(text)

    def _ended(self, body: dict[str, Any]) -> None:
        self.finished = True
        self.policies_ran = bool(body.get("PolicyPacks"))

    @property
    def explained(self) -> bool:
        """Whether a run that failed has said why."""
        return bool(self.errors or self.refused or any(finding.mandatory for finding in self.policies))


def read_plan(lines: Iterable[str]) -> Plan:
    """The plan that a stream tells."""
    plan = Plan()
    for line in lines:
        plan.read(line)
    plan.steps.sort(key=lambda step: (step.type, step.name))
    return plan


def _state(told: Any) -> State | None:
    if not isinstance(told, dict) or not told.get("urn"):
        return None
    typ = str(told.get("type"))
    return State(
        urn=str(told["urn"]),
        type=typ,
        parent=str(told.get("parent") or ""),
        custom=bool(told.get("custom")),
        protected=bool(told.get("protect")),
        kept=bool(told.get("retainOnDelete")),
        inputs=masked_properties(typ, _properties(told.get("inputs"))),
        outputs=masked_properties(typ, _properties(told.get("outputs"))),
    )


def _properties(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _step(
    operation: Operation, state: State, old: State | None, new: State | None, metadata: Mapping[str, Any]
) -> Step:
    # What counts is how the thing that is there is held, not how its successor will be.
    held = old or state
    changes: tuple[PropertyChange, ...] = ()
    if old is not None and new is not None:
        changes = _changes(old, new, metadata)
    return Step(
        urn=state.urn, type=state.type, name=state.name, operation=operation, protected=held.protected,
        kept=held.kept, changes=changes,
    )  # fmt: skip


def _changes(old: State, new: State, metadata: Mapping[str, Any]) -> tuple[PropertyChange, ...]:
    detailed = metadata.get("detailedDiff")
    told = detailed if isinstance(detailed, dict) else {}
    named = [*told, *_texts(metadata.get("diffs"))]
    replacing = [*_texts(metadata.get("keys")), *(path for path, how in told.items() if _replaces(how))]
    # Inputs say it as the program does; what is computed by the provider is found among the outputs alone.
    return property_changes(
        {**_beyond(old, named), **old.inputs}, {**_beyond(new, named), **new.inputs}, among=named, replacing=replacing
    )


def _beyond(state: State, named: list[str]) -> dict[str, Any]:
    return {name: state.outputs[name] for name in named if name in state.outputs and name not in state.inputs}


def _replaces(how: Any) -> bool:
    return isinstance(how, dict) and str(how.get("diffKind", "")).endswith("-replace")


def _texts(value: Any) -> Iterator[str]:
    yield from (item for item in value or () if isinstance(item, str))
