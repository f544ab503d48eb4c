"""Formulas are read as KEDA reads them, and nothing else is evaluated."""

import pytest

from fleet.errors import FleetError
from fleet.simulate.formulas import parse_formula


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("(max(total - ready, 0)/0.95 + ready*0.3/30)/4", 1.025, id="a-formula-of-the-plan"),
        pytest.param("total", 13.8, id="one-trigger"),
        pytest.param("-ready + 100", 90.0, id="a-sign"),
        pytest.param("min(total, ready, 7)", 7.0, id="the-smallest-of-three"),
    ],
)
def test_a_formula_gives_its_value(text: str, value: float) -> None:
    """Thirteen and four fifths of a message, ten of them ready: 3.8 / 0.95 busy slots, 0.1 for the backlog, on four slots a pod: 1.025."""
    assert parse_formula(text)({"total": 13.8, "ready": 10.0}) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("__import__('os').getcwd()", id="a-call-of-python"),
        pytest.param("total if ready else 0", id="a-condition"),
        pytest.param("total.real", id="an-attribute"),
        pytest.param("age * 2", id="a-trigger-that-is-not-there"),
        pytest.param("max(total)", id="a-maximum-of-one"),
        pytest.param("total +", id="half-a-formula"),
        pytest.param("True", id="a-truth-value"),
    ],
)
def test_anything_else_is_refused_with_what_is_right(text: str) -> None:
    """The message names the formula and the triggers."""
    with pytest.raises(FleetError, match="the triggers ready, total") as caught:
        parse_formula(text)
    assert repr(text) in caught.value.where
