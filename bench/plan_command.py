"""How long `fleet plan` takes, from the shell's view: interpreter, imports, derivation and printing, whole.

`python -m bench.plan_command` writes `plan_4_queues_seconds` and `plan_500_queues_seconds`, medians of seven runs, into bench/results/plan.json.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.previews import many_queues
from bench.results_file import keep_figures

ROOT = Path(__file__).resolve().parents[1]
RUNS = 7
MANY_QUEUES = 500

# 500 queues reach 1,500 pods and 90,000 messages an hour, whose connections and backlog the local broker would not hold.
LARGE_BROKER = "config:\n  celery-fleet:environment:\n    broker: {memory: 16Gi, storage: 10Gi}\n"


def plan_seconds(folder: Path) -> float:
    """Median of the wall time of `fleet plan` on the catalogue in a folder; one run before them warms the file cache."""
    taken: list[float] = []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "fleet", "plan"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        taken.append(time.perf_counter() - begin)
    return round(statistics.median(taken[1:]), 2)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="plan-bench-") as temporary:
        folder = Path(temporary)
        (folder / "queues.yaml").write_text(many_queues(MANY_QUEUES), encoding="utf-8")
        (folder / "Pulumi.local.yaml").write_text(LARGE_BROKER, encoding="utf-8")
        figures = {"plan_4_queues_seconds": plan_seconds(ROOT), "plan_500_queues_seconds": plan_seconds(folder)}
    for key, seconds in figures.items():
        sys.stdout.write(f"{key} {seconds}\n")
    keep_figures("plan", "python -m bench.plan_command", os.environ, figures)


if __name__ == "__main__":
    main()
