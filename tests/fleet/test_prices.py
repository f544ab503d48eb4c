"""The price table: complete, dated, sourced."""

from datetime import date

import pytest

from fleet.cloud import CLOUDS
from fleet.instances import INSTANCE_TYPES
from fleet.prices import PRICES, PRICES_AS_OF, REGION_FACTORS, prices_are_stale


@pytest.mark.parametrize("item", sorted(PRICES))
def test_every_price_says_what_for_since_when_and_from_where(item: str) -> None:
    """A number without a date cannot be corrected."""
    price = PRICES[item]
    assert 0 < price.usd < 10
    assert price.unit
    assert price.source
    assert date(2024, 1, 1) <= date.fromisoformat(price.date) <= date.fromisoformat(PRICES_AS_OF)


def test_every_instance_that_can_be_named_has_a_price() -> None:
    """A type without a price would end a plan in a KeyError."""
    assert set(INSTANCE_TYPES) <= set(PRICES)


@pytest.mark.parametrize("name", sorted(CLOUDS))
def test_every_environment_uses_what_has_a_size_and_a_price(name: str) -> None:
    """The defaults pass the check that a user's settings have to pass."""
    cloud = CLOUDS[name]
    assert {cloud.system_instance, cloud.broker_instance, *cloud.worker_instances} <= set(INSTANCE_TYPES)
    assert f"valkey.{cloud.results_instance}" in PRICES
    assert cloud.region in REGION_FACTORS


def test_hourly_prices_make_a_month_of_730_hours() -> None:
    """A c7g.xlarge: 0.145 x 730."""
    assert PRICES["c7g.xlarge"].usd_a_month == pytest.approx(105.85)
    assert PRICES["kms-key"].usd_a_month == 1.0


@pytest.mark.parametrize(
    ("today", "stale"),
    [
        pytest.param(date(2027, 7, 20), False, id="a-year-later-to-the-day"),
        pytest.param(date(2027, 7, 21), True, id="a-day-more"),
    ],
)
def test_old_prices_are_said_to_be_old(today: date, stale: bool) -> None:
    """The newest source is of 20 July 2026."""
    assert prices_are_stale(today) is stale
