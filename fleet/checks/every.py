"""Every rule across fields: first those over the catalogue alone, then those that need derived numbers.

Invariant: a rule that exists is called here, and both callers (the command line and the Pulumi program) call nothing else.
"""

from collections.abc import Iterator

from fleet.catalogue import Catalogue
from fleet.checks.broker import check_broker, check_throughput
from fleet.checks.capacity import check_broker_node, check_memory, check_node, check_replicas
from fleet.checks.downstream import check_downstreams
from fleet.checks.identity import check_aws_policies
from fleet.checks.names import check_minimums, check_names
from fleet.checks.promises import check_fit, check_reaction
from fleet.checks.retries import check_retries
from fleet.checks.routing import check_binds, check_priorities, check_routing
from fleet.checks.runtime import check_runtime, check_spot
from fleet.checks.schedule import check_schedule
from fleet.checks.workers import check_args, check_child_memory, check_pool
from fleet.environment import Environment
from fleet.errors import Finding
from fleet.plan import Plan
from fleet.source import Source


def check_catalogue(catalogue: Catalogue, environment: Environment, source: Source) -> list[Finding]:
    """Findings that need no derived number: names, routing, runtimes, pools, retries, capacity."""
    return list(_catalogue_findings(catalogue, environment, source))


def _catalogue_findings(catalogue: Catalogue, environment: Environment, source: Source) -> Iterator[Finding]:
    yield from check_names(catalogue, source)
    yield from check_routing(catalogue, source)
    yield from check_binds(catalogue, source)
    for name, spec in catalogue.queues.items():
        yield from check_runtime(name, spec, source)
        yield from check_fit(name, spec, source)
        yield from check_pool(name, spec, source)
        yield from check_args(name, spec, source)
        yield from check_priorities(name, spec, source)
        yield from check_retries(name, spec, source)
        yield from check_spot(name, spec, source)
        yield from check_schedule(name, spec, source)
        yield from check_aws_policies(name, spec, environment, source)
    yield from check_minimums(catalogue, environment, source)


def check_plan(plan: Plan, catalogue: Catalogue, environment: Environment, source: Source) -> list[Finding]:
    """Findings that need derived numbers: replicas, pods against nodes, the load against the broker."""
    return list(_plan_findings(plan, catalogue, environment, source))


def _plan_findings(plan: Plan, catalogue: Catalogue, environment: Environment, source: Source) -> Iterator[Finding]:
    for queue in plan.queues:
        yield from check_replicas(queue, catalogue.queues[queue.name], source)
        yield from check_memory(queue, catalogue.queues[queue.name], environment, source)
        yield from check_child_memory(queue, catalogue.queues[queue.name], source)
        yield from check_reaction(queue, catalogue.queues[queue.name], environment, source)
        yield from check_node(queue, environment, source)
        yield from check_throughput(queue, source)
    yield from check_downstreams(plan, catalogue, source)
    if environment.cloud is not None:
        yield from check_broker_node(plan, environment.cloud, source)
    yield from check_broker(plan, source)
