"""How many seeded faults `fleet check` finds in one pass, each at its exact place.

`python -m bench.seeded_faults` writes `seeded_faults` and `seeded_faults_found` into bench/results/plan.json.
"""

import os
import sys

from bench.faults import FAULTS, find, places
from bench.results_file import keep_figures


def faults_found() -> int:
    """Of all faults, seeded at once, those that one run reports at their file, line, column and key path."""
    found = set(places(find(FAULTS)))
    return sum(fault.place in found for fault in FAULTS)


def main() -> None:
    figures = {"seeded_faults": len(FAULTS), "seeded_faults_found": faults_found()}
    for key, count in figures.items():
        sys.stdout.write(f"{key} {count}\n")
    keep_figures("plan", "python -m bench.seeded_faults", os.environ, figures)


if __name__ == "__main__":
    main()
