"""The autoscaler: reaction, regime, metric, and how many pods there are at least, at peak and at most."""

from collections.abc import Iterator

from fleet import scaling
from fleet.reasons.rules import Number
from fleet.reasons.sources import KEDA_RABBITMQ, KEDA_SCALED_OBJECT, SCALING
from fleet.reasons.subject import Subject
from fleet.records import Reason
from fleet.scaling import Regime
from fleet.units import format_duration, format_number

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


def explain(subject: Subject) -> Iterator[Reason]:
    """From the reaction to the metric and its pace."""
    yield from _regime_reasons(subject)
    yield from _metric_reasons(subject)


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
