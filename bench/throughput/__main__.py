"""`python -m bench.throughput`: with the sandbox's fleet up, or against the broker that `FLEET_TEST_BROKER` names.

The figures go into `bench/results/throughput.json`, and from there into docs/explanation/throughput.md.
"""

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from bench.results_file import keep_figures
from bench.throughput import draining, publishing, web_load
from bench.throughput.page import write_page
from bench.throughput.place import Place, place
from bench.throughput.sample import Sample, measure_rounds, percentile, ratio, summed_up

STEADY_PER_SECOND = 100.0


def tell(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def publish(here: Place, count: int, rounds: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Every way to publish."""

    def measured(variant: str) -> Sample:
        found = publishing.VARIANTS[variant](here, count)
        here.purge()
        return found

    found = measure_rounds({name: partial(measured, name) for name in publishing.VARIANTS}, rounds, tell)
    figures = {name: summed_up([each[name] for each in found]) for name in publishing.VARIANTS}
    return figures, {
        "enqueue_many_over_apply_async": ratio(found, "durable_enqueue_many", "durable_apply_async"),
        "enqueue_many_over_unconfirmed": ratio(found, "durable_enqueue_many", "durable_apply_async_unconfirmed"),
        "enqueue_many_over_raw_confirmed": ratio(found, "durable_enqueue_many", "raw_confirmed"),
    }


def drain(here: Place, count: int, rounds: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Every way to drain, and the waits of single tasks."""
    variants = draining.variants(here, count)
    found = measure_rounds(variants, rounds, tell)
    figures = {name: summed_up([each[name] for each in found]) for name in variants}
    for variant in ("stock", "durable"):
        waits = sorted(draining.waits(here, variant, per_second=STEADY_PER_SECOND, count=300))
        figures[f"{variant}_x1"] |= {
            "steady_wait_p50_ms": round(1000 * percentile(waits, 50), 2),
            "steady_wait_p99_ms": round(1000 * percentile(waits, 99), 2),
        }
    return figures, {
        "durable_over_stock_x1": ratio(found, "durable_x1", "stock_x1"),
        "durable_over_stock_x4": ratio(found, "durable_x4", "stock_x4"),
    }


def main() -> int:
    """Measure what is asked for, all of it by default."""
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__)
    parser.add_argument("parts", nargs="*", help="publish, drain, web; all of them by default")
    parser.add_argument("--count", type=int, default=2000, help="tasks of a measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each variant")
    given = parser.parse_args()
    parts = given.parts or ["publish", "drain", "web"]
    measured: dict[str, Any] = {"publish": publish, "drain": drain, "web": partial(web_load.measure, tell=tell)}
    with tempfile.TemporaryDirectory() as folder, place(Path(folder)) as here:
        for part in parts:
            before = os.getloadavg()[0]
            figures, ratios = measured[part](here, count=given.count, rounds=given.rounds)
            # What else the machine did: rates suffer from it, and ratios much less.
            figures["load_average"] = [round(before, 1), round(os.getloadavg()[0], 1)]
            found = {part: figures, f"{part}_ratios": ratios}
            tell(str(found))
            command = f"python -m bench.throughput {part} --count {given.count} --rounds {given.rounds}"
            keep_figures("throughput", command, os.environ, found)
            write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
