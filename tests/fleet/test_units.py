"""Quantities are read as people write them, and what is printed can be read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.units import (
    format_cpu,
    format_duration,
    format_rate,
    format_size,
    parse_duration_seconds,
    parse_rate_per_second,
    parse_size_bytes,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("80ms", 0.08, id="milliseconds"),
        pytest.param("30s", 30, id="seconds"),
        pytest.param("1.5m", 90, id="a-fraction-of-a-minute"),
        pytest.param("1h30m", 5400, id="two-units-together"),
        pytest.param(" 1h 30m ", 5400, id="spaces-between-the-units"),
        pytest.param("7d", 604800, id="days"),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    """Every unit that people use for a task's time is understood."""
    assert parse_duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "30", "s", "30 sec", "-5s", "1m,2s", "1e3s", "five minutes"])
def test_what_is_no_duration_is_refused_with_the_right_forms(text: str) -> None:
    """A refusal shows forms that would be right."""
    with pytest.raises(ValueError, match="80ms, 30s, 4m"):
        parse_duration_seconds(text)


@pytest.mark.parametrize(
    ("text", "per_second"),
    [
        pytest.param("120/s", 120, id="a-second"),
        pytest.param("30/min", 0.5, id="a-minute"),
        pytest.param("30/m", 0.5, id="a-minute-in-short"),
        pytest.param("900 / h", 0.25, id="an-hour-with-spaces"),
        pytest.param("86400/d", 1, id="a-day"),
    ],
)
def test_a_rate_is_read_per_second(text: str, per_second: float) -> None:
    """Rates over any usual time are understood."""
    assert parse_rate_per_second(text) == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["120", "120/ms", "s", "1/s/s", "-1/s"])
def test_what_is_no_rate_is_refused_with_the_right_forms(text: str) -> None:
    """A refusal shows forms that would be right."""
    with pytest.raises(ValueError, match="120/s, 20/min"):
        parse_rate_per_second(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        pytest.param("60Mi", 62914560, id="binary-megabytes"),
        pytest.param("2Gi", 2147483648, id="binary-gigabytes"),
        pytest.param("500M", 500000000, id="decimal-megabytes"),
        pytest.param("0.5Ki", 512, id="a-fraction"),
        pytest.param("1000", 1000, id="plain-bytes"),
    ],
)
def test_a_size_is_read_in_bytes(text: str, size_bytes: int) -> None:
    """Sizes are Kubernetes quantities."""
    assert parse_size_bytes(text) == size_bytes


@pytest.mark.parametrize("text", ["60MB", "Mi", "60 Mi", "-1Mi", "9" * 400 + "Mi"])
def test_what_is_no_size_is_refused_with_the_right_forms(text: str) -> None:
    """A refusal shows forms that would be right, even for a number that no float holds."""
    with pytest.raises(ValueError, match="60Mi, 2Gi"):
        parse_size_bytes(text)


@given(st.integers(1, 999) | st.integers(1, 10_000).map(lambda seconds: seconds * 1000))
def test_a_printed_duration_reads_back_as_the_same(milliseconds: int) -> None:
    """What the plan shows can be copied into the catalogue."""
    assert parse_duration_seconds(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@given(st.integers(1, 2**44))
def test_a_printed_size_reads_back_as_the_same(size_bytes: int) -> None:
    """What the plan shows can be copied into the catalogue."""
    assert parse_size_bytes(format_size(size_bytes)) == size_bytes


@given(st.integers(1, 999_999), st.integers(0, 3))
def test_a_printed_rate_reads_back_as_the_same(digits: int, places: int) -> None:
    """What the plan shows can be copied into the catalogue."""
    rate = digits / 10**places
    assert parse_rate_per_second(format_rate(rate)) == pytest.approx(rate)


@pytest.mark.parametrize(("millicores", "text"), [(250, "250m"), (1000, "1"), (1500, "1500m"), (4000, "4")])
def test_cpu_is_written_as_kubernetes_writes_it(millicores: int, text: str) -> None:
    """Whole cores have no suffix."""
    assert format_cpu(millicores) == text
