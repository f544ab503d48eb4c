"""The alerts under Prometheus's own tools: the rules are rules, and each fires when it should and only then."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from fleet.alerts import derive_alerts
from fleet.alerts.rules import rule_file, rule_groups
from tests.fleet.strategies import Raw, catalogues, load_from
from tests.infra.samples import full_plan, sample_plan
from tests.scan.alert_cases import CASES, SEEN, Case
from tests.scan.promtool import check, expect, needs_promtool

pytestmark = [pytest.mark.scan, needs_promtool]


def rules() -> str:
    """The rule file of the shipped catalogue in `prod`."""
    return rule_file(*rule_groups(sample_plan("prod")).values())


def cases() -> list[object]:
    """Each under its name."""
    return [pytest.param(case, id=case.identity) for case in CASES]


def test_every_kind_has_a_case() -> None:
    """Whoever adds an alert says when it fires and when it does not."""
    derived = {(item.name, *item.labels.values()) for item in derive_alerts(sample_plan("prod"))}
    assert {(case.name, *case.labels.values()) for case in CASES} == derived


@pytest.mark.parametrize("environment", ["local", "prod"])
def test_prometheus_takes_the_rules(tmp_path: Path, environment: str) -> None:
    """Of the shipped catalogue and of one that uses every field."""
    for plan in (sample_plan(environment), full_plan(environment)):
        assert check(rule_file(*rule_groups(plan).values()), tmp_path) == ""


@given(raw=catalogues())
@settings(max_examples=10)
def test_prometheus_takes_the_rules_of_any_catalogue(tmp_path_factory: pytest.TempPathFactory, raw: Raw) -> None:
    """Whatever queues are called and promise."""
    folder = tmp_path_factory.mktemp("any")
    assert check(rule_file(*rule_groups(load_from(raw, folder)).values()), folder) == ""


def test_the_check_sees_what_it_is_for(tmp_path: Path) -> None:
    """A rule file that is none is refused."""
    assert "parse error" in check(rules().replace("max(", "max((", 1), tmp_path)


@pytest.mark.parametrize("case", cases())
def test_it_fires(tmp_path: Path, case: Case) -> None:
    """With its labels, and nothing else does."""
    assert wrong(case, case.firing, case.alerts, tmp_path) == ""


@pytest.mark.parametrize("case", cases())
def test_it_keeps_quiet(tmp_path: Path, case: Case) -> None:
    """Nor does any other fire."""
    assert wrong(case, case.quiet, [], tmp_path) == ""


def wrong(case: Case, series: dict[str, str], firing: list[dict[str, str]], folder: Path) -> str:
    """What is other than expected; what is not of the case is scraped and has nothing to do."""
    whole = series if case.name == "FleetUnseen" else {**SEEN, **series}
    return expect(rules(), folder, series=whole, step=case.step, at=case.at, firing=firing)
