"""The plan as one HTML page that needs nothing else: no network, no script, light and dark as the reader's machine has it.

Invariant: every text from the catalogue or the plan passes `escape`; the markup around it is all that stands here.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from fleet.plan import Plan, QueuePlan
from fleet.records import Reason
from fleet.rendering import QUEUE_HEADINGS, REASON_HEADINGS, queue_cells, reason_cells, reasons_by_queue, shared_rows
from fleet.style import PALETTE

STYLE = (
    PALETTE
    + """\
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 2rem auto; max-width: 90rem; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
td:first-child { font-weight: 600; white-space: nowrap; }
code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .6rem 0; padding: .5rem .9rem; }
details[open] { background: var(--band); }
summary { cursor: pointer; font-weight: 600; } summary span { color: var(--soft); font-weight: 400; }
"""
)


def plan_page(plan: Plan) -> str:
    """The whole page."""
    heading = f"Fleet {plan.fleet}, environment {plan.environment}: {len(plan.queues)} queues"
    reasons = reasons_by_queue(plan)
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(heading)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            f"<h1>{escape(heading)}</h1>\n",
            *_table(QUEUE_HEADINGS, map(queue_cells, plan.queues)),
            "<h2>Beside the queues</h2>\n",
            *_table(("part", "what"), shared_rows(plan)),
            *_notes(plan),
            "<h2>Why each number is what it is</h2>\n",
            *(_queue_reasons(queue, reasons.pop(queue.name, [])) for queue in plan.queues),
            *(_details(name, "", rest) for name, rest in reasons.items()),
            "</body>\n</html>\n",
        ]
    )


def _notes(plan: Plan) -> Iterator[str]:
    if plan.notes:
        yield "<h2>Notes</h2>\n"
        rows = ((f"{note.file}:{note.line}", f"{note.path} {note.problem}.", note.fix) for note in plan.notes)
        yield from _table(("place", "what", "because, and what else would do"), rows)


def _queue_reasons(queue: QueuePlan, reasons: list[Reason]) -> str:
    return _details(queue.name, f"takes {', '.join(queue.tasks)}", reasons)


def _details(name: str, note: str, reasons: list[Reason]) -> str:
    table = "".join(_table(REASON_HEADINGS, map(reason_cells, reasons), code=2))
    anchor = escape(name, quote=True)
    return f'<details id="{anchor}"><summary>{escape(name)} <span>{escape(note)}</span></summary>\n{table}</details>\n'


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, code: int | None = None) -> Iterator[str]:
    yield '<div class="wide"><table>\n<thead><tr>'
    yield "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    yield "</tr></thead>\n<tbody>\n"
    for row in rows:
        yield "<tr>" + "".join(_cell(cell, as_code=index == code) for index, cell in enumerate(row)) + "</tr>\n"
    yield "</tbody>\n</table></div>\n"


def _cell(text: str, *, as_code: bool) -> str:
    return f"<td><code>{escape(text)}</code></td>" if as_code else f"<td>{escape(text)}</td>"
