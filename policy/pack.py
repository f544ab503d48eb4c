"""The rules as a Pulumi policy pack: what the engine asks, in the words of `pulumi_policy`.

Invariant: the rules hear what the program says, as in a unit test. A resource rule is given inputs by the engine; a stack rule would be given outputs,
in which a cluster has filled in what nobody stated (`replicas: 1`), so the inputs of the same run are kept for it.
Source: pulumi-policy 1.21, `pulumi_policy/policy.py` (Analyze asks the policies in their order, with secrets in clear; AnalyzeStack comes last) and
`proxy.py` (reading what is not known yet raises).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from policy.graph import UNKNOWN, Resource, environment_of
from policy.rule import Level, ResourceRule, Rule, StackRule
from policy.rules import RESOURCE_RULES, STACK_RULES

NAME = "celery-fleet"

ENFORCEMENT = {Level.MANDATORY: EnforcementLevel.MANDATORY, Level.ADVISORY: EnforcementLevel.ADVISORY}


def plain(value: Any) -> Any:
    """What the SDK hands over as plain data; what is not known yet is `UNKNOWN`, and a whole number is one again."""
    if isinstance(value, Mapping):
        return {key: _known(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_known(value, index) for index in range(len(value))]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _known(holder: Any, key: Any) -> Any:
    try:
        return plain(holder[key])
    except UnknownValueError:
        return UNKNOWN


class Pack:
    """The rules, and what they were told of each resource in this run."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, Resource]] = {}
        """URN -> the policy that was asked first, and the resource."""

    def policies(self) -> list[Policy]:
        """One policy for each rule and level, named by the rule; its second level has the level in its name."""
        return [*self._resource_policies(), *self._stack_policies()]

    def _resource_policies(self) -> Iterator[Policy]:
        for rule in RESOURCE_RULES:
            for name, level in _names(rule):
                yield ResourceValidationPolicy(
                    name=name,
                    description=rule.says,
                    enforcement_level=ENFORCEMENT[level],
                    validate=partial(self._ask, rule, level, name),
                    remediation_steps=rule.fix,
                )

    def _stack_policies(self) -> Iterator[Policy]:
        for rule in STACK_RULES:
            for name, level in _names(rule):
                yield StackValidationPolicy(
                    name=name,
                    description=rule.says,
                    enforcement_level=ENFORCEMENT[level],
                    validate=partial(self._ask_stack, rule, level),
                    remediation_steps=rule.fix,
                )

    def _ask(
        self, rule: ResourceRule, level: Level, name: str, args: ResourceValidationArgs, report: ReportViolation
    ) -> None:
        concerned = rule.concerns(args.resource_type)
        if concerned or any(other.concerns(args.resource_type) for other in STACK_RULES):
            resource = self._resource(name, args)
            if concerned and rule.level_in(environment_of(args.urn)) is level:
                for finding in rule.check(resource):
                    report(rule.explain(finding), None)

    def _resource(self, name: str, args: ResourceValidationArgs) -> Resource:
        """The resource, read once for all policies: whoever reads it again is asked about it in a later step."""
        first, resource = self._told.get(args.urn, (name, None))
        if resource is None or first == name:
            resource = Resource(typ=args.resource_type, name=args.name, properties=plain(args.props), urn=args.urn)
            self._told[args.urn] = (name, resource)
        return resource

    def _ask_stack(self, rule: StackRule, level: Level, args: StackValidationArgs, report: ReportViolation) -> None:
        concerned = [item for item in args.resources if rule.concerns(item.resource_type)]
        resources = [
            self._told[item.urn][1]
            if item.urn in self._told
            else Resource(typ=item.resource_type, name=item.name, properties=plain(item.props), urn=item.urn)
            for item in concerned
        ]
        for finding in rule.check(resources):
            if rule.level_in(environment_of(finding.resource.urn)) is level:
                report(rule.explain(finding), finding.resource.urn)


def _names(rule: Rule) -> list[tuple[str, Level]]:
    """The rule's levels, each with the name of its policy."""
    levels = sorted(set(rule.levels.values()), key=list(Level).index)
    return [(rule.id if index == 0 else f"{rule.id}-{level}", level) for index, level in enumerate(levels)]


def start(serve: Callable[..., object] = PolicyPack) -> None:
    """Serves the pack to the engine until that one ends."""
    serve(name=NAME, policies=Pack().policies(), description="What every resource of a celery-fleet stack has to meet")
