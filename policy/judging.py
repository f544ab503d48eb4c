"""All rules, asked of all resources of a stack at once: for tests, and for whoever has a recorded graph."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policy.graph import Resource
from policy.rule import Finding, Level, Rule
from policy.rules import RESOURCE_RULES, STACK_RULES


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A finding, the rule it breaks and what that does."""

    rule: Rule
    level: Level
    finding: Finding

    def __str__(self) -> str:
        return f"{self.level} {self.rule.id}: {self.finding.resource.name}: {self.rule.explain(self.finding)}"


def judge(resources: Sequence[Resource], environment: str) -> list[Violation]:
    """Everything that the resources of a stack break in this environment, rule by rule."""
    found: list[Violation] = []
    for rule, finding in (*_of_resources(resources), *_of_stack(resources)):
        level = rule.level_in(environment)
        if level is not None:
            found.append(Violation(rule=rule, level=level, finding=finding))
    return found


def _of_resources(resources: Sequence[Resource]) -> Iterator[tuple[Rule, Finding]]:
    for rule in RESOURCE_RULES:
        for resource in resources:
            if rule.concerns(resource.typ):
                for finding in rule.check(resource):
                    yield rule, finding


def _of_stack(resources: Sequence[Resource]) -> Iterator[tuple[Rule, Finding]]:
    for rule in STACK_RULES:
        for finding in rule.check([resource for resource in resources if rule.concerns(resource.typ)]):
            yield rule, finding
