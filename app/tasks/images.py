"""Pictures, computed on real bytes."""

import base64
import binascii
import io
from typing import Any

from app.celery_app import celery_app

MAX_PIXELS = 4096


@celery_app.task
def thumbnail(image: str, size: int = 128) -> dict[str, Any]:
    """The picture (base64) no larger than `size` pixels each way, as JPEG in base64, with its proportions kept."""
    # Imported by the first picture: workers of other queues start without it.
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    if not 1 <= size <= MAX_PIXELS:
        raise ValueError(f"size is {size}; it has to be from 1 to {MAX_PIXELS} pixels")
    try:
        with Image.open(io.BytesIO(base64.b64decode(image, validate=True))) as opened:
            picture = opened.convert("RGB")
    except (binascii.Error, UnidentifiedImageError) as error:
        raise ValueError(f"image is no picture in base64: {error}") from None
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=85)
    return {"width": picture.width, "height": picture.height, "image": base64.b64encode(buffer.getvalue()).decode()}
