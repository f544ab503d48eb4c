"""One task of the sample application for each queue of the sample catalogue, as a client would send it."""

import base64
import io
from typing import Any

from PIL import Image

TASK_OF_QUEUE = {
    "high": "app.tasks.orders.confirm",
    "default": "app.tasks.mail.render",
    "thumbnails": "app.tasks.images.thumbnail",
    "reports": "app.tasks.reports.build",
}
THUMBNAIL_PIXELS = 64


def picture(width: int = 640, height: int = 480) -> str:
    """A JPEG in base64, with enough in it to be worth a thumbnail."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, format="JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


def arguments(queue: str, mark: str, *, seconds: float = 1.0) -> dict[str, Any]:
    """Keyword arguments of the queue's task; `mark` tells the call apart, `seconds` is how long a report takes."""
    calls: dict[str, dict[str, Any]] = {
        "high": {"order_id": mark, "total_cents": 1999},
        "default": {"template": "order", "values": {"name": "Ada", "order_id": mark}},
        "thumbnails": {"image": picture(), "size": THUMBNAIL_PIXELS},
        "reports": {"report_id": mark, "seconds": seconds},
    }
    return calls[queue]
