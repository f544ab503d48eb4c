"""The scrape settings under Prometheus's own tool."""

from pathlib import Path

import pytest

from infra.manifests.scraping import scrape_file
from tests.infra.samples import full_plan, sample_plan
from tests.scan.promtool import needs_promtool, promtool

pytestmark = [pytest.mark.scan, needs_promtool]

DISCOVERY = "scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod}]}]"


def _told(text: str, folder: Path) -> str:
    path = folder / "prometheus.yml"
    path.write_text(text, encoding="utf-8")
    # Only the syntax: the service account's files are in the cluster.
    return promtool("check", "config", "--syntax-only", str(path))


@pytest.fixture(autouse=True)
def _with_discovery(tmp_path: Path) -> None:
    if _told(DISCOVERY, tmp_path):
        pytest.skip("this promtool is built without Kubernetes discovery, as Debian 12's is")


def test_prometheus_takes_them(tmp_path: Path) -> None:
    """As its own settings, of which `scrape_config_files` are a part."""
    for plan in (sample_plan("prod"), full_plan()):
        assert _told(scrape_file(plan), tmp_path) == ""


def test_the_check_sees_what_it_is_for(tmp_path: Path) -> None:
    """A key that Prometheus does not know is refused."""
    assert "not found" in _told(scrape_file(sample_plan("prod")).replace("metrics_path", "metrics_paht"), tmp_path)
