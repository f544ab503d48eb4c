"""The autoscaler: reaction, regime, metric, and how many pods there are at least, at peak and at most."""

from collections.abc import Iterator

from fleet import scaling
from fleet.reasons.rules import Number
from fleet.reasons.sources import CATALOGUE_DEFAULT, ENVIRONMENT_FILE, KEDA_RABBITMQ, KEDA_SCALED_OBJECT, SCALING
from fleet.reasons.subject import Subject, is_stated
from fleet.records import Basis, Reason
from fleet.scaling import Regime
from fleet.units import format_duration, format_number, format_rate

_REACTION = Number(
    path="scaling.reaction",
    means="Typical time from a message to a pod that takes it",
    fields=("autoscaling.reaction_seconds",),
)
REACTION = _REACTION.computed(
    "{sync} / 2 + {statistics} + {startup}",
    "half an HPA sync, the age of the broker's statistics, the start of a pod",
    SCALING,
)

_REGIME = Number(
    path="scaling.regime", means="How the promised wait compares with the reaction", fields=("autoscaling.regime",)
)
REGIME_LONG = _REGIME.chosen("{wait} >= 3 x {reaction}", "a backlog may be worked off at leisure", SCALING)
REGIME_MID = _REGIME.chosen(
    "1.25 x {reaction} <= {wait} < 3 x {reaction}", "pods come in time, if they are asked for at once", SCALING
)
REGIME_SHORT = _REGIME.chosen(
    "{wait} < 1.25 x {reaction}", "nothing reactive is in time, so pods wait for a burst", SCALING
)

_METRIC = Number(path="scaling.metric", means="What KEDA counts", fields=("autoscaling.formula",))
METRIC_LONG = _METRIC.chosen("{regime}", "messages in work count too, so a busy queue keeps its pods", KEDA_RABBITMQ)
METRIC_MID = _METRIC.chosen(
    "(max(total - ready, 0) / {multiplier} / {share} + ready x {mean} / {wait}) / {concurrency}",
    "pods for the busy slots, and for the backlog within the wait; 0.95 is inside the HPA's tolerance of 10 %",
    SCALING,
)
METRIC_SHORT = _METRIC.chosen(
    "(max(total - ready, 0) / {multiplier} / {share} + ready x {mean} / max({wait}, {least})) / {concurrency}",
    "pods for the busy slots, and for the backlog; 0.9 is outside the HPA's tolerance, so saturated pods grow by a tenth each sync",
    SCALING,
)

_TARGET = Number(path="scaling.target", means="AverageValue of the metric", fields=("autoscaling.target",))
TARGET_LONG = _TARGET.computed(
    "{concurrency} x (1 + {share} x {wait} / {mean})",
    "messages a pod: what it runs, and a backlog worth three tenths of the wait, so that the percentile is kept",
    SCALING,
)
TARGET_FORMULA = _TARGET.default("the formula counts pods", KEDA_SCALED_OBJECT)

_WINDOW = Number(
    path="scaling.window",
    means="Time that the number of pods has to stay lower before any goes",
    fields=("autoscaling.scale_down_window_seconds",),
)
WINDOW = _WINDOW.chosen(
    "{regime}", "long enough not to follow noise, short enough not to pay for it; chosen by simulation", SCALING
)

_POLLING = Number(path="scaling.polling", means="KEDA's pollingInterval", fields=("autoscaling.polling_seconds",))
POLLING = _POLLING.default("matters from zero to one pod only", KEDA_SCALED_OBJECT)

_COOLDOWN = Number(
    path="scaling.cooldown",
    means="Time without work before the last pod goes",
    fields=("autoscaling.cooldown_seconds",),
)
COOLDOWN = _COOLDOWN.default("matters from one pod to zero only; chosen by simulation", SCALING)

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
    """The rule from the reaction to the bounds."""
    yield from _regime_reasons(subject)
    yield from _metric_reasons(subject)
    yield from _peak_reasons(subject)
    yield from _minimum_reasons(subject)
    yield from _maximum_reasons(subject)


def _regime_reasons(subject: Subject) -> Iterator[Reason]:
    auto = subject.plan.autoscaling
    reaction = f"{format_number(auto.reaction_seconds)}s"
    yield subject.reason(
        REACTION,
        reaction,
        sync=f"{scaling.HPA_SYNC_SECONDS:g}s",
        statistics=f"{scaling.STATISTICS_AGE_SECONDS:g}s",
        startup=f"{format_number(subject.environment.startup_seconds)}s",
    )
    rule = {Regime.LONG: REGIME_LONG, Regime.MID: REGIME_MID, Regime.SHORT: REGIME_SHORT}[auto.regime]
    yield subject.reason(
        rule, auto.regime.value, wait=format_duration(subject.plan.promise.wait_seconds), reaction=reaction
    )


def _metric_reasons(subject: Subject) -> Iterator[Reason]:
    auto, promise = subject.plan.autoscaling, subject.plan.promise
    regime, slots = auto.regime, str(subject.plan.worker.concurrency)
    mean, wait = format_duration(promise.mean_seconds), format_duration(promise.wait_seconds)
    if auto.formula is None:
        yield subject.reason(METRIC_LONG, "ready + unacknowledged", regime=regime.value)
        yield subject.reason(
            TARGET_LONG,
            f"{format_number(auto.target)} messages",
            concurrency=slots,
            share=scaling.BACKLOG_SHARE_LONG,
            wait=wait,
            mean=mean,
        )
    else:
        rule = METRIC_MID if regime is Regime.MID else METRIC_SHORT
        yield subject.reason(
            rule,
            auto.formula,
            multiplier=subject.plan.worker.prefetch_multiplier,
            share=scaling.busy_share(regime),
            mean=mean,
            wait=wait,
            least=f"{scaling.SHORT_WAIT_FLOOR_SECONDS:g}s",
            concurrency=slots,
        )
        yield subject.reason(TARGET_FORMULA, format_number(auto.target))
    yield subject.reason(WINDOW, f"{auto.scale_down_window_seconds}s", regime=regime.value)
    yield subject.reason(POLLING, f"{auto.polling_seconds}s")
    yield subject.reason(COOLDOWN, f"{auto.cooldown_seconds}s")


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


def _minimum_reasons(subject: Subject) -> Iterator[Reason]:
    queue, promise, auto = subject.plan, subject.plan.promise, subject.plan.autoscaling
    stated = subject.environment.minimums.get(queue.name)
    declared = subject.spec.replicas.min if stated is None else stated
    if stated is not None:
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
    auto = subject.plan.autoscaling
    if subject.spec.replicas.max is not None:
        yield subject.reason(MAXIMUM_STATED, str(auto.max_replicas))
    else:
        yield subject.reason(
            MAXIMUM,
            str(auto.max_replicas),
            headroom=scaling.PEAK_HEADROOM,
            peak=auto.peak_replicas,
            minimum=auto.min_replicas,
        )
    yield subject.reason(FALLBACK, str(auto.fallback_replicas), minimum=auto.min_replicas)
    yield subject.reason(FALLBACK_FAILURES, str(auto.fallback_failures))
