"""What a month costs: the sample and the reference totals in figures, and the laws that hold for every catalogue."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.cost import node_month_usd, pod_hour_usd
from fleet.demand import Month
from fleet.environment import default_environment, load_environment, parse_environment
from fleet.loading import load_plan
from fleet.plan import Plan
from fleet.promise_cost import promise_costs
from fleet.reading import load_catalogue
from tests.fleet.strategies import catalogues, load_from, sample_catalogue

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "queues.yaml"


def plan_of(raw: dict[str, Any], environment: str = "dev") -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return load_from(raw, Path(folder), environment=environment)


def figures(month: Month) -> tuple[float, float, float]:
    return round(month.idle, 2), round(month.expected, 2), round(month.peak, 2)


@pytest.mark.parametrize(
    ("environment", "shared", "total"),
    [
        pytest.param("local", 0, (0, 0, 0), id="a-cluster-of-your-own"),
        pytest.param("dev", 255.15, (408.14, 624.64, 777.63)),
        pytest.param("staging", 521.36, (880.08, 1099.78, 1209.63)),
        pytest.param("prod", 1303.90, (1662.62, 1882.32, 1992.17)),
    ],
)
def test_the_sample_costs_what_the_documents_say(
    environment: str, shared: float, total: tuple[float, float, float]
) -> None:
    """Golden totals: idle, expected, at peak all month. A change of the price table or of a default moves them, and docs/explanation/cost.md."""
    cost = load_plan(SAMPLE, load_environment(ROOT, environment)).cost
    assert (round(cost.shared_usd, 2), figures(cost.total)) == (shared, total)


@pytest.mark.parametrize(
    ("environment", "settings", "workers", "reference", "ours"),
    [
        pytest.param("dev", {}, {("c7g.large", "spot"): 1}, 277, 278.72, id="dev"),
        pytest.param("staging", {}, {("c7g.xlarge", "spot"): 2}, 615, 614.04, id="staging"),
        pytest.param(
            "staging",
            {"cloud": {"brokerInstance": "m7g.xlarge"}},
            {("c7g.xlarge", "spot"): 2},
            794,
            792.74,
            id="staging-with-larger-brokers",
        ),
        pytest.param("prod", {}, {("c7g.xlarge", "on-demand"): 2, ("c7g.xlarge", "spot"): 8}, 1894, 1894.32, id="prod"),
    ],
)
def test_the_reference_totals_come_out_of_the_price_table(
    *,
    environment: str,
    settings: dict[str, Any],
    workers: dict[tuple[str, str], int],
    reference: float,
    ours: float,
) -> None:
    """With the worker nodes that the reference assumes the table gives its totals within two dollars."""
    stated = parse_environment(environment, settings)
    assert stated.cloud is not None
    nodes = sum(count * node_month_usd(name, capacity, stated.cloud) for (name, capacity), count in workers.items())
    total = load_plan(SAMPLE, stated).cost.shared_usd + nodes
    assert total == pytest.approx(ours, abs=0.01)
    assert abs(total - reference) < 2


def test_the_documents_quote_the_totals_of_the_sample() -> None:
    """The page is written by hand, its figures are not free."""
    page = (ROOT / "docs" / "explanation" / "cost.md").read_text(encoding="utf-8")
    for environment in ("dev", "staging", "prod"):
        total = load_plan(SAMPLE, load_environment(ROOT, environment)).cost.total
        assert f"| {environment} | {total.idle:,.2f} | {total.expected:,.2f} | {total.peak:,.2f} |" in page


def test_a_queues_part_as_worked_out_by_hand() -> None:
    """reports: 5.4 of 9 pods, each 1000m of the 3690m of a c7g.xlarge at 105.85 + 4.00 for its disk."""
    (reports,) = [
        cost for cost in load_plan(SAMPLE, default_environment("prod")).cost.queues if cost.queue == "reports"
    ]
    assert figures(reports.month) == (0, 160.76, 267.93)
    # 0.6 x 0.2 a second x 730 hours are 315,360 tasks.
    assert reports.per_thousand_tasks == pytest.approx(160.76 / 315.360, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "use", "saving"),
    [
        # One pod, 432Mi of 6305Mi; 60 % of 105.85 is the difference.
        pytest.param({"capacity": "spot"}, "used", 4.35, id="spot-is-used"),
        pytest.param({}, "possible", 4.35, id="ten-seconds-end-within-the-notice"),
        pytest.param(
            {"runtime": {"mean": "200ms", "p99": "1s", "limit": "121s"}}, "excluded", 0, id="too-long-and-not-twice"
        ),
        pytest.param(
            {"runtime": {"mean": "200ms", "p99": "1s", "limit": "121s"}, "idempotent": True},
            "possible",
            4.35,
            id="long-but-it-may-run-twice",
        ),
    ],
)
def test_spot_against_on_demand(changes: dict[str, Any], use: str, saving: float) -> None:
    """What spot saves where it is used, and what it would save where it could be."""
    raw = sample_catalogue(load={"peak": "1/s"}, wait={"promise": "10m"}, **changes)
    (cost,) = plan_of(raw).cost.queues
    assert (cost.spot, round(cost.spot_saving, 2)) == (use, saving)


@pytest.mark.parametrize(
    ("environment", "paid"),
    [
        pytest.param("prod", [0.0202, 0.0101, 0.0172, 0.0408], id="a-core-of-3690m-of-a-node-at-0.1505-is-0.0408"),
        pytest.param("local", [None] * 4, id="nothing-where-nothing-is-paid"),
    ],
)
def test_a_pod_hour_is_the_pods_part_of_its_node(environment: str, paid: list[float | None]) -> None:
    """By the larger of CPU and memory, with the node's volume; thumbnails run on spot."""
    plan = load_plan(SAMPLE, load_environment(ROOT, environment))
    hours = [pod_hour_usd(queue, cost) for queue, cost in zip(plan.queues, plan.cost.queues, strict=True)]
    assert [None if hour is None else round(hour, 4) for hour in hours] == paid


def test_a_region_has_its_factor_on_every_price() -> None:
    """Frankfurt: 15 % above us-east-1, on what is shared and on the nodes alike."""
    there = load_plan(SAMPLE, parse_environment("prod", {"cloud": {"region": "eu-central-1"}})).cost
    here = load_plan(SAMPLE, parse_environment("prod", {})).cost
    assert (there.region, there.price_factor) == ("eu-central-1", 1.15)
    for level in ("idle", "expected", "peak"):
        assert getattr(there.total, level) == pytest.approx(1.15 * getattr(here.total, level))


@pytest.mark.parametrize(
    ("nat", "saved"),
    [
        # 0.0042 x 730 + 8 x 0.08 for the instance; a gateway is 0.045 x 730, and dev sends 20 GB at 0.045 through it.
        pytest.param("instance", 32.85 + 0.90 - 3.066 - 0.64, id="an-instance-keeps-its-address"),
        pytest.param("none", 32.85 + 0.90 + 3.65 - 12 * 2 * 7.30, id="endpoints-of-twelve-services-in-two-zones"),
        pytest.param("per_zone", -(32.85 + 3.65), id="a-second-zone-has-a-second-gateway-and-address"),
    ],
)
def test_what_another_way_out_saves_in_dev(nat: str, saved: float) -> None:
    """Against the single gateway of the default."""
    single = load_plan(SAMPLE, parse_environment("dev", {})).cost.shared_usd
    other = load_plan(SAMPLE, parse_environment("dev", {"cloud": {"nat": nat}})).cost.shared_usd
    assert single - other == pytest.approx(saved)


def test_an_environment_can_be_said_to_have_no_cloud() -> None:
    """A cluster of one's own under another name than local."""
    plan = load_plan(SAMPLE, parse_environment("prod", {"cloud": {"provider": "none"}}))
    assert (plan.cost.region, plan.cost.total.peak, plan.nodes.fixed) == (None, 0, ())


@given(catalogues(), st.sampled_from(["dev", "prod"]))
def test_the_parts_add_up_and_no_level_costs_less_than_the_one_below(raw: dict[str, Any], environment: str) -> None:
    """Worker nodes and shared lines are the total, and the queues take no more than there is; idle <= expected <= peak."""
    cost = plan_of(raw, environment).cost
    assert cost.shared_usd == pytest.approx(sum(line.usd for line in cost.shared))
    for level in ("idle", "expected", "peak"):
        taken, workers, total = (getattr(month, level) for month in (cost.taken, cost.workers, cost.total))
        assert taken == pytest.approx(sum(getattr(queue.month, level) for queue in cost.queues))
        assert taken <= workers + 1e-6
        assert total == pytest.approx(workers + cost.shared_usd)
    for month in (*(queue.month for queue in cost.queues), cost.workers, cost.total):
        assert 0 <= month.idle <= month.expected + 1e-9
        assert month.expected <= month.peak + 1e-9


@given(catalogues(max_queues=3), st.integers(2, 5))
def test_more_load_never_costs_less(raw: dict[str, Any], factor: int) -> None:
    """Nodes and money at every level only grow when every queue's peak grows."""
    before = plan_of(raw, "prod")
    for queue in raw["queues"].values():
        number, unit = queue["load"]["peak"].split("/")
        queue["load"]["peak"] = f"{int(number) * factor}/{unit}"
    after = plan_of(raw, "prod")
    for level in ("idle", "expected", "peak"):
        assert getattr(after.cost.total, level) >= getattr(before.cost.total, level) - 1e-9
        for more, less in zip(after.cost.queues, before.cost.queues, strict=True):
            assert getattr(more.month, level) >= getattr(less.month, level) - 1e-9
    for level in ("minimum", "expected", "peak", "maximum"):
        counts = [sum(getattr(group.nodes, level) for group in plan.nodes.workers) for plan in (before, after)]
        assert counts[0] <= counts[1]


@given(catalogues(max_queues=3))
def test_a_longer_promise_never_costs_more(raw: dict[str, Any]) -> None:
    """Half the wait at least, twice the wait at most what is stated."""
    with tempfile.TemporaryDirectory() as folder:
        plan = load_from(raw, Path(folder), environment="prod")
        catalogue = load_catalogue(Path(folder) / "queues.yaml")
    for promise in promise_costs(plan, catalogue, default_environment("prod")):
        for level in ("idle", "expected", "peak"):
            half, stated, twice = (getattr(month, level) for month in (promise.half, promise.stated, promise.twice))
            assert half >= stated >= twice


def test_the_samples_thumbnails_cost_a_third_when_people_wait_two_minutes() -> None:
    """Above the reaction of the loop no pod has to be there before: three become one."""
    environment = default_environment("prod")
    promises = promise_costs(load_plan(SAMPLE, environment), load_catalogue(SAMPLE), environment)
    (thumbnails,) = [promise for promise in promises if promise.queue == "thumbnails"]
    assert (thumbnails.wait_seconds, figures(thumbnails.stated)[0], figures(thumbnails.twice)[0]) == (60, 37.67, 12.56)
