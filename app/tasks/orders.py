"""Short tasks that mostly wait for someone else: an order is confirmed by its payment provider."""

import hashlib
import time
from typing import Any

from app.celery_app import celery_app
from app.once import fence, once

PROVIDER_SECONDS = 0.05
"""The provider's answer; a real one is asked over HTTP and waits as this does."""


@celery_app.task
def confirm(order_id: str, total_cents: int) -> dict[str, Any]:
    """Confirm an order; the same order always gets the same confirmation number, so confirming twice does no harm."""
    if total_cents < 0:
        raise ValueError(f"order {order_id}: total_cents is {total_cents}, below zero")
    time.sleep(PROVIDER_SECONDS)
    number = hashlib.sha256(f"{order_id}:{total_cents}".encode()).hexdigest()[:12]
    return {"order_id": order_id, "confirmation": number}


@celery_app.task
@once(key=lambda order_id, total_cents: order_id)
def charge(order_id: str, total_cents: int) -> dict[str, Any]:
    """Charge an order once, however often it is asked for; charging twice would do harm.

    What a real provider is sent stands in the result: a key, by which it refuses a second charge of the order, and the fence of the lease, below which
    it takes nothing from a worker that was given up for lost.
    """
    if total_cents < 0:
        raise ValueError(f"order {order_id}: total_cents is {total_cents}, below zero")
    time.sleep(PROVIDER_SECONDS)
    return {
        "order_id": order_id,
        "charged_cents": total_cents,
        "idempotency_key": f"charge-{order_id}",
        "fence": fence(),
    }
