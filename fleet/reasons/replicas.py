"""The bounds of the number of pods: what the peak needs, what has to be there before it, and what there may be at most."""

from collections.abc import Iterator

from fleet import scaling
from fleet.reasons.rules import Number
from fleet.reasons.sources import CATALOGUE_DEFAULT, ENVIRONMENT_FILE, KEDA_SCALED_OBJECT, SCALING
from fleet.reasons.subject import Subject, is_stated
from fleet.records import Basis, Reason
from fleet.scaling import Regime
from fleet.units import format_duration, format_number, format_rate

_SLOTS = Number(path="replicas.slots", means="Slots that keep the promise at peak, of each shard")
SLOTS = _SLOTS.solved(
    "fewest m with {busy_slots} / m <= {share} and late(m) <= {allowed}; {late}",
    "Erlang C, its decay stretched by 2/(1 + CV2) for the runtimes' spread",
    SCALING,
)
SLOTS_MANY = _SLOTS.computed(
    "ceil({busy_slots} / {share})", "so many slots hardly wait: the idle ones are enough", SCALING
)

_PEAK = Number(
    path="replicas.peak",
    means="Pods that keep the promise at peak, of each shard",
    fields=("autoscaling.peak_replicas",),
)
PEAK = _PEAK.computed("max(1, ceil({slots} / {concurrency}))", "whole pods", SCALING)

_DECLARED = Number(path="replicas.declared", means="Pods that are wanted at all times, of each shard")
DECLARED_STATED = _DECLARED.stated()
DECLARED_DEFAULT = _DECLARED.default("one pod waits; 0 lets the queue sleep", CATALOGUE_DEFAULT)
DECLARED_ENVIRONMENT = _DECLARED.rule(Basis.STATED, "stated by the environment", "", ENVIRONMENT_FILE)

_EXPOSED = Number(path="replicas.exposed", means="Part of a burst that meets the pods that are already there")
EXPOSED = _EXPOSED.computed(
    "min({burst}, {sync} + {statistics} + {startup})", "the burst, or the worst reaction if that is shorter", SCALING
)

_BURST = Number(path="replicas.burst", means="Pods that have to be there before a burst, of each shard")
BURST = _BURST.computed(
    "ceil({burst} / {shards} x {mean} / ({share} x {concurrency}) x {exposed} / ({exposed} + {wait}))",
    "what arrives before new pods do is under way within the wait",
    SCALING,
)

_MINIMUM = Number(path="replicas.min", means="Pods at least, of each shard", fields=("autoscaling.min_replicas",))
MINIMUM_SHORT = _MINIMUM.computed("max({declared}, {burst})", "nothing reactive is in time", SCALING)
MINIMUM = _MINIMUM.computed("{declared}", "pods come in time, so no more wait than are wanted", SCALING)

_MAXIMUM = Number(path="replicas.max", means="Pods at most, of each shard", fields=("autoscaling.max_replicas",))
MAXIMUM_STATED = _MAXIMUM.stated()
MAXIMUM = _MAXIMUM.computed(
    "max({headroom} x {peak}, {minimum})", "a backlog from an outage is gone after the same time again", SCALING
)
MAXIMUM_KNOWN = _MAXIMUM.computed(
    "max({headroom} x {peak}, {minimum}, {burst}, {window})",
    "a backlog from an outage is gone after the same time again; a declared burst and known peaks fit",
    SCALING,
)
MAXIMUM_DOWNSTREAM = _MAXIMUM.computed(
    "max(1, min(floor({limit} / ({concurrency} x {shards})), max({headroom} x {peak}, {minimum}, {burst}, {window})))",
    "one slot is one task: what the tasks use takes no more at once",
    SCALING,
)

_WORKED_OFF = Number(
    path="replicas.burst_max",
    means="Pods at most that a declared burst needs, of each shard",
    fields=("autoscaling.burst_replicas",),
)
WORKED_OFF = _WORKED_OFF.computed(
    "max(0, ceil(({burst} / {shards} x min({lasts}, {wait}) x {mean} / {concurrency} - {declared} x {reaction}) / ({wait} - {reaction})))",
    "what arrives within the wait is under way by its end: by the pods that are there until new ones react, then by all",
    SCALING,
)
WORKED_OFF_LATE = _WORKED_OFF.chosen(
    "{wait} <= {reaction}", "new pods come too late for it: the minimum counts", SCALING
)
WORKED_OFF_NONE = _WORKED_OFF.default("no burst is stated", SCALING)

_FALLBACK = Number(
    path="replicas.fallback",
    means="Pods at least while the broker's statistics cannot be read, of each shard",
    fields=("autoscaling.fallback_replicas",),
)
FALLBACK = _FALLBACK.computed("max(1, {minimum})", "a queue that nobody can read may have work", KEDA_SCALED_OBJECT)

_FALLBACK_FAILURES = Number(
    path="replicas.fallback_failures",
    means="Readings in a row that fail before the fallback holds",
    fields=("autoscaling.fallback_failures",),
)
FALLBACK_FAILURES = _FALLBACK_FAILURES.default("one reading that was lost changes nothing", KEDA_SCALED_OBJECT)


def explain(subject: Subject) -> Iterator[Reason]:
    """Peak, minimum and maximum."""
    yield from _peak_reasons(subject)
    yield from _minimum_reasons(subject)
    yield from _maximum_reasons(subject)


def _peak_reasons(subject: Subject) -> Iterator[Reason]:
    auto, promise = subject.plan.autoscaling, subject.plan.promise
    rate = promise.peak_per_second / len(subject.plan.topology.shards)
    share = scaling.busy_share(auto.regime)
    runtime = {"mean_seconds": promise.mean_seconds, "p99_seconds": promise.p99_seconds}
    slots = scaling.slots_at_peak(
        rate_per_second=rate,
        wait_seconds=promise.wait_seconds,
        percentile=promise.percentile,
        busy_share=share,
        **runtime,
    )
    busy = rate * promise.mean_seconds
    if busy > scaling.ERLANG_OFFERED_MAX:
        yield subject.reason(SLOTS_MANY, str(slots), busy_slots=busy, share=share)
    else:
        late = scaling.late_share(slots, rate_per_second=rate, wait_seconds=promise.wait_seconds, **runtime)
        yield subject.reason(
            SLOTS,
            str(slots),
            busy_slots=busy,
            share=share,
            allowed=_percent(1 - promise.percentile / 100),
            late=_percent(late),
        )
    yield subject.reason(PEAK, str(auto.peak_replicas), slots=slots, concurrency=subject.plan.worker.concurrency)


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _declared_minimum(subject: Subject) -> int:
    return subject.environment.minimums.get(subject.plan.name, subject.spec.replicas.min)


def _minimum_reasons(subject: Subject) -> Iterator[Reason]:
    queue, promise, auto = subject.plan, subject.plan.promise, subject.plan.autoscaling
    declared = _declared_minimum(subject)
    if queue.name in subject.environment.minimums:
        yield subject.reason(DECLARED_ENVIRONMENT, str(declared))
    else:
        rule = DECLARED_STATED if is_stated(subject.spec, "replicas", "min") else DECLARED_DEFAULT
        yield subject.reason(rule, str(declared))
    if auto.regime is not Regime.SHORT:
        yield subject.reason(MINIMUM, str(auto.min_replicas), declared=declared)
        return
    exposed = scaling.exposed_seconds(promise.burst_seconds, subject.environment.startup_seconds)
    yield subject.reason(
        EXPOSED,
        f"{format_number(exposed)}s",
        burst=f"{format_number(promise.burst_seconds)}s",
        sync=f"{scaling.HPA_SYNC_SECONDS:g}s",
        statistics=f"{scaling.STATISTICS_AGE_WORST_SECONDS:g}s",
        startup=f"{format_number(subject.environment.startup_seconds)}s",
    )
    shards = len(queue.topology.shards)
    pods = scaling.burst_minimum(
        burst_per_second=promise.burst_per_second / shards,
        burst_seconds=promise.burst_seconds,
        mean_seconds=promise.mean_seconds,
        wait_seconds=promise.wait_seconds,
        concurrency=queue.worker.concurrency,
        startup_seconds=subject.environment.startup_seconds,
    )
    yield subject.reason(
        BURST,
        str(pods),
        burst=format_rate(promise.burst_per_second),
        shards=shards,
        mean=format_duration(promise.mean_seconds),
        share=scaling.BUSY_SHARE_MID,
        concurrency=queue.worker.concurrency,
        exposed=f"{format_number(exposed)}s",
        wait=format_duration(promise.wait_seconds),
    )
    yield subject.reason(MINIMUM_SHORT, str(auto.min_replicas), declared=declared, burst=pods)


def _maximum_reasons(subject: Subject) -> Iterator[Reason]:
    auto, spec = subject.plan.autoscaling, subject.spec
    yield _burst_reason(subject)
    inputs = {
        "headroom": str(scaling.PEAK_HEADROOM),
        "peak": str(auto.peak_replicas),
        "minimum": str(auto.min_replicas),
    }
    known = {
        "burst": str(auto.burst_replicas),
        "window": str(max((window.min_replicas for window in auto.windows), default=0)),
    }
    maximum, downstream = str(auto.max_replicas), subject.plan.downstream
    if spec.replicas.max is not None:
        yield subject.reason(MAXIMUM_STATED, maximum)
    elif downstream is None and spec.load.burst is None and not auto.windows:
        yield subject.reason(MAXIMUM, maximum, **inputs)
    elif downstream is None:
        yield subject.reason(MAXIMUM_KNOWN, maximum, **inputs, **known)
    else:
        yield subject.reason(
            MAXIMUM_DOWNSTREAM,
            maximum,
            limit=str(downstream.limit),
            concurrency=str(subject.plan.worker.concurrency),
            shards=str(len(subject.plan.topology.shards)),
            **inputs,
            **known,
        )
    yield subject.reason(FALLBACK, str(auto.fallback_replicas), minimum=auto.min_replicas)
    yield subject.reason(FALLBACK_FAILURES, str(auto.fallback_failures))


def _burst_reason(subject: Subject) -> Reason:
    auto, promise = subject.plan.autoscaling, subject.plan.promise
    wait, reaction = format_duration(promise.wait_seconds), f"{format_number(auto.reaction_seconds)}s"
    if subject.spec.load.burst is None:
        return subject.reason(WORKED_OFF_NONE, str(auto.burst_replicas))
    if promise.wait_seconds <= auto.reaction_seconds:
        return subject.reason(WORKED_OFF_LATE, str(auto.burst_replicas), wait=wait, reaction=reaction)
    return subject.reason(
        WORKED_OFF,
        str(auto.burst_replicas),
        burst=format_rate(promise.burst_per_second),
        shards=len(subject.plan.topology.shards),
        lasts=f"{format_number(promise.burst_seconds)}s",
        wait=wait,
        mean=format_duration(promise.mean_seconds),
        concurrency=subject.plan.worker.concurrency,
        declared=_declared_minimum(subject),
        reaction=reaction,
    )
