"""The place in AWS: its defaults, what is stated, and what is said about a wrong setting."""

from pathlib import Path

import pytest

from fleet.cloud import Cloud
from fleet.environment import load_environment, parse_environment
from fleet.errors import CatalogueError


def cloud(name: str, **stated: object) -> Cloud:
    found = parse_environment(name, {"cloud": stated}).cloud
    assert found is not None
    return found


def test_what_is_stated_replaces_the_default_and_nothing_else() -> None:
    """Camel case as in the catalogue; a region brings its factor."""
    got = cloud("prod", region="eu-west-1", zones=2, workerInstances=["m7g.2xlarge"], nodeDisk="100Gi")
    assert (got.region, got.price_factor, got.zones, got.worker_instances) == ("eu-west-1", 1.1, 2, ("m7g.2xlarge",))
    assert (got.node_disk_bytes, got.broker_instance, got.nat) == (100 * 2**30, "r7g.xlarge", "per_zone")


def test_a_factor_of_ones_own_goes_before_the_regions() -> None:
    """Also for a region whose prices are not known here."""
    assert cloud("prod", region="eu-west-1", priceFactor=1.07).price_factor == 1.07
    assert cloud("prod", region="ap-southeast-4", priceFactor=1.3).price_factor == 1.3


def test_local_has_no_cloud_until_one_is_asked_for() -> None:
    """Then it starts from dev's."""
    assert parse_environment("local", {}).cloud is None
    assert cloud("local", provider="aws").broker_instance == "t4g.large"


@pytest.mark.parametrize(
    ("stated", "gateways"),
    [
        pytest.param({"nat": "none"}, 0, id="none"),
        pytest.param({"nat": "instance"}, 0, id="an-instance-is-no-gateway"),
        pytest.param({"nat": "single"}, 1, id="single"),
        pytest.param({"nat": "per_zone"}, 3, id="one-in-each-of-three-zones"),
        pytest.param({"nat": "per_zone", "zones": 1}, 2, id="a-network-has-two-zones-at-least"),
    ],
)
def test_the_number_of_gateways_follows_from_the_zones(stated: dict[str, object], gateways: int) -> None:
    """Nobody states a number that the network does not have."""
    assert cloud("prod", **stated).nat_gateways == gateways


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            "cloud: {workerInstances: [c7g.xlarge, c7g.huge]}",
            "environment.cloud.workerInstances[1] is 'c7g.huge', whose size is not known\n  Write one of t4g.medium,",
            id="a-type-that-is-not-known",
        ),
        pytest.param(
            "cloud: {region: ap-southeast-4}",
            "environment.cloud.region is 'ap-southeast-4', whose prices are not known\n  Add priceFactor",
            id="a-region-without-prices",
        ),
        pytest.param(
            "cloud: {resultsInstance: x9.huge}",
            "environment.cloud.resultsInstance is 'x9.huge', whose price is not known\n  Write one of t4g.micro,",
            id="a-results-store-without-a-price",
        ),
        pytest.param(
            "cloud: {zone: 3}", "environment.cloud.zone is no known key\n  Did you mean `zones`?", id="a-misspelt-key"
        ),
        pytest.param("cloud: {nat: per_az}", "Did you mean `per_zone`?", id="a-way-out-that-is-none"),
        pytest.param("cloud: {region: Ireland}", "environment.cloud.region is 'Ireland'", id="no-region-at-all"),
    ],
)
def test_a_wrong_setting_is_reported_at_its_place(tmp_path: Path, line: str, expected: str) -> None:
    """The stack's file gets the same kind of message as the catalogue, with line and column."""
    (tmp_path / "Pulumi.prod.yaml").write_text(f"config:\n  celery-fleet:environment:\n    {line}\n")
    with pytest.raises(CatalogueError) as caught:
        load_environment(tmp_path, "prod")
    assert str(caught.value).startswith("Pulumi.prod.yaml:3:")
    assert expected in str(caught.value)
