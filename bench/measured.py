"""What of a fleet is seen, and what it teaches.

`python -m bench.measured all`, or one of the figures; `alerts` needs nothing that runs, `page` a Chromium, `panels` a fleet with a Prometheus
(`make up MONITORING=1`), `runtimes` the sandbox's broker or another.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.measuring import measure_each, names_asked, running_environment
from bench.page import page_load
from bench.wrong_runtimes import measured_runtimes
from fleet.dashboards import derive_dashboards
from ops.progress import Progress
from ops.promtool import find_promtool
from ops.scanning import cache_folder
from ops.target import ROOT, load_local_plan
from tests.cluster.prometheus import panels, prometheus, without_data
from tests.cluster.running_fleet import RunningFleet, enqueue, running_fleet, sandbox_environment
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments
from tests.scan.alert_cases import CASES
from tests.scan.promtool import PROGRAM_VARIABLE
from tests.scan.test_alerts import wrong

COMMAND = "python -m bench.measured"
NAME = "measured"

PATIENCE_SECONDS = 300.0
ROUND_SECONDS = 10.0


def alerts_tested() -> dict[str, Any]:
    """Kinds of alerts that fire for the one series and keep quiet for the other."""
    program = find_promtool(os.environ, cache_folder(os.environ), Progress())
    if program is None:
        raise SystemExit("there is no promtool, and no apt to get it from")
    os.environ[PROGRAM_VARIABLE] = str(program)
    with tempfile.TemporaryDirectory() as folder:
        passed = {
            case.identity: not wrong(case, case.firing, case.alerts, Path(folder))
            and not wrong(case, case.quiet, [], Path(folder))
            for case in CASES
        }
    return {"alerts_tested": sum(passed.values()), "alerts": len(passed)}


def panels_with_data() -> dict[str, Any]:
    """Share of the panels of which every query has an answer, once every queue has had a little to do."""
    with running_fleet(sandbox_environment()) as fleet, prometheus(fleet) as client:
        return _asked(fleet, client)


def _asked(fleet: RunningFleet, client: httpx.Client) -> dict[str, Any]:
    asked = panels(derive_dashboards(load_local_plan(ROOT)))
    empty = dict(asked)
    end = time.monotonic() + PATIENCE_SECONDS
    with fleet.http() as web:
        while empty and time.monotonic() < end:
            for queue, task in TASK_OF_QUEUE.items():
                enqueue(web, task, kwargs=arguments(queue, "panel", seconds=0.5))
            time.sleep(ROUND_SECONDS)
            empty = {name: left for name, texts in empty.items() if (left := without_data(client, texts))}
    for name, texts in empty.items():
        sys.stderr.write(f"no data: {name}: {texts}\n")
    return {"panels_with_data_ratio": round(1 - len(empty) / len(asked), 3), "panels": len(asked)}


MEASUREMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "alerts": alerts_tested,
    "page": page_load,
    "panels": panels_with_data,
    "runtimes": measured_runtimes,
}


def main() -> None:
    """Measure what was asked for."""
    asked = names_asked(COMMAND, __doc__, MEASUREMENTS, purpose="what to measure")
    measure_each(NAME, f"{COMMAND} all", {name: MEASUREMENTS[name] for name in asked}, running_environment)


if __name__ == "__main__":
    main()
