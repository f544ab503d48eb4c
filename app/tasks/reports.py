"""Reports that take minutes: they compute for as long as they are told, say how far they are, and can be cancelled."""

import hashlib
import math
import time
from typing import Any

from app.celery_app import celery_app

SLICE_SECONDS = 0.1
PROGRESS_SECONDS = 2.0
ROUNDS = 2_000
"""Hash rounds between two looks at the clock: about a millisecond."""


@celery_app.task(bind=True)
def build(self: Any, report_id: str, seconds: float = 40.0) -> dict[str, Any]:
    """Compute for `seconds`; the digest depends on the arguments alone, so a report that is built twice is the same report."""
    rows = max(1, math.ceil(seconds / SLICE_SECONDS))
    digest, told = hashlib.sha256(report_id.encode()), time.monotonic()
    for row in range(rows):
        end = time.monotonic() + min(SLICE_SECONDS, seconds)
        digest.update(row.to_bytes(4, "big"))
        while time.monotonic() < end:
            hashlib.pbkdf2_hmac("sha256", digest.digest(), b"work", ROUNDS)
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            _tell(self, row + 1, rows)
    return {"report_id": report_id, "rows": rows, "digest": digest.hexdigest()}


def _tell(task: Any, row: int, rows: int) -> None:
    # Called directly (in a test, or by another task) there is no id to tell the progress of.
    if task.request.id:
        task.update_state(state="PROGRESS", meta={"rows": row, "of": rows})
