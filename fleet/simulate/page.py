"""A report as one HTML page that needs nothing else: no network, no script, light and dark as the reader's machine has it.

For each queue and trace: arrivals, messages that wait, pods, and the wait beside the promise, as the plan had them.
Invariant: every text from the catalogue passes `escape`.
"""

from collections.abc import Iterable, Iterator
from html import escape
from itertools import pairwise

import numpy as np

from fleet.page import STYLE
from fleet.simulate.charts import Series, chart
from fleet.simulate.engine import Run
from fleet.simulate.examining import Examination
from fleet.simulate.model import Floats, SimulatedQueue
from fleet.simulate.outcome import Outcome
from fleet.simulate.policies import PolicyName
from fleet.simulate.report_lines import HEADINGS, answer_lines, outcome_cells
from fleet.simulate.study import Comparison
from fleet.units import format_duration

BINS = 160
"""Points of a line: more than that nobody sees in 760 pixels."""

CHART_STYLE = """
svg { display: block; width: 100%; max-width: 60rem; margin: .4rem 0; } svg text { font: 10px system-ui, sans-serif; fill: var(--soft); }
svg .name { fill: var(--text); font-weight: 600; } svg .soft { fill: var(--soft); font-weight: 400; } svg path { fill: none; stroke-width: 1.4; }
path.axis { stroke: var(--line); } path.one { stroke: var(--one); } path.two { stroke: var(--two); } path.limit { stroke: var(--limit); stroke-dasharray: 4 3; }
svg tspan.one { fill: var(--one); } svg tspan.two { fill: var(--two); } svg tspan.limit { fill: var(--limit); }
.no { color: var(--limit); font-weight: 700; }
"""


def report_page(found: Examination) -> str:
    """The whole page."""
    report = found.report
    heading = f"Fleet {report.fleet}, environment {report.environment}: simulated, seed {report.seed}"
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(heading)}</title>\n<style>{STYLE}{CHART_STYLE}</style>\n</head>\n<body>\n",
            f"<h1>{escape(heading)}</h1>\n",
            *(f"<p>{escape(line)}</p>\n" for line in answer_lines(report)),
            *(
                f"<p>Beyond this plan: {escape(item.queue)} {escape(item.trace)}. {escape(item.why)}</p>\n"
                for item in report.beyond
            ),
            *_queues(found.comparisons),
            "<h2>Every run</h2>\n",
            *_table(report.outcomes),
            "</body>\n</html>\n",
        ]
    )


def _queues(comparisons: Iterable[Comparison]) -> Iterator[str]:
    name = None
    for comparison in comparisons:
        if comparison.queue.name != name:
            name = comparison.queue.name
            shards = f", one of {comparison.queue.shards} shards" if comparison.queue.shards > 1 else ""
            yield f"<h2>{escape(name)}{shards}</h2>\n"
        yield _trace(comparison)


def _trace(comparison: Comparison) -> str:
    mine = next(result for result in comparison.outcomes if result.policy == PolicyName.PLAN.value)
    verdict = "kept" if mine.kept else '<b class="no">missed</b>'
    summary = f"{escape(mine.trace)} <span>{mine.within_percent:.1f} % in time, {mine.pod_hours:.2f} pod-hours</span> {verdict}"
    body = "".join([*_charts(comparison.runs[PolicyName.PLAN], comparison.queue), *_table(comparison.outcomes)])
    opened = "" if mine.kept else " open"
    return f"<details{opened}><summary>{summary}</summary>\n{body}</details>\n"


def _charts(run: Run, queue: SimulatedQueue) -> Iterator[str]:
    end = run.end_seconds
    edges = np.linspace(0.0, end, BINS + 1)
    begins = edges[:-1].tolist()
    counts = np.histogram(run.workload.arrivals, edges)[0]
    rates = (counts / (end / BINS)).tolist()
    yield chart(
        "Arrivals", "a second", [Series(name="tasks", style="one", times=begins, values=rates)], end_seconds=end
    )
    shown = run.samples[:: max(1, len(run.samples) // (2 * BINS))]
    times = [sample.seconds for sample in shown]
    ready = [float(sample.ready) for sample in shown]
    busy = [float(sample.busy) for sample in shown]
    messages = [
        Series(name="ready", style="one", times=times, values=ready),
        Series(name="in hand", style="two", times=times, values=busy),
    ]
    yield chart("Messages", "messages", messages, end_seconds=end)
    changes = [*run.replicas, (end, run.replicas[-1][1])]
    pods = [
        Series(
            name="wanted",
            style="one",
            step=True,
            times=[when for when, _ in changes],
            values=[float(count) for _, count in changes],
        ),
        Series(name="ready", style="two", times=times, values=[float(sample.ready_pods) for sample in shown]),
    ]
    yield chart("Pods", "pods", pods, end_seconds=end)
    waits = [
        Series(
            name=f"{queue.percentile:g} % start within",
            style="one",
            times=begins,
            values=_waits(run, edges, queue.percentile),
        ),
        Series(
            name=f"promise {format_duration(queue.wait_seconds)}",
            style="limit",
            times=[0.0, end],
            values=[queue.wait_seconds] * 2,
        ),
    ]
    yield chart("Wait of tasks by arrival", "s", waits, end_seconds=end)


def _waits(run: Run, edges: Floats, percentile: float) -> list[float | None]:
    """The promised percentile of the waits of each bin's arrivals; None where nothing arrived, or never started."""
    waits = run.starts - run.workload.arrivals
    cuts = np.searchsorted(run.workload.arrivals, edges)
    found: list[float | None] = []
    for begin, end in pairwise(cuts):
        value = float(np.percentile(waits[begin:end], percentile, method="higher")) if end > begin else np.inf
        found.append(value if np.isfinite(value) else None)
    return found


def _table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    yield '<div class="wide"><table>\n<thead><tr>'
    yield "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    yield "</tr></thead>\n<tbody>\n"
    for outcome in outcomes:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in outcome_cells(outcome)) + "</tr>\n"
    yield "</tbody>\n</table></div>\n"
