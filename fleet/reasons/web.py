"""The size of the web layer."""

from collections.abc import Iterator

from fleet import web
from fleet.environment import Environment
from fleet.plan import Plan
from fleet.reasons.rules import Number
from fleet.reasons.sources import KUBERNETES_CPU, KUBERNETES_HPA, KUBERNETES_RESOURCES, KUBERNETES_TERMINATION
from fleet.records import SHARED, Reason
from fleet.units import format_cpu, format_size

_MINIMUM = Number(path="web.min", means="Pods of the web layer at least", fields=("web.replicas_min",))
MINIMUM = _MINIMUM.computed(
    "min({broker_nodes}, 2)", "what outlives the loss of a broker node outlives that of a web node", "fleet/web.py"
)

_MAXIMUM = Number(path="web.max", means="Pods of the web layer at most", fields=("web.replicas_max",))
MAXIMUM = _MAXIMUM.computed(
    "{factor} x {minimum}", "room for the autoscaler; each pod costs the broker connections", "fleet/web.py"
)

_CPU = Number(path="web.cpu", means="CPU request of a web pod", fields=("web.cpu_request_millicores",))
CPU = _CPU.default(
    "a publish with its confirm costs less than a third of a millisecond; no limit, which would make callers wait",
    KUBERNETES_CPU,
)

_MEMORY = Number(path="web.memory", means="Memory request and limit of a web pod", fields=("web.memory_bytes",))
MEMORY = _MEMORY.default("the application imported, and requests in flight", KUBERNETES_RESOURCES)

_TARGET = Number(
    path="web.target", means="CPU utilization that the web layer's autoscaler holds", fields=("web.cpu_target_percent",)
)
TARGET = _TARGET.default("it has no queue of its own to be scaled by", KUBERNETES_HPA)

_GRACE = Number(path="web.grace", means="Time from SIGTERM to SIGKILL of a web pod", fields=("web.grace_seconds",))
GRACE = _GRACE.default(
    "the longest request, a publish that waits 5s for a blocked broker, several times over", KUBERNETES_TERMINATION
)


def explain(plan: Plan, _environment: Environment) -> Iterator[Reason]:
    """Pods, their requests and their autoscaler."""
    layer = plan.web
    yield MINIMUM.reason(SHARED, str(layer.replicas_min), broker_nodes=plan.broker.nodes)
    yield MAXIMUM.reason(SHARED, str(layer.replicas_max), factor=web.REPLICAS_MAX_FACTOR, minimum=layer.replicas_min)
    yield CPU.reason(SHARED, format_cpu(layer.cpu_request_millicores))
    yield MEMORY.reason(SHARED, format_size(layer.memory_bytes))
    yield TARGET.reason(SHARED, f"{layer.cpu_target_percent} %")
    yield GRACE.reason(SHARED, f"{layer.grace_seconds}s")
