"""What a month costs: the worker nodes and what the queues share."""

from collections.abc import Iterator

from fleet.cost import node_month_usd
from fleet.environment import Environment
from fleet.plan import Plan
from fleet.reasons.rules import Number, Rule
from fleet.reasons.sources import COST, ENVIRONMENT, PRICES
from fleet.records import SHARED, Reason
from fleet.units import format_number

_REGION = Number(path="cost.region", means="Region whose prices are taken", fields=("cost.region",))
REGION = _REGION.chosen("cloud.region", "an environment is in one place", ENVIRONMENT)
REGION_NONE = _REGION.chosen("no cloud", "a cluster of your own is not paid for here", ENVIRONMENT)

_FACTOR = Number(path="cost.price_factor", means="Factor on the prices of us-east-1", fields=("cost.price_factor",))
FACTOR = _FACTOR.default("one for a whole region: an estimate that cloud.priceFactor corrects", PRICES)

_CURRENCY = Number(path="cost.currency", means="Currency", fields=("cost.currency",))
CURRENCY = _CURRENCY.default("AWS's own, without tax", PRICES)

_AS_OF = Number(path="cost.prices_as_of", means="Day of the prices", fields=("cost.prices_as_of",))
AS_OF = _AS_OF.default("that of the newest source; each price has its own", PRICES)

_QUEUES = Number(path="cost.queues", means="Queues whose cost is told apart", fields=("cost.queues",))
QUEUES = _QUEUES.chosen("every queue of the catalogue", "`fleet why <queue>.cost` has each", COST)

_LINES = Number(path="cost.shared_lines", means="Things that the queues share and that cost", fields=("cost.shared",))
LINES = _LINES.chosen("what the environment has of the price table", "`fleet cost` lists them", COST)

_SHARED = Number(path="cost.shared", means="USD a month for what the queues share", fields=("cost.shared_usd",))
SHARED_LINES = _SHARED.computed("{lines}", "paid for whatever the queues do", COST)

_LEVELS = {"idle": "with every queue at its minimum", "expected": "at 60 % of the peak load", "peak": "at peak load"}


def _month_rule(field: str, means: str, level: str, template: str, because: str) -> Rule:
    number = Number(
        path=f"cost.{field}.{level}", means=f"USD a month {means}, {_LEVELS[level]}", fields=(f"cost.{field}.{level}",)
    )
    return number.computed(template, because, COST)


_TAKEN = ("taken", "for the nodes that the queues' pods take")
_WORKERS = ("workers", "for all worker nodes")
_TOTAL = ("total", "in all")
_TAKEN_WHY = ("{queue_by_queue}", "a pod takes its larger share of a node, of CPU, memory or addresses")
_WORKERS_WHY = ("{nodes}", "nodes times what one costs, group by group; what no pod takes is paid for too")
_TOTAL_WHY = ("{worker_nodes} + {shared}", "worker nodes and what the queues share")

TAKEN_IDLE = _month_rule(*_TAKEN, "idle", *_TAKEN_WHY)
TAKEN_EXPECTED = _month_rule(*_TAKEN, "expected", *_TAKEN_WHY)
TAKEN_PEAK = _month_rule(*_TAKEN, "peak", *_TAKEN_WHY)
WORKERS_IDLE = _month_rule(*_WORKERS, "idle", *_WORKERS_WHY)
WORKERS_EXPECTED = _month_rule(*_WORKERS, "expected", *_WORKERS_WHY)
WORKERS_PEAK = _month_rule(*_WORKERS, "peak", *_WORKERS_WHY)
TOTAL_IDLE = _month_rule(*_TOTAL, "idle", *_TOTAL_WHY)
TOTAL_EXPECTED = _month_rule(*_TOTAL, "expected", *_TOTAL_WHY)
TOTAL_PEAK = _month_rule(*_TOTAL, "peak", *_TOTAL_WHY)

_MONTH_RULES = (
    ("idle", "minimum", TAKEN_IDLE, WORKERS_IDLE, TOTAL_IDLE),
    ("expected", "expected", TAKEN_EXPECTED, WORKERS_EXPECTED, TOTAL_EXPECTED),
    ("peak", "peak", TAKEN_PEAK, WORKERS_PEAK, TOTAL_PEAK),
)


def explain(plan: Plan, environment: Environment) -> Iterator[Reason]:
    """Prices, what is shared, and the total at each level."""
    cost = plan.cost
    yield REGION_NONE.reason(SHARED, "none") if cost.region is None else REGION.reason(SHARED, cost.region)
    yield FACTOR.reason(SHARED, format_number(cost.price_factor))
    yield CURRENCY.reason(SHARED, cost.currency)
    yield AS_OF.reason(SHARED, cost.prices_as_of)
    yield QUEUES.reason(SHARED, str(len(cost.queues)))
    yield LINES.reason(SHARED, str(len(cost.shared)))
    shared = format_number(cost.shared_usd)
    yield SHARED_LINES.reason(SHARED, shared, lines=_sum(line.usd for line in cost.shared))
    for month, level, taken, workers, total in _MONTH_RULES:
        yield taken.reason(
            SHARED,
            format_number(getattr(cost.taken, month)),
            queue_by_queue=_sum(getattr(queue.month, month) for queue in cost.queues),
        )
        bill = format_number(getattr(cost.workers, month))
        yield workers.reason(SHARED, bill, nodes=_bills(plan, environment, level))
        yield total.reason(SHARED, format_number(getattr(cost.total, month)), worker_nodes=bill, shared=shared)


def _bills(plan: Plan, environment: Environment, level: str) -> str:
    cloud = environment.cloud
    if cloud is None:
        return "0"
    bills = [
        f"{getattr(group.nodes, level)} x {format_number(node_month_usd(group.instance or '', group.capacity, cloud))}"
        for group in plan.nodes.workers
    ]
    return " + ".join(bills) or "0"


def _sum(amounts: Iterator[float]) -> str:
    return " + ".join(map(format_number, amounts)) or "0"
