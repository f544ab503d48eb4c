"""Worker processes of a fleet that is declared in a broker, run as their pods run them, and what their tasks write.

Invariant: a worker that a test started has ended when its block ends.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from celery import Celery

from app.settings import configure
from fleet.documents import WorkerDocument, dump_document, producer_document, worker_document
from tests.cluster.brokers import DeclaredFleet, new_name
from tests.cluster.running_fleet import ROOT, eventually

START_SECONDS = 60.0


@dataclass(kw_only=True)
class Worker:
    """A worker process of one queue."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    output: Path

    def probe(self, question: str) -> bool:
        """What the pod's probe says."""
        command = [sys.executable, "-I", "-S", str(ROOT / "app/worker/health.py"), question]
        environment = {"FLEET_RUN_DIR": str(self.folder)}
        return (
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, timeout=30, check=False).returncode == 0
        )

    def stop(self) -> int:
        """Tell it as Kubernetes does and wait; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def working(
    fleet: DeclaredFleet,
    pool: str,
    folder: Path,
    change: Callable[[WorkerDocument], WorkerDocument] = lambda same: same,
    *,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Worker]:
    """A worker of a pool's queue, ready; `more` are further variables of its pod."""
    queue = next(queue for queue in fleet.plan.queues if queue.name == pool)
    document = folder / "document.json"
    document.write_text(dump_document(change(worker_document(fleet.plan, queue, pool))), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "FLEET_DOCUMENT": str(document),
        "FLEET_RUN_DIR": str(folder),
        "FLEET_POD_NAME": new_name(),
        **fleet.environment("worker"),
        **more,
    }
    output = folder / "worker.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.worker"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    worker = Worker(process=process, folder=folder, output=output)
    try:
        eventually(
            lambda: True if worker.probe("ready") else None,
            within_seconds=START_SECONDS,
            waiting_for=f"a ready worker; {output} says why",
            every_seconds=0.2,
        )
        yield worker
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def sender(fleet: DeclaredFleet) -> Any:
    """A publisher, configured as the web layer."""
    app = Celery("sender", set_as_current=False)
    configure(app, producer_document(fleet.plan), fleet.environment("producer"))
    return app


def lines(log: Path, at_least: int, within_seconds: float = 30) -> list[str]:
    """The events in the file, once there are so many."""

    def look() -> list[str] | None:
        found = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return found if len(found) >= at_least else None

    return eventually(look, within_seconds=within_seconds, waiting_for=f"{at_least} events in {log}", every_seconds=0.1)
