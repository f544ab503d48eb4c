"""How series are chosen: what a user may name is quoted, and buckets are called as the workers call them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from fleet.series import bucket_bound, series
from tests.fleet.promql import problems, texts


@pytest.mark.parametrize(
    ("labels", "selector"),
    [
        pytest.param({}, 'm{namespace="shop"}', id="the-fleet-alone"),
        pytest.param({"queue": "high"}, 'm{namespace="shop",queue="high"}', id="one-value"),
        pytest.param({"queue": ("mail-0", "mail-1")}, 'm{namespace="shop",queue=~"mail-0|mail-1"}', id="several-values"),
        pytest.param({"queue": ("high",)}, 'm{namespace="shop",queue="high"}', id="a-list-of-one"),
        pytest.param({"queue": 'a"\\b'}, r'm{namespace="shop",queue="a\"\\b"}', id="what-would-end-the-literal"),
        pytest.param({"queue": ("a.b", "c|d")}, r'm{namespace="shop",queue=~"a\\.b|c\\|d"}', id="what-a-pattern-would-read"),
    ],
)  # fmt: skip
def test_a_selector_says_exactly_what_it_means(labels: dict[str, str | tuple[str, ...]], selector: str) -> None:
    """The namespace first: several fleets share a Prometheus."""
    assert series("m", "shop", **labels) == selector


@given(names=st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_no_name_breaks_out_of_its_literal(names: list[str]) -> None:
    """Whatever a name holds, the expression keeps its form and the pattern matches the names alone."""
    selector = series("m", names[0], queue=tuple(names))
    assert list(problems(selector)) == []
    fleet, pattern = texts(selector)
    assert fleet == names[0]
    if len(names) > 1:
        assert all(re.fullmatch(pattern, name) for name in names)
        assert not re.fullmatch(pattern, "".join(names) + "x")


@pytest.mark.parametrize(
    ("seconds", "label"),
    [
        pytest.param(0.08, "0.08", id="milliseconds"),
        pytest.param(1, "1.0", id="a-second"),
        pytest.param(600, "600.0", id="minutes"),
        pytest.param(999_999, "999999.0", id="as-many-digits-as-go-writes-out"),
        pytest.param(1_209_600, "1.2096e+06", id="two-weeks"),
    ],
)
def test_a_bucket_is_called_by_its_bound(seconds: float, label: str) -> None:
    """A bound that is spelt differently is another series, and its alert never fires."""
    assert bucket_bound(seconds) == label


milliseconds = st.integers(1, 10**11).map(lambda count: count / 1000)


@given(seconds=milliseconds | st.floats(min_value=0.001, max_value=9_000_000))
def test_every_bound_is_spelt_as_prometheus_client_spells_it(seconds: float) -> None:
    """Any promise that a catalogue can hold, and what is derived from it."""
    expected = floatToGoString(seconds)  # type: ignore[no-untyped-call]  # the client leaves it without types
    assert bucket_bound(seconds) == expected
