"""Images: a thumbnail of real bytes; computes, and may run twice without harm."""

import base64
import binascii
import io
from typing import Any

from celery import shared_task
from PIL import Image, UnidentifiedImageError

PIXELS_MAX = 40_000_000
"""A picture that claims more is refused before it is decoded: it would not fit the queue's memory."""


@shared_task(name="app.tasks.images.thumbnail")
def thumbnail(image: str, size: int = 256) -> dict[str, Any]:
    """Scales an image (base64) down to fit `size` x `size` and returns it as a base64 PNG.

    Raises: ValueError for what is no image, or is too large.
    """
    try:
        source = Image.open(io.BytesIO(base64.b64decode(image, validate=True)))
    except (binascii.Error, UnidentifiedImageError) as error:
        raise ValueError(f"no image: {error}") from error
    if source.width * source.height > PIXELS_MAX:
        raise ValueError(f"{source.width} x {source.height} is above {PIXELS_MAX} pixels")
    small = source.convert("RGB")
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    small.save(target, format="PNG", optimize=True)
    return {"width": small.width, "height": small.height, "png": base64.b64encode(target.getvalue()).decode()}
