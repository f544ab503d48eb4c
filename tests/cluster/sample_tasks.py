"""One task of the sample application for each queue of the sample catalogue, as a client would send it."""

import base64
import functools
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


@functools.cache
def picture(width: int, height: int) -> str:
    """A JPEG in base64; twenty million pixels keep one worker busy for a quarter of a second."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, format="JPEG", quality=60)
    return base64.b64encode(buffer.getvalue()).decode()


def arguments(queue: str, mark: str, *, seconds: float = 1.0, large: bool = False) -> dict[str, Any]:
    """Keyword arguments of the queue's task.

    `mark` tells the call apart, `seconds` is how long a report takes, `large` asks for a thumbnail of a large picture.
    """
    match queue:
        case "high":
            return {"order_id": mark, "total_cents": 999}
        case "default":
            return {"template": "order", "values": {"name": "Ada", "order_id": mark}}
        case "thumbnails":
            return {"image": picture(5120, 4096) if large else picture(640, 480), "size": THUMBNAIL_PIXELS}
        case "reports":
            return {"report_id": mark, "seconds": seconds}
    raise KeyError(queue)
