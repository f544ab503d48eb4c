"""Reading a KEDA scalingModifiers formula, so that what is simulated is the very text that would be deployed.

The part of KEDA's expression language that formulas of this project use: numbers, trigger names, + - * / and parentheses, `min` and `max`.
Nothing else is evaluated. Source: KEDA 2.21 docs, "ScaledObject specification", `scalingModifiers.formula`.
"""

import ast
import operator
from collections.abc import Callable, Mapping

from fleet.errors import FleetError

Values = Mapping[str, float]
Formula = Callable[[Values], float]

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CALLS: dict[str, Callable[..., float]] = {"max": max, "min": min}


def parse_formula(text: str, names: frozenset[str] = frozenset({"total", "ready"})) -> Formula:
    """The formula as a function of the triggers' values.

    Raises: FleetError when it uses anything but numbers, the triggers in `names`, + - * /, parentheses, `min` and `max`.
    """
    try:
        return _build(ast.parse(text, mode="eval").body, names)
    except (SyntaxError, _UnknownError) as error:
        raise FleetError(
            f"formula {text!r}",
            f"cannot be simulated: {error}",
            f"Use numbers, the triggers {', '.join(sorted(names))}, + - * /, parentheses, min() and max().",
        ) from None


class _UnknownError(Exception):
    """A part of the expression language that is not read here."""


def _build(node: ast.expr, names: frozenset[str]) -> Formula:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return lambda _values, number=float(number): number  # type: ignore[misc]
        case ast.Name(id=name) if name in names:
            return lambda values, name=name: values[name]  # type: ignore[misc]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            built = _build(inner, names)
            return lambda values: -built(values)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            apply, first, second = _BINARY[type(op)], _build(left, names), _build(right, names)
            return lambda values: apply(first(values), second(values))
        case ast.Call(func=ast.Name(id=name), args=[_, _, *_] as args, keywords=[]) if name in _CALLS:
            call, parts = _CALLS[name], [_build(part, names) for part in args]
            return lambda values: call(*(part(values) for part in parts))
        case _:
            raise _UnknownError(f"{ast.unparse(node)} is not known here")
