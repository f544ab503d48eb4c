"""The versions of Kubernetes that a cluster may have."""

from datetime import date

import pytest

from fleet.errors import FleetError
from infra.aws.kubernetes_versions import DEFAULT, check_version, support_warning


def test_the_default_is_the_version_that_everything_is_tried_on() -> None:
    """And it is one of those that are allowed."""
    assert DEFAULT == "1.36"
    check_version(DEFAULT)


@pytest.mark.parametrize(
    "version",
    [
        pytest.param("1.34", id="extended support begins in December 2026"),
        pytest.param("1.20", id="long out of support"),
        pytest.param("1.37", id="not tried yet"),
        pytest.param("1.36.3", id="EKS takes minor versions"),
        pytest.param("", id="nothing at all"),
    ],
)
def test_other_versions_are_refused_with_those_that_there_are(version: str) -> None:
    """Before anything is made."""
    with pytest.raises(FleetError) as refused:
        check_version(version)
    assert refused.value.where == "celery-fleet:aws.kubernetesVersion"
    assert '"1.35", "1.36"' in refused.value.fix


@pytest.mark.parametrize(
    ("version", "today", "said"),
    [
        pytest.param("1.35", date(2026, 12, 26), None, id="91 days before, there is time"),
        pytest.param("1.35", date(2026, 12, 27), "in 90 days", id="90 days before, it is said"),
        pytest.param("1.35", date(2027, 3, 26), "in 1 days", id="on the last day, still"),
        pytest.param("1.35", date(2027, 3, 27), "by itself", id="from then on EKS upgrades by itself"),
        pytest.param("1.36", date(2027, 3, 27), None, id="the next version has until August"),
        pytest.param("1.36", date(2027, 8, 1), "2027-08-02", id="the day is said"),
    ],
)
def test_the_end_of_standard_support_is_said_ninety_days_before(version: str, today: date, said: str | None) -> None:
    """An upgrade goes through every environment."""
    warning = support_warning(version, today)
    assert (warning is None) == (said is None)
    assert (said or "") in (warning or "")


def test_the_warning_names_the_version_to_go_to() -> None:
    """Where this project knows one."""
    assert "1.36" in (support_warning("1.35", date(2027, 1, 1)) or "")
