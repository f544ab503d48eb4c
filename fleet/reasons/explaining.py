"""The reasons of a whole Plan, in the order in which its numbers build on each other."""

from fleet.catalogue import Catalogue
from fleet.environment import Environment
from fleet.plan import Plan
from fleet.reasons import (
    broker,
    cost,
    demand,
    nodes,
    probes,
    promise,
    queue_cost,
    replicas,
    resources,
    retries,
    scale_in,
    scaling,
    shared,
    web,
    worker,
)
from fleet.reasons.subject import Subject
from fleet.records import Reason

MODULES = (promise, worker, retries, resources, probes, scaling, replicas, broker, queue_cost)
"""Where a queue's numbers are explained."""

SHARED_MODULES = (shared, web, scale_in, demand, nodes, cost)
"""Where what the queues share is explained."""


def explain_plan(plan: Plan, catalogue: Catalogue, environment: Environment) -> tuple[Reason, ...]:
    """One reason for each number that is derived or defaulted: those of each queue, then those of what the queues share."""
    reasons: list[Reason] = []
    for queue in plan.queues:
        subject = Subject(plan=queue, spec=catalogue.queues[queue.name], environment=environment)
        for module in MODULES:
            reasons += module.explain(subject)
    for module in SHARED_MODULES:
        reasons += module.explain(plan, environment)
    return tuple(reasons)
