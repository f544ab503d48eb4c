"""What a rule is, and what it finds.

Invariant: a rule is pure: it is asked of plain resources and knows neither engine nor files, so a preview, an update and a unit test hear the same.
A finding names places, never values: a property may be a secret, and what is found is printed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from typing import Final

from policy.graph import Resource


class Level(StrEnum):
    """What a finding does."""

    MANDATORY = "mandatory"
    """The preview or update fails; a resource that breaks a rule is not created."""
    ADVISORY = "advisory"
    """It is told, and nothing more."""


ELSEWHERE: Final = "elsewhere"
"""Stands for every environment that a rule does not name."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One place of one resource that a rule finds wrong."""

    resource: Resource
    where: str
    """Path of the property: `containers[web].image`."""
    problem: str
    """What is wrong with it, without its value."""


@cache
def _matches(typ: str, patterns: tuple[str, ...]) -> bool:
    """Kept: the same few types are asked about for every resource by every rule."""
    return any(fnmatchcase(typ, pattern) for pattern in patterns)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What all rules have in common."""

    id: str
    """As the engine shows it, and as a policy group's configuration names it."""
    says: str
    """What has to be so."""
    reason: str
    """What happens otherwise."""
    fix: str
    """What to do instead."""
    types: tuple[str, ...]
    """Type tokens that it reads, as patterns of a shell."""
    levels: Mapping[str, Level] = field(default_factory=lambda: {ELSEWHERE: Level.MANDATORY})
    """Environment -> what a finding does there; in an environment that is not among them, without `ELSEWHERE`, nothing is found."""

    def level_in(self, environment: str) -> Level | None:
        """What a finding does in an environment; None where the rule does not hold."""
        return self.levels.get(environment, self.levels.get(ELSEWHERE))

    def concerns(self, typ: str) -> bool:
        """Whether it reads resources of a type."""
        return _matches(typ, self.types)

    def explain(self, finding: Finding) -> str:
        """The finding in three lines: where and what, what happens otherwise, what to do."""
        return f"{finding.where} {finding.problem}\n  {self.reason}\n  {self.fix}"


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """A rule that one resource alone breaks: it is asked before that resource is made."""

    check: Callable[[Resource], Iterable[Finding]]


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """A rule on how resources fit together: it is asked when all are known."""

    check: Callable[[Sequence[Resource]], Iterable[Finding]]
    """Given the resources of its types."""
