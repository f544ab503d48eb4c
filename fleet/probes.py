"""Probes: how soon Kubernetes notices what a pod says of itself.

A deadline is stated and the number of failures follows from the period, so that nobody has to multiply to know when a pod is restarted. Source:
Kubernetes docs, "Configure Liveness, Readiness and Startup Probes".
"""

import math

from fleet.records import Record

STARTUP_DEADLINE_SECONDS = 300
"""Time for a worker's first connection: a broker that is still starting must not cost a restart."""

STARTUP_PERIOD_SECONDS = 2
"""A new pod counts soon after it consumes."""

READINESS_DEADLINE_SECONDS = 30
"""Nothing is routed to a worker; readiness is what a roll-out waits for and people look at."""

READINESS_PERIOD_SECONDS = 15

LIVENESS_DEADLINE_SECONDS = 90
"""After the worker itself found its loop stuck: a probe that a busy node was late to answer costs no restart."""

LIVENESS_PERIOD_SECONDS = 30

TIMEOUT_SECONDS = 10
"""Generous: where CPU requests are thin a busy pod needs seconds to start even a probe."""


class Probe(Record, frozen=True, kw_only=True):
    """One probe, as Kubernetes spells it."""

    period_seconds: int
    failures: int
    """Failures in a row that count (`failureThreshold`)."""
    timeout_seconds: int
    """An answer that takes longer is a failure."""


class ProbePlan(Record, frozen=True, kw_only=True):
    """The three probes of a pod."""

    startup: Probe
    readiness: Probe
    liveness: Probe


def derive_probe(*, deadline_seconds: int, period_seconds: int, timeout_seconds: int) -> Probe:
    """The probe that gives up after `deadline_seconds`."""
    return Probe(
        period_seconds=period_seconds,
        failures=math.ceil(deadline_seconds / period_seconds),
        timeout_seconds=timeout_seconds,
    )


def derive_probes() -> ProbePlan:
    """The probes of a worker, and of beat: they ask files that the process writes, never the broker."""
    return ProbePlan(
        startup=derive_probe(
            deadline_seconds=STARTUP_DEADLINE_SECONDS,
            period_seconds=STARTUP_PERIOD_SECONDS,
            timeout_seconds=TIMEOUT_SECONDS,
        ),
        readiness=derive_probe(
            deadline_seconds=READINESS_DEADLINE_SECONDS,
            period_seconds=READINESS_PERIOD_SECONDS,
            timeout_seconds=TIMEOUT_SECONDS,
        ),
        liveness=derive_probe(
            deadline_seconds=LIVENESS_DEADLINE_SECONDS,
            period_seconds=LIVENESS_PERIOD_SECONDS,
            timeout_seconds=TIMEOUT_SECONDS,
        ),
    )
