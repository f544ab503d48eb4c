"""A report as text: the answer in the first lines, then every run."""

from collections.abc import Iterable, Iterator, Sequence

from fleet.simulate.examining import Report
from fleet.simulate.outcome import Outcome
from fleet.simulate.policies import PolicyName
from fleet.simulate.stress import LOAD_MULTIPLE_MAX, Stress, first_to_break
from fleet.tables import BOLD, Column, Screen, table_lines, title
from fleet.units import format_duration, format_number, format_promise, format_rate

HEADINGS = (
    "queue",
    "trace",
    "policy",
    "in time",
    "promised",
    "p50",
    "p95",
    "p99",
    "pod-hours",
    "x bound",
    "changes",
    "kept",
)

CENT = 0.01
"""USD below this are shown with two digits that count, not as nothing."""


def report_lines(report: Report, screen: Screen, *, every_policy: bool) -> Iterator[str]:
    """Everything that a person sees: the runs of the plan, or of every policy that was run."""
    shown = report.outcomes if every_policy else _of(report, PolicyName.PLAN)
    queues = len({outcome.queue for outcome in report.outcomes})
    yield title(f"Fleet {report.fleet}, environment {report.environment}: {queues} queues, seed {report.seed}", screen)
    yield from answer_lines(report)
    yield ""
    columns = [Column(heading=heading, whole=True) for heading in HEADINGS[:-1]]
    yield from table_lines([*columns, Column(heading=HEADINGS[-1], style=BOLD)], map(outcome_cells, shown), screen)
    if report.beyond:
        yield ""
        yield title("Beyond this plan, and not counted", screen)
        yield from (f"{item.queue} {item.trace}: {item.why}" for item in report.beyond)
    interrupted = [outcome for outcome in shown if outcome.interrupted]
    if interrupted:
        yield ""
        yield title("Tasks interrupted when pods were told to stop", screen)
        for outcome in interrupted:
            share = 100 * outcome.interrupted / outcome.tasks
            yield f"{outcome.queue} {outcome.trace} {outcome.policy}: {outcome.interrupted} of {outcome.tasks} ({share:.1f} %)"


def answer_lines(report: Report) -> Iterator[str]:
    """Does it keep its promises, at what cost, what breaks first: a line or two each."""
    yield _kept_line(report)
    yield from _cost_lines(report)
    if report.stresses:
        yield from _break_lines(report.stresses)


def outcome_cells(outcome: Outcome) -> tuple[str, ...]:
    """One run as a row under `HEADINGS`."""
    return (
        outcome.queue,
        outcome.trace,
        outcome.policy,
        f"{outcome.within_percent:.1f} %",
        format_promise(outcome.promised_percentile, outcome.promised_wait_seconds),
        *(_wait(wait) for wait in (outcome.wait_p50_seconds, outcome.wait_p95_seconds, outcome.wait_p99_seconds)),
        f"{outcome.pod_hours:.2f}",
        "" if outcome.ratio is None else f"{outcome.ratio:.2f}",
        str(outcome.scale_events),
        "yes" if outcome.kept else "NO",
    )


def _wait(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return "0s" if seconds < 0.001 else format_duration(float(f"{seconds:.3g}"))


def _of(report: Report, policy: PolicyName) -> list[Outcome]:
    return [outcome for outcome in report.outcomes if outcome.policy == policy.value]


def _kept_line(report: Report) -> str:
    left_out = {(item.queue, item.trace) for item in report.beyond}
    missed = [
        outcome
        for outcome in _of(report, PolicyName.PLAN)
        if not outcome.kept and (outcome.queue, outcome.trace) not in left_out
    ]
    beyond = f"; {len(report.beyond)} batch dump(s) are beyond it, see below" if report.beyond else ""
    if not missed:
        return f"Keeps its promises: yes, on all {report.counted} traces that count{beyond}."
    first = ", ".join(
        f"{outcome.queue} on {outcome.trace} ({outcome.within_percent:.1f} % in time, promised"
        f" {format_number(outcome.promised_percentile)} %)"
        for outcome in missed[:3]
    )
    more = f" and {len(missed) - 3} more" if len(missed) > 3 else ""
    return (
        f"Keeps its promises: no, it misses {len(missed)} of {report.counted} traces that count: {first}{more}{beyond}."
    )


def _cost_lines(report: Report) -> Iterator[str]:
    bound = sum(outcome.pod_hours for outcome in _of(report, PolicyName.CLAIRVOYANT))
    for policy in PolicyName:
        outcomes = _of(report, policy)
        if not outcomes or policy is PolicyName.CLAIRVOYANT:
            continue
        hours = sum(outcome.pod_hours for outcome in outcomes)
        ratio = f", {hours / bound:.2f} x the clairvoyant bound" if bound else ""
        kept = sum(outcome.kept for outcome in outcomes)
        name = "Costs" if policy is PolicyName.PLAN else f"  beside it {policy.value}"
        yield f"{name}: {hours:.1f} pod-hours{_paid(outcomes)}{ratio}; {kept} of {len(outcomes)} traces kept."
        if policy is PolicyName.PLAN:
            yield from _queue_cost_lines(report, outcomes)


def _queue_cost_lines(report: Report, outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Each queue's part, where anything is paid for."""
    prices = {price.queue: price.usd_per_hour for price in report.prices}
    by_queue: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_queue.setdefault(outcome.queue, []).append(outcome)
    for name, mine in by_queue.items() if prices else ():
        hours = sum(outcome.pod_hours for outcome in mine)
        paid = f"at USD {prices[name]:.4g}{_paid(mine)}" if name in prices else "on nodes that are not counted"
        yield f"  {name}: {hours:.1f} pod-hours {paid}"


def _paid(outcomes: Iterable[Outcome]) -> str:
    costs = [outcome.cost for outcome in outcomes if outcome.cost is not None]
    total = sum(costs)
    return f", USD {total:{',.2f' if total >= CENT else '.2g'}}" if costs else ""


def _break_lines(stresses: Sequence[Stress]) -> Iterator[str]:
    first = first_to_break(stresses)
    yield f"Breaks first under more load: {_load(first)}." + _others(
        stress for stress in stresses if stress is not first
    )
    yield _under(
        "runtimes twice as long as declared", stresses, [found.breaks_with_double_runtime for found in stresses]
    )
    yield _under(
        "pods that start 5 s later", stresses, [found.breaks_with_startup_5_seconds_later for found in stresses]
    )
    yield _under(
        "pods that take 5 times as long to start",
        stresses,
        [found.breaks_with_startup_5_times_longer for found in stresses],
    )


def _load(found: Stress) -> str:
    if found.load_multiple == 0:
        return f"{found.queue}, at its declared peak already"
    if found.load_multiple >= LOAD_MULTIPLE_MAX:
        return f"{found.queue} takes {format_number(LOAD_MULTIPLE_MAX)} times its declared peak"
    return f"{found.queue}, above {format_number(found.load_multiple)} times its declared peak ({format_rate(found.load_per_second)})"


def _others(stresses: Iterable[Stress]) -> str:
    rest = ", ".join(f"{found.queue} {format_number(found.load_multiple)}" for found in stresses)
    return f" The others: {rest}." if rest else ""


def _under(what: str, stresses: Sequence[Stress], broken: Sequence[tuple[str, ...]]) -> str:
    named = [f"{found.queue} ({', '.join(traces)})" for found, traces in zip(stresses, broken, strict=True) if traces]
    return f"With {what}: {'every promise still holds' if not named else 'breaks ' + ', '.join(named)}."
