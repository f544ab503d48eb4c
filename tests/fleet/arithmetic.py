"""Evaluates the arithmetic of a reason as a person reads it: numbers with units, names passed over, `x` for times.

It knows nothing of the rules, so a formula that is not what was computed does not evaluate to what was computed.
"""

import math
import re

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e-\d+)?)(?P<unit>ms|[smhd]|Ki|Mi|Gi|Ti)?(?P<percent>\s?%)?(?P<rate>/s)?(?![\w.])|(?P<word>[A-Za-z]+\w*)|(?P<sign>[-+x/^(),]))"
)
_UNITS = {
    None: 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_FUNCTIONS = {"ceil", "floor", "round", "min", "max"}
_SIGNS = {"x": "*", "^": "**"}

SHOWN_DIGITS = 1e-5
"""Numbers are shown with six digits."""


def evaluate(formula: str, *, cpu: bool = False) -> tuple[float, float]:
    """The least and the greatest value that the formula may stand for, given that its numbers were rounded when they were shown.

    `cpu` reads `m` as thousandths of a core and not as minutes.
    """
    python = to_python(formula, cpu=cpu)
    low, high = (
        eval(  # noqa: S307 -- made of numbers, signs and five functions by `to_python`
            python,
            {"__builtins__": {}},
            {
                "ceil": lambda value, by=by: math.ceil(value * (1 + by)),
                "floor": lambda value, by=by: math.floor(value * (1 + by)),
                "round": lambda value, by=by: round(value * (1 + by)),
                "min": min,
                "max": max,
            },
        )
        for by in (-SHOWN_DIGITS, SHOWN_DIGITS)
    )
    return low * (1 - SHOWN_DIGITS), high * (1 + SHOWN_DIGITS)


def to_python(formula: str, *, cpu: bool = False) -> str:
    """The formula in Python's spelling.

    Raises: ValueError when something is left that is neither a number, nor a sign, nor a name.
    """
    found: list[str] = []
    position = 0
    text = formula.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"no arithmetic: {text[position:]!r} in {formula!r}")
        position = match.end()
        if match["number"]:
            unit = 1 if cpu and match["unit"] == "m" else _UNITS[match["unit"]]
            unit = unit / 100 if match["percent"] else unit
            found.append(f"({match['number']}*{unit})")
        elif match["word"]:
            if match["word"] == "x":
                found.append("*")
            elif match["word"] in _FUNCTIONS and text[position : position + 1] == "(":
                found.append(match["word"])
        else:
            found.append(_SIGNS.get(match["sign"], match["sign"]))
    return " ".join(found)
