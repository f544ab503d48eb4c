"""Names of resources: the program's own, and the ones that a provider invents.

Source: pulumi v3.259 `sdk/go/common/resource/urn/urn.go` and `unique_name.go`.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

SUFFIX_HEX_DIGITS: Final = 8


def urn_name(urn: str) -> str:
    """The program's own name of a resource: what follows the fourth `::`."""
    return urn.split("::", 3)[3]


def urn_type(urn: str) -> str:
    """The type token of a resource, without those of its parents."""
    return urn.split("::", 3)[2].rsplit("$", 1)[-1]


def unique_name(prefix: str, seed: bytes, digits: int = SUFFIX_HEX_DIGITS) -> str:
    """`prefix` and some hexadecimal digits: those of the engine's seed when it gives one, else random."""
    drawn = hashlib.sha256(seed + prefix.encode()).hexdigest() if seed else secrets.token_hex(digits)
    return prefix + drawn[:digits]
