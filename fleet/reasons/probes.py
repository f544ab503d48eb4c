"""The probes of a worker's pod."""

from collections.abc import Iterator

from fleet import probes
from fleet.reasons.rules import Number
from fleet.reasons.sources import KUBERNETES_PROBES, LIMITS
from fleet.reasons.subject import Subject
from fleet.records import Reason

_STARTUP_DEADLINE = Number(
    path="probes.startup_deadline", means="Time for a worker's first connection before it is restarted"
)
STARTUP_DEADLINE = _STARTUP_DEADLINE.default("a broker that is still starting must not cost a restart", LIMITS)

_STARTUP_PERIOD = Number(
    path="probes.startup_period",
    means="Time between two start-up probes",
    fields=("probes.startup.period_seconds",),
)
STARTUP_PERIOD = _STARTUP_PERIOD.default("a new pod counts soon after it consumes", KUBERNETES_PROBES)

_STARTUP_FAILURES = Number(
    path="probes.startup_failures", means="Start-up probes that may fail", fields=("probes.startup.failures",)
)
STARTUP_FAILURES = _STARTUP_FAILURES.computed(
    "ceil({deadline} / {period})", "the deadline, in probes", KUBERNETES_PROBES
)

_READINESS_PERIOD = Number(
    path="probes.readiness_period",
    means="Time between two readiness probes",
    fields=("probes.readiness.period_seconds",),
)
READINESS_PERIOD = _READINESS_PERIOD.default("nothing is routed to a worker, so nobody waits for it", KUBERNETES_PROBES)

_READINESS_FAILURES = Number(
    path="probes.readiness_failures",
    means="Readiness probes in a row that fail before a pod is not ready",
    fields=("probes.readiness.failures",),
)
READINESS_FAILURES = _READINESS_FAILURES.computed(
    "ceil({deadline} / {period})", "a reconnect is not shown", KUBERNETES_PROBES
)

_LIVENESS_PERIOD = Number(
    path="probes.liveness_period",
    means="Time between two liveness probes",
    fields=("probes.liveness.period_seconds",),
)
LIVENESS_PERIOD = _LIVENESS_PERIOD.default("a stuck worker is rare, and a probe costs a process", KUBERNETES_PROBES)

_LIVENESS_FAILURES = Number(
    path="probes.liveness_failures",
    means="Liveness probes in a row that fail before a pod is restarted",
    fields=("probes.liveness.failures",),
)
LIVENESS_FAILURES = _LIVENESS_FAILURES.computed(
    "ceil({deadline} / {period})", "after the worker found its own loop stuck; a late answer costs no restart", LIMITS
)

_TIMEOUT = Number(
    path="probes.timeout",
    means="Time after which an answer is a failure",
    fields=("probes.startup.timeout_seconds", "probes.readiness.timeout_seconds", "probes.liveness.timeout_seconds"),
)
TIMEOUT = _TIMEOUT.default(
    "where CPU requests are thin a busy pod needs seconds to start even a probe", KUBERNETES_PROBES
)


def explain(subject: Subject) -> Iterator[Reason]:
    """Start-up, readiness and liveness."""
    plan = subject.plan.probes
    yield subject.reason(STARTUP_DEADLINE, f"{probes.STARTUP_DEADLINE_SECONDS}s")
    for period_rule, failures_rule, probe, deadline in (
        (STARTUP_PERIOD, STARTUP_FAILURES, plan.startup, probes.STARTUP_DEADLINE_SECONDS),
        (READINESS_PERIOD, READINESS_FAILURES, plan.readiness, probes.READINESS_DEADLINE_SECONDS),
        (LIVENESS_PERIOD, LIVENESS_FAILURES, plan.liveness, probes.LIVENESS_DEADLINE_SECONDS),
    ):
        period = f"{probe.period_seconds}s"
        yield subject.reason(period_rule, period)
        yield subject.reason(failures_rule, str(probe.failures), deadline=f"{deadline}s", period=period)
    yield subject.reason(TIMEOUT, f"{plan.startup.timeout_seconds}s")
