"""Rules, scrape settings and dashboards of a fleet as Kubernetes objects.

Invariant: each queue's rules are an object of their own, so that a fleet of a hundred queues stays below what one object may hold (1 MiB of a
ConfigMap, 1.5 MiB of etcd), and a changed queue changes one. What is found by its label has no fixed name.
Sources: prometheus-operator API reference, `PrometheusRule`; Grafana Helm chart, section on the sidecar for dashboards (`grafana_dashboard`).
"""

import json
from collections.abc import Mapping

from fleet.alerts.rules import Rule, rule_file
from fleet.dashboards import Dashboard
from fleet.plan import Plan
from fleet.records import SHARED
from infra.manifests.metadata import Manifest, config_map, metadata
from infra.manifests.scraping import scrape_file

MONITORING_LABEL = "celery-fleet/monitoring"
"""On a ConfigMap: what of a Prometheus it holds, `rules` or `scrape`."""

DASHBOARD_LABEL = "grafana_dashboard"
"""By which the sidecar of Grafana's chart finds a dashboard."""

SCRAPE_KEY = "scrape.yaml"


def _owner(owner: str) -> str | None:
    """The queue that a group of rules is of; None where it is of all."""
    return None if owner == SHARED else owner


def prometheus_rule(fleet: str, owner: str, group: Rule, labels: Mapping[str, str]) -> Manifest:
    """A `PrometheusRule`; `labels` are those by which the operator's Prometheus chooses its rules."""
    described = metadata(fleet, f"alerts-{owner}", "monitoring", queue=_owner(owner))
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {**described, "labels": {**described["labels"], **labels}},
        "spec": {"groups": [group]},
    }


def rules_config_map(fleet: str, owner: str, group: Rule) -> Manifest:
    """The same as a rule file."""
    data = {f"{fleet}.{owner}.yaml": rule_file(group)}
    return _labelled(config_map(fleet, f"alerts-{owner}", "monitoring", data, queue=_owner(owner)), "rules")


def scrape_config_map(plan: Plan, *, broker_tls: bool = False) -> Manifest:
    """What a Prometheus without operator scrapes."""
    data = {SCRAPE_KEY: scrape_file(plan, broker_tls=broker_tls)}
    return _labelled(config_map(plan.fleet, "scrape", "monitoring", data), "scrape")


def dashboard_config_map(dashboard: Dashboard) -> Manifest:
    """A dashboard for Grafana's sidecar."""
    name = f"dashboard-{dashboard.uid}"
    data = {f"{dashboard.uid}.json": json.dumps(dashboard.document(), indent=1)}
    made = config_map(dashboard.fleet, name, "monitoring", data)
    described = made["metadata"]
    return {**made, "metadata": {**described, "labels": {**described["labels"], DASHBOARD_LABEL: "1"}}}


def _labelled(manifest: Manifest, kind: str) -> Manifest:
    described = manifest["metadata"]
    return {**manifest, "metadata": {**described, "labels": {**described["labels"], MONITORING_LABEL: kind}}}
