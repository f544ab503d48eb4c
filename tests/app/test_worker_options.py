"""What a worker is made of, asked of Celery's own worker object: whatever the application set for itself, the plan's numbers are what runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fleet.documents import dump_document
from tests.app.documents import ENVIRONMENT, GEVENT, SPOT_PREFORK, worker_document

ROOT = Path(__file__).parents[2]

# A process of its own: a worker that is made changes Celery's task class for good.
SCRIPT = """
import json, os, sys
from pathlib import Path
from celery import Celery
from app.settings import configure
from app.worker.running import worker_options
from fleet.documents import WorkerDocument, load_document

document = load_document(Path(sys.argv[1]), WorkerDocument)
app = Celery("user")
app.conf.update(
    worker_autoscaler="celery.worker.autoscale:Autoscaler", worker_concurrency=64, worker_prefetch_multiplier=99,
    worker_max_tasks_per_child=7, worker_max_memory_per_child=1, worker_pool="solo", task_time_limit=1,
)
configure(app, document, os.environ)
worker = app.Worker(**worker_options(document, "pod-1"))
print(json.dumps({
    "autoscale": worker.autoscale,
    "autoscaler": worker.autoscaler,
    "pool": worker.pool_cls.__module__,
    "concurrency": worker.concurrency,
    "prefetch_multiplier": worker.prefetch_multiplier,
    "max_tasks_per_child": worker.max_tasks_per_child,
    "max_memory_per_child": worker.max_memory_per_child,
    "optimization": worker.optimization,
    "limits": [worker.soft_time_limit, worker.time_limit],
    "queues": sorted(worker.app.amqp.queues.consume_from),
}))
"""


def made(folder: Path, document: Any) -> dict[str, Any]:
    path = folder / "document.json"
    path.write_text(dump_document(document), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)], cwd=ROOT, env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.scan
@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            worker_document("reports", worker=SPOT_PREFORK),
            {
                "pool": "app.worker.prefork",
                "concurrency": 1,
                "prefetch_multiplier": 4,
                "max_tasks_per_child": 50,
                "max_memory_per_child": 400 * 1024,
                "optimization": "fast",
                "limits": [25.0, 30.0],
                "queues": ["reports"],
            },
            id="prefork",
        ),
        pytest.param(
            worker_document(worker=GEVENT),
            {
                "pool": "celery.concurrency.gevent",
                "concurrency": 8,
                "prefetch_multiplier": 1,
                "max_tasks_per_child": None,
                "max_memory_per_child": None,
                "optimization": "fair",
                "limits": [None, 5.0],
                "queues": ["high"],
            },
            id="gevent",
        ),
    ],
)
def test_the_plan_is_what_runs_whatever_the_application_says(
    tmp_path: Path, document: Any, expected: dict[str, Any]
) -> None:
    """And there is no autoscaler within the worker: the one of Kubernetes counts with one concurrency."""
    assert made(tmp_path, document) == {"autoscale": None, "autoscaler": None, **expected}
