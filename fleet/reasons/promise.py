"""What is known and promised: the load after the environment's factor, the wait and its percentile."""

from collections.abc import Iterator

from fleet.reasons.rules import Number
from fleet.reasons.sources import CATALOGUE_DEFAULT, ENVIRONMENT, SCALING
from fleet.reasons.subject import Subject, is_stated
from fleet.records import Reason
from fleet.units import format_duration, format_number, format_rate

_WAIT = Number(path="promise.wait", means="Promised wait between enqueue and start", fields=("promise.wait_seconds",))
WAIT_STATED = _WAIT.stated()
WAIT_DEFAULT = _WAIT.default("half a minute suits most work that nobody watches", CATALOGUE_DEFAULT)

_PERCENTILE = Number(
    path="promise.percentile",
    means="Share of the tasks, in percent, for which the wait is promised",
    fields=("promise.percentile",),
)
PERCENTILE_STATED = _PERCENTILE.stated()
PERCENTILE_DEFAULT = _PERCENTILE.default("one task in twenty may wait longer", CATALOGUE_DEFAULT)

_PEAK = Number(
    path="load.peak", means="Arrivals a second at peak, all shards together", fields=("promise.peak_per_second",)
)
PEAK = _PEAK.computed(
    "{peak} x {load_factor}", "an environment may carry a part of the load, or more of it", ENVIRONMENT
)

_BURST = Number(
    path="load.burst",
    means="Arrivals a second in the worst burst, all shards together",
    fields=("promise.burst_per_second",),
)
BURST_STATED = _BURST.computed("{burst} x {load_factor}", "the burst as it is stated", ENVIRONMENT)
BURST_ASSUMED = _BURST.computed("{peak}", "no burst is stated: the peak, suddenly", SCALING)

_BURST_LASTS = Number(path="load.burst_lasts", means="Length of that burst", fields=("promise.burst_seconds",))
BURST_LASTS_STATED = _BURST_LASTS.stated()
BURST_LASTS_DEFAULT = _BURST_LASTS.default("no burst is stated: the peak, suddenly, for a minute", SCALING)

_BUSY = Number(path="load.busy_slots", means="Slots that are busy at peak, of each shard")
BUSY = _BUSY.computed(
    "{peak} / {shards} x {mean}", "Little's law: what runs is what arrives in the time that it runs", SCALING
)


def explain(subject: Subject) -> Iterator[Reason]:
    """The wait, the percentile and the load."""
    spec, promise, environment = subject.spec, subject.plan.promise, subject.environment
    yield subject.reason(
        WAIT_STATED if is_stated(spec, "wait", "promise") else WAIT_DEFAULT, format_duration(promise.wait_seconds)
    )
    yield subject.reason(
        PERCENTILE_STATED if is_stated(spec, "wait", "percentile") else PERCENTILE_DEFAULT,
        format_number(promise.percentile),
    )
    peak = format_rate(promise.peak_per_second)
    factor = environment.load_factor
    yield subject.reason(PEAK, peak, peak=format_rate(spec.load.peak), load_factor=factor)
    burst, lasts = spec.load.burst, format_duration(promise.burst_seconds)
    if burst is None:
        yield subject.reason(BURST_ASSUMED, format_rate(promise.burst_per_second), peak=peak)
        yield subject.reason(BURST_LASTS_DEFAULT, lasts)
    else:
        yield subject.reason(
            BURST_STATED,
            format_rate(promise.burst_per_second),
            burst=format_rate(burst.rate),
            load_factor=factor,
        )
        yield subject.reason(BURST_LASTS_STATED, lasts)
    shards = len(subject.plan.topology.shards)
    yield subject.reason(
        BUSY,
        format_number(promise.peak_per_second / shards * promise.mean_seconds),
        peak=peak,
        shards=shards,
        mean=format_duration(promise.mean_seconds),
    )
