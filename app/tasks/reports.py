"""Reports: long, cancellable, idempotent: the same rows give the same report, whoever builds it."""

import hashlib
import time
from typing import Any

from celery import Task, shared_task

ROWS_PER_STEP = 500
PROGRESS_SECONDS = 1.0


@shared_task(name="app.tasks.reports.build", bind=True)
def build(self: Task, report: str, seconds: float = 40.0, rows: int = 0) -> dict[str, Any]:
    """Builds a report for about `seconds` of work (or exactly `rows` rows), says how far it is, and returns its digest.

    Cancelling terminates the child between two rows; nothing is written before the end.
    """
    digest = hashlib.sha256(report.encode())
    started = told = time.monotonic()
    done = 0
    while (done < rows) if rows else (time.monotonic() - started < seconds):
        for row in range(done, done + ROWS_PER_STEP):
            digest.update(f"{report}:{row}".encode())
        done += ROWS_PER_STEP
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            self.update_state(state="PROGRESS", meta={"rows": done, "seconds": round(told - started, 1)})
            time.sleep(0.01)
    return {"report": report, "rows": done, "digest": digest.hexdigest()}
