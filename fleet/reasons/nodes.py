"""How many nodes the workers need, and those beside them."""

from collections.abc import Iterator

from fleet.demand import FixedNodes, NodeGroup
from fleet.environment import Environment
from fleet.plan import Plan
from fleet.reasons.rules import Number, Rule
from fleet.reasons.sources import COST, ENVIRONMENT
from fleet.records import SHARED, Reason

_GROUPS = Number(
    path="nodes.groups", means="Groups of worker nodes, by capacity and instance type", fields=("nodes.workers",)
)
GROUPS = _GROUPS.chosen(
    "{groups}", "of the smallest types that hold a pod of the queue, the one on which it costs least", COST
)

_ELSEWHERE = Number(path="nodes.elsewhere", means="Queues on nodes that are not counted", fields=("nodes.elsewhere",))
ELSEWHERE = _ELSEWHERE.chosen("{queues}", "they ask for GPUs, which no type of the price table has", COST)

_FIXED = Number(path="nodes.fixed", means="Groups of nodes whose number no load changes", fields=("nodes.fixed",))
FIXED = _FIXED.chosen("{groups}", "what every cluster needs, and a node for each RabbitMQ server", ENVIRONMENT)

_BECAUSE = "zone by zone: each queue on nodes of its own, or all on nodes filled to 80 %, whichever is fewer"
_LEVELS = {
    "minimum": "with every queue at its minimum",
    "expected": "at the mean load of a month",
    "peak": "with every queue at its peak",
    "maximum": "with every queue at its maximum",
}


def _level_rule(capacity: str, level: str) -> Rule:
    means = f"Nodes of {capacity} capacity {_LEVELS[level]}"
    return Number(path=f"nodes.{capacity}.{level}", means=means).computed("{zones}", _BECAUSE, COST)


ON_DEMAND_MINIMUM = _level_rule("on-demand", "minimum")
ON_DEMAND_EXPECTED = _level_rule("on-demand", "expected")
ON_DEMAND_PEAK = _level_rule("on-demand", "peak")
ON_DEMAND_MAXIMUM = _level_rule("on-demand", "maximum")
SPOT_MINIMUM = _level_rule("spot", "minimum")
SPOT_EXPECTED = _level_rule("spot", "expected")
SPOT_PEAK = _level_rule("spot", "peak")
SPOT_MAXIMUM = _level_rule("spot", "maximum")

_RULES = {
    "on-demand": (ON_DEMAND_MINIMUM, ON_DEMAND_EXPECTED, ON_DEMAND_PEAK, ON_DEMAND_MAXIMUM),
    "spot": (SPOT_MINIMUM, SPOT_EXPECTED, SPOT_PEAK, SPOT_MAXIMUM),
}


def explain(plan: Plan, _environment: Environment) -> Iterator[Reason]:
    """The groups, and the nodes of each capacity at each level."""
    workers = plan.nodes.workers
    yield GROUPS.reason(SHARED, str(len(workers)), groups="; ".join(map(_group, workers)) or "none")
    for capacity, rules in _RULES.items():
        groups = [group for group in workers if group.capacity == capacity and group.instance is not None]
        for level, rule in zip(_LEVELS, rules, strict=True):
            if groups:
                counts = [getattr(zone, level) for group in groups for zone in group.zones]
                yield rule.reason(SHARED, str(sum(counts)), zones=" + ".join(map(str, counts)))
    elsewhere = plan.nodes.elsewhere
    yield ELSEWHERE.reason(SHARED, str(len(elsewhere)), queues=", ".join(elsewhere) or "none")
    fixed = plan.nodes.fixed
    yield FIXED.reason(SHARED, str(len(fixed)), groups="; ".join(map(_fixed, fixed)) or "none")


def _group(group: NodeGroup) -> str:
    instance = group.instance or "a node of your own"
    return f"{instance}, {group.capacity}, for {', '.join(group.queues)}"


def _fixed(group: FixedNodes) -> str:
    return f"{group.count} x {group.instance} ({group.purpose})"
