"""The base of every frozen record of the plan.

A record refuses unknown fields when it is read back from JSON, so that a pod never runs on a plan that it understands only in part.
msgspec is used instead of Pydantic here because a worker imports these records on its way to the first task.
"""

from enum import StrEnum

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen, keyword-only record that travels as JSON."""


SHARED = "fleet"
"""First part of the path of what the queues of a fleet share; no queue may have this name."""


class Basis(StrEnum):
    """What a number stands on."""

    STATED = "stated"
    """The user wrote it."""
    DEFAULT = "default"
    """The user left it out; a constant of this project, of the environment or of the catalogue stands in."""
    CHOSEN = "chosen"
    """One of several, by a condition."""
    COMPUTED = "computed"
    """Arithmetic: the formula, evaluated as it is shown, gives the value."""
    SOLVED = "solved"
    """The least number that meets a condition; no closed formula."""


class Reason(Record, frozen=True, kw_only=True):
    """Why a number is what it is: one line of arithmetic that a person can check."""

    path: str
    """Key path, `<queue>.<group>.<field>` or `fleet.<group>.<field>`, for example `reports.replicas.max`."""

    value: str
    """The number as it is shown, with its unit."""

    basis: Basis

    formula: str
    """The rule with the numbers put in."""

    because: str
    """Why the rule is as it is; nothing where the user stated the number."""

    source: str
    """Where the rule comes from."""
