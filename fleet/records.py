"""The base of every frozen record of the plan.

A record refuses unknown fields when it is read back from JSON, so that a pod never runs on a plan that it understands only in part.
msgspec is used instead of Pydantic here because a worker imports these records on its way to the first task.
"""

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen, keyword-only record that travels as JSON."""


class Reason(Record, frozen=True, kw_only=True):
    """Why a derived number is what it is: one line of arithmetic that a person can check."""

    path: str
    """Key path of the number, `<queue>.<group>.<field>`, for example `reports.replicas.max`."""

    value: str
    """The number as it is shown, with its unit."""

    formula: str
    """The formula with the numbers put in."""

    source: str
    """Where the rule comes from."""
