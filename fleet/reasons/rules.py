"""Numbers and the rules that give them, as data.

A rule's template names its inputs in braces. With the inputs put in it is the formula that is shown ("limit 10m + margin 60s"); without them it is
the line of the reference ("limit + margin"). Arithmetic is written with `+ - x / ( )`, `ceil`, `floor`, `min` and `max`, each operator between
spaces, so that it can be evaluated as it is shown.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from fleet.records import Basis, Reason
from fleet.units import format_number

_INPUT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Number:
    """Something in the Plan that can be explained."""

    path: str
    """Below the queue, or below `fleet` for what the queues share."""

    means: str
    """What it is, for the reference."""

    fields: tuple[str, ...] = ()
    """Where it stands in the Plan's JSON: below the queue, or in the Plan itself for what the queues share; none for a step on the way."""

    def rule(self, basis: Basis, template: str, because: str, source: str) -> "Rule":
        """One way in which this number comes about."""
        return Rule(number=self, basis=basis, template=template, because=because, source=source)

    def stated(self, source: str = "queues.yaml") -> "Rule":
        """The user wrote it."""
        return self.rule(Basis.STATED, "stated", "", source)

    def default(self, because: str, source: str) -> "Rule":
        """A constant, because the user stated nothing or nothing else would be right."""
        return self.rule(Basis.DEFAULT, "default", because, source)

    def chosen(self, template: str, because: str, source: str) -> "Rule":
        """Picked by a condition that the template words."""
        return self.rule(Basis.CHOSEN, template, because, source)

    def computed(self, template: str, because: str, source: str) -> "Rule":
        """Arithmetic over the inputs."""
        return self.rule(Basis.COMPUTED, template, because, source)

    def solved(self, template: str, because: str, source: str) -> "Rule":
        """The least number that meets the condition which the template words."""
        return self.rule(Basis.SOLVED, template, because, source)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way in which a number comes about."""

    number: Number
    basis: Basis
    template: str
    because: str
    source: str

    @cached_property
    def _labelled(self) -> str:
        return _INPUT.sub(lambda match: f"{match[1].replace('_', ' ')} {{{match[1]}}}", self.template)

    @property
    def symbolic(self) -> str:
        """The template with the names of its inputs alone."""
        return _INPUT.sub(lambda match: match[1].replace("_", " "), self.template)

    def reason(self, owner: str, value: str, **inputs: str | float) -> Reason:
        """The reason of one value; `owner` is the queue, or `fleet`."""
        shown = {name: given if isinstance(given, str) else format_number(given) for name, given in inputs.items()}
        return Reason(
            path=f"{owner}.{self.number.path}",
            value=value,
            basis=self.basis,
            formula=self._labelled.format_map(shown),
            because=self.because,
            source=self.source,
        )


def rules_of(module: ModuleType) -> Iterator[Rule]:
    """The rules that a module defines, in the order in which they stand there."""
    yield from (value for value in vars(module).values() if isinstance(value, Rule))
