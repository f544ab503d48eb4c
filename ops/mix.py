"""The mix of tasks that the demo sends: bursts to every queue, with the sizes and the run times of a small shop.

The tasks are those of the sample application under `app/tasks`; a fleet of another application has its own.
"""

import base64
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from PIL import Image

ORDERS = 300
MAILS = 120
THUMBNAILS = 40
REPORTS = 12
"""Tasks at scale 1: a burst that takes the local fleet well above its minimum, and is over in a few minutes."""

DELAYED_MAIL_SHARE = 0.25
DELAY_SECONDS = (5, 20)
"""A quarter of the mails is sent with a countdown, so that delayed delivery is seen at work."""

REPORT_SECONDS = (20.0, 30.0)
PICTURE_SIZE = (5120, 4096)
THUMBNAIL_SIZE = 160
BURST_SECONDS = 2.0
"""Everything but the orders arrives within this; the orders arrive at the peak that their queue was planned for."""
SEED = 20_241


@dataclass(frozen=True, kw_only=True)
class Call:
    """One task to send."""

    task: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    countdown: float | None = None
    due_seconds: float = 0.0
    """When it is sent, from the start of the demo."""

    @property
    def body(self) -> dict[str, Any]:
        """The body of `POST /tasks/{name}`."""
        body: dict[str, Any] = {"kwargs": self.kwargs}
        return body if self.countdown is None else body | {"countdown": self.countdown}


def scaled(count: int, scale: float) -> int:
    """A number of tasks at a scale; never none, so that every queue is seen at work."""
    return max(1, round(count * scale))


def mixed_calls(scale: float = 1.0, *, orders_per_second: float = 30.0, seed: int = SEED) -> list[Call]:
    """The tasks of one demo in the order of sending: the orders at a steady rate, every other queue's burst at once."""
    # Repeatable on purpose: the same scale sends the same work.
    dice = random.Random(seed)  # noqa: S311 - no secret is drawn
    orders = _orders(scaled(ORDERS, scale), dice)
    bursts = [
        *_mails(scaled(MAILS, scale), dice),
        *_thumbnails(scaled(THUMBNAILS, scale)),
        *_reports(scaled(REPORTS, scale), dice),
    ]
    calls = [
        *(replace(call, due_seconds=number / orders_per_second) for number, call in enumerate(orders)),
        *(replace(call, due_seconds=dice.uniform(0, BURST_SECONDS)) for call in bursts),
    ]
    return sorted(calls, key=lambda call: call.due_seconds)


def _orders(count: int, dice: random.Random) -> Iterator[Call]:
    for number in range(count):
        yield Call(
            task="app.tasks.orders.confirm",
            kwargs={"order_id": f"demo-{number}", "total_cents": dice.randrange(500, 20_000)},
        )


def _mails(count: int, dice: random.Random) -> Iterator[Call]:
    for number in range(count):
        delayed = number < count * DELAYED_MAIL_SHARE
        yield Call(
            task="app.tasks.mail.render",
            kwargs={"template": "order", "values": {"name": f"customer {number}", "order_id": f"demo-{number}"}},
            countdown=dice.randint(*DELAY_SECONDS) if delayed else None,
        )


def _thumbnails(count: int) -> Iterator[Call]:
    picture = picture_base64()
    for _ in range(count):
        yield Call(task="app.tasks.images.thumbnail", kwargs={"image": picture, "size": THUMBNAIL_SIZE})


def _reports(count: int, dice: random.Random) -> Iterator[Call]:
    for number in range(count):
        yield Call(
            task="app.tasks.reports.build",
            kwargs={"report_id": f"demo-{number}", "seconds": round(dice.uniform(*REPORT_SECONDS), 1)},
        )


@cache
def picture_base64(size: tuple[int, int] = PICTURE_SIZE) -> str:
    """A picture as a shop would get it: a JPEG of a gradient, in base64."""
    red, green = Image.linear_gradient("L").resize(size), Image.radial_gradient("L").resize(size)
    buffer = io.BytesIO()
    Image.merge("RGB", (red, green, red.rotate(180))).save(buffer, format="JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode()
