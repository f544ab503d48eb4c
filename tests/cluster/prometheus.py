"""The sandbox's Prometheus, asked over its HTTP interface, and what the dashboards ask it.

Source: Prometheus docs, "HTTP API" (`/api/v1/query`, `/api/v1/targets`, `/api/v1/rules`, `/api/v1/alerts`).
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec

from fleet.alerts.rules import rule_file, rule_groups
from fleet.dashboards import Dashboard
from fleet.errors import FleetError
from fleet.plan import Plan
from infra.manifests.scraping import INTERVAL, scrape_file
from ops import monitoring, sandbox_cli
from ops.target import load_local_plan
from tests.cluster.running_fleet import ROOT, RunningFleet

EVERY = "5s"
"""Series are read, and rules looked at, three times as often as the fleet asks for: a test waits for two readings of each."""


def files(plan: Plan) -> dict[str, dict[str, str]]:
    """What the fleet's ConfigMaps hold, read more often; made here, so that the fleet of the other tests stays as it is."""
    groups = {owner: rule_file({**group, "interval": EVERY}) for owner, group in rule_groups(plan).items()}
    scraped = scrape_file(plan).replace(f"scrape_interval: {INTERVAL}", f"scrape_interval: {EVERY}")
    return {
        "scrape": {"scrape.yaml": scraped},
        "rules": {f"{owner}.yaml": text for owner, text in groups.items()},
        monitoring.AUTHORITY: {},
    }


@contextmanager
def monitored(fleet: RunningFleet) -> Iterator[httpx.Client]:
    """A client of a Prometheus that reads the fleet; it is gone afterwards unless it was there before."""
    found = prometheus_address(fleet) is not None
    try:
        if not found:
            sandbox_cli.monitor(fleet.environment, ROOT, files(load_local_plan(ROOT)))
        with prometheus(fleet) as client:
            yield client
    finally:
        if not found:
            fleet.kubectl("delete", "namespace", monitoring.NAMESPACE, "--ignore-not-found", "--wait=false")


@contextmanager
def prometheus(fleet: RunningFleet) -> Iterator[httpx.Client]:
    """A client of the one that is there.

    Raises: FleetError when none is.
    """
    address = prometheus_address(fleet)
    if address is None:
        raise FleetError("sandbox", "no Prometheus reads the fleet", "Start one: make up MONITORING=1")
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


def prometheus_address(fleet: RunningFleet) -> str | None:
    """Of its Service itself, which the host of a sandbox reaches; None where there is none."""
    where = ("-n", monitoring.NAMESPACE, "--ignore-not-found", "-o", "jsonpath={.spec.clusterIP}")
    host = fleet.kubectl("get", "service", monitoring.SERVICE, *where)
    return f"http://{host}:{monitoring.PORT}" if host else None


def answer(client: httpx.Client, path: str, **parameters: str) -> Any:
    """The `data` of an answer."""
    response = client.get(path, params=parameters)
    assert response.is_success, f"{path} {parameters}: {response.status_code} {response.text}"
    return response.json()["data"]


def values(client: httpx.Client, expression: str) -> list[float]:
    """What an expression gives now: numbers alone, without those that are none."""
    found = [float(item["value"][1]) for item in answer(client, "/api/v1/query", query=expression)["result"]]
    return [value for value in found if not math.isnan(value)]


def without_data(client: httpx.Client, expressions: Sequence[str]) -> list[str]:
    """Of these, the ones that give nothing."""
    return [text for text in expressions if not values(client, text)]


def firing(client: httpx.Client) -> list[dict[str, str]]:
    """The labels of every alert that fires."""
    alerts = answer(client, "/api/v1/alerts")["alerts"]
    return [item["labels"] for item in alerts if item["state"] == "firing"]


def panels(dashboards: Sequence[Dashboard]) -> dict[str, list[str]]:
    """Dashboard and panel -> everything that it asks for, for each value of the variable."""
    found = {}
    for dashboard in dashboards:
        for panel in dashboard.panels:
            only = msgspec.structs.replace(dashboard, title=panel.title, panels=(panel,))
            found[f"{dashboard.title}: {panel.title}"] = list(only.queries())
    return found
