"""The sandbox's Prometheus as `make up` handles it: what it is given, where it is not brought, and for how long it was asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.alerts.rules import rule_groups
from fleet.errors import FleetError, UsageError
from infra.manifests.monitoring import rules_config_map, scrape_config_map
from infra.manifests.scraping import AUTHORITY_FOLDER
from ops import sandbox_cli, state, stopping
from ops import target as targets
from ops.monitoring import check_asked, fleet_files, start_monitoring
from ops.progress import Progress
from ops.target import Target
from sandbox import monitoring as sandbox_monitoring
from tests.ops.conftest import Programs

CLEAR = {"spec": {"ports": [{"name": "amqp", "port": 5672}, {"name": "management", "port": 15672}]}}
ENCRYPTED = {"spec": {"ports": [{"name": "amqps", "port": 5671}, {"name": "management-tls", "port": 15671}]}}
SECRET = {"data": {"ca.crt": "UEVN"}}


def _answers(programs: Programs, service: dict[str, Any], config_maps: list[dict[str, Any]]) -> None:
    """What kubectl says of each kind."""
    said = {"configmaps": {"items": config_maps}, "service": service, "secret": SECRET}
    programs.write("kubectl", f"print({json.dumps({kind: json.dumps(one) for kind, one in said.items()})}[words[2]])")


def _deployed(target: Target) -> list[dict[str, Any]]:
    """The ConfigMaps of the fleet, in the mode `plain`."""
    groups = rule_groups(target.plan)
    made = [rules_config_map(target.plan.fleet, owner, group) for owner, group in groups.items()]
    return [*made, scrape_config_map(target.plan)]


def test_it_is_given_what_the_fleet_has(programs: Programs, target: Target) -> None:
    """Every file of every ConfigMap, by what it is for; nothing to believe a broker by that speaks in clear."""
    _answers(programs, CLEAR, _deployed(target))
    found = fleet_files(target)
    owners = ("fleet", "high", "default", "thumbnails", "reports")
    assert {folder: set(files) for folder, files in found.items()} == {
        "scrape": {"scrape.yaml"},
        "rules": {f"celery-fleet.{owner}.yaml" for owner in owners},
        "broker-authority": set(),
    }


def test_it_is_given_what_to_believe_a_broker_by(programs: Programs, target: Target) -> None:
    """In the folder in which the scrape settings look for it."""
    _answers(programs, ENCRYPTED, _deployed(target))
    assert fleet_files(target)["broker-authority"] == {"celery-fleet.crt": "PEM"}
    assert f"{sandbox_monitoring.FOLDER}/broker-authority" == AUTHORITY_FOLDER


def test_a_fleet_that_gives_nothing_is_told_of(programs: Programs, target: Target) -> None:
    """Its stack says `none`: a Prometheus that reads nothing would look as if nothing were wrong."""
    _answers(programs, CLEAR, [])
    with pytest.raises(FleetError, match=r"Pulumi\.local\.yaml: celery-fleet:monitoring\.mode"):
        start_monitoring(target, Progress())


def test_a_cluster_of_ones_own_has_a_monitoring_of_its_own() -> None:
    """Nothing is started there that its owner would have to take away."""
    with pytest.raises(UsageError, match="sandbox alone"):
        check_asked("kind-fleet", asked=True)
    check_asked("kind-fleet", asked=False)
    check_asked(None, asked=True)


def test_it_is_asked_for_once(monkeypatch: pytest.MonkeyPatch, target: Target, tmp_path: Path) -> None:
    """Every `pulumi` that runs on the sandbox leaves its files as they are, also that of `make shell`; a sandbox that was stopped has none."""
    environ = {"FLEET_STATE_DIR": str(tmp_path)}
    monkeypatch.setattr(sandbox_cli, "variables", lambda *_: environ)
    monkeypatch.setattr(sandbox_cli, "read_status", lambda *_: {"state": "absent"})
    monkeypatch.setattr(sandbox_cli, "stop", lambda *_, **__: None)

    def mode() -> str | None:
        return targets.sandbox_target(environ, target.plan).environ.get("FLEET_MONITORING")

    assert mode() is None
    state.remember_monitored(state.state_folder(environ))
    assert mode() == "plain"
    stopping.stop_sandbox(environ, Progress(), with_caches=False)
    assert mode() is None
