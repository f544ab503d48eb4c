"""Kubernetes quantities (`512Mi`, `2`, `100m`) as exact numbers.

Invariant: two spellings of one amount compare equal, so that `1Gi` and `1024Mi` are the same limit.
Facts from: Kubernetes `k8s.io/apimachinery/pkg/api/resource/quantity.go` (grammar in its documentation).
"""

import re
from decimal import Decimal
from typing import Final

_SUFFIXES: Final = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}
_QUANTITY: Final = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<suffix>[numkMGTPE]?i?)")


def parse_quantity(text: str | int | float) -> Decimal:
    """The amount in base units (bytes, cores).

    >>> parse_quantity("1Gi") == parse_quantity("1024Mi")
    True

    Raises: ValueError when `text` is no quantity.
    """
    match = _QUANTITY.fullmatch(str(text).strip())
    if match is None or match["suffix"] not in _SUFFIXES:
        raise ValueError(f"{text!r} is no quantity: write a number and a suffix, such as 512Mi, 10Gi or 250m")
    return Decimal(match["number"]) * _SUFFIXES[match["suffix"]]
