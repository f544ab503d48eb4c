"""Orders: short, mostly waiting; idempotent, because confirming twice confirms once."""

import hashlib
import time
from typing import Any

from celery import shared_task

WAREHOUSE_SECONDS = 0.06
"""Stands for the answer of a warehouse's API."""


@shared_task(name="app.tasks.orders.confirm")
def confirm(order: str, items: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Confirms an order: waits for the warehouse, adds up the items and returns the confirmation number."""
    total = sum(int(item["quantity"]) * int(item["cents"]) for item in items or [])
    time.sleep(WAREHOUSE_SECONDS)
    number = hashlib.sha256(f"{order}:{total}".encode()).hexdigest()[:12]
    return {"order": order, "confirmation": number, "total_cents": total}
