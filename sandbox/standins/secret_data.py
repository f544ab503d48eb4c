"""The `data` of a Secret, encoded and plain."""

import base64
from collections.abc import Mapping


def encode_data(data: Mapping[str, str]) -> dict[str, str]:
    """The `data` of a Secret."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def decode_data(data: Mapping[str, str] | None) -> dict[str, str]:
    """The plain values of a Secret's `data`."""
    return {key: base64.b64decode(value).decode() for key, value in (data or {}).items()}
