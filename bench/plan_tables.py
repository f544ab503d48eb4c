"""The results of `bench.plan` as the tables of docs/designs/scaling.md: `python -m bench.plan_tables` writes them between two markers.

Invariant: no figure of that section is typed; a test compares the section with what stands in the results file.
"""

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.plan import NAME
from bench.results_file import load_figures, write_section
from fleet.simulate.traces import SMOOTH

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "designs" / "scaling.md"
BEGIN, END = "<!-- figures: python -m bench.plan_tables -->\n", "<!-- end of figures -->\n"

POLICIES = {
    "hpa-cpu": "HPA on CPU at 80 %",
    "keda-default": "KEDA, ready messages, value 20 (its documented example)",
    "keda-wait": "KEDA, ready messages, value `c (1 + W/S)`",
    "keda-busy": "KEDA, ready + unacknowledged, value `c`",
    "fixed-peak": "as many pods as the peak needs, always",
    "plan": "**the rule**",
}
CLASSES = {
    "reports": "reports: 40 s, W 600 s, long",
    "mail": "mail: 300 ms, W 30 s, mid",
    "cpu": "cpu: 2 s, W 10 s, short",
    "io": "io: 80 ms, W 1 s, short",
}


def section(figures: dict[str, Any]) -> str:
    """Everything between the markers."""
    return "\n".join(
        [
            *_policies(figures),
            "",
            *_classes(figures),
            "",
            *_missed(figures),
            "",
            *_forms(figures),
            "",
            *_proposal(figures),
            "",
        ]
    )


def _policies(figures: dict[str, Any]) -> Iterator[str]:
    yield "| policy | kept, of 40 traces | on two held-out seeds, of 80 | " + " | ".join(CLASSES) + " |"
    yield "|---|---|---|" + "---|" * len(CLASSES)
    kept, held_out = figures["kept_of_40_by_policy"], figures["kept_of_80_held_out_by_policy"]
    for policy, name in POLICIES.items():
        cells = " | ".join(_smooth(figures["by_class"][queue], policy) for queue in CLASSES)
        yield f"| {name} | {kept[policy]} | {held_out[policy]} | {cells} |"


def _smooth(traces: dict[str, Any], policy: str) -> str:
    """Mean of pod-hours over the bound's, of the smooth traces that the policy kept."""
    found = [traces[trace.value][policy] for trace in sorted(SMOOTH)]
    kept = [cell["ratio"] for cell in found if cell["kept"]]
    return f"{statistics.mean(kept):.2f} ({len(kept)})" if kept else "none kept"


def _classes(figures: dict[str, Any]) -> Iterator[str]:
    yield "| the rule on | smooth traces, mean | worst | bursty traces, mean | worst |"
    yield "|---|---|---|---|---|"
    for queue, name in CLASSES.items():
        smooth, bursty = (figures["ratios_by_class"][queue][kind] for kind in ("smooth", "bursty"))
        yield f"| {name} | {smooth['mean']:.2f} | {smooth['worst']:.2f} | {bursty['mean']:.2f} | {bursty['worst']:.2f} |"


def _missed(figures: dict[str, Any]) -> Iterator[str]:
    said = "; ".join(f"{seed}: {', '.join(missed)}" for seed, missed in figures["missed_by_plan"].items())
    yield f"Missed by the rule (share of the tasks that were in time): {said}."


def _forms(figures: dict[str, Any]) -> Iterator[str]:
    yield "| form, of 10 traces a class | " + " | ".join(CLASSES) + " |"
    yield "|---|" + "---|" * len(CLASSES)
    for form, classes in figures["forms"].items():
        cells = " | ".join(
            f"{classes[queue]['kept_of_10']} at {classes[queue]['pod_hours']:.0f} h" for queue in CLASSES
        )
        yield f"| {form} | {cells} |"
    slow = figures["slow_queue"]
    yield ""
    yield (
        "On a slow queue (0.1/s, 20 s a task, W 60 s) "
        + "; ".join(
            f"the {form} keeps {found['kept_of_10']} of 10 for {found['pod_hours']:.1f} pod-hours"
            for form, found in slow.items()
        )
        + f". The simulation serves {figures['simulator_events_per_second']:,} tasks a second."
    )


def _proposal(figures: dict[str, Any]) -> Iterator[str]:
    """The form of the open question, beside the rule."""
    queues = ("mail", "cpu", "slow")
    yield "| two held-out seeds, of 20 traces | form | " + " | ".join(queues) + " |"
    yield "|---|---|" + "---|" * len(queues)
    for declared, forms in figures["proposal_bounded_rate"].items():
        for form, found in forms.items():
            cells = " | ".join(f"{found[queue]['kept_of_20']} at {found[queue]['pod_hours']:.0f} h" for queue in queues)
            yield f"| {declared} | {form} | {cells} |"


def main() -> None:
    """Write the section."""
    write_section(DOCUMENT, BEGIN, END, section(load_figures(NAME)))
    sys.stdout.write(f"{DOCUMENT}\n")


if __name__ == "__main__":
    main()
