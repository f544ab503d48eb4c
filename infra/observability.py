"""What a fleet gives to the monitoring of its users: what to scrape, what to be told of, what to look at.

Invariant: no monitoring is installed here, and none is needed for a fleet to run. With the Prometheus operator there are its own kinds, without it
the same as files in ConfigMaps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pulumi

from fleet.alerts.rules import RUNBOOK, rule_groups
from fleet.dashboards import derive_dashboards
from fleet.plan import Plan
from infra.manifests.monitoring import dashboard_config_map, prometheus_rule, rules_config_map, scrape_config_map
from infra.manifests.scraping import pod_monitor, scrapes
from infra.objects import KubernetesObject


class Monitoring(StrEnum):
    """Who reads a fleet's metrics."""

    OPERATOR = "operator"
    """A Prometheus that the Prometheus operator runs: by PodMonitor and PrometheusRule."""
    PLAIN = "plain"
    """A Prometheus with files: by ConfigMaps."""
    NONE = "none"


MONITORING_GROUP = "monitoring.coreos.com/v1"
MONITORING_KINDS = ("PodMonitor", "PrometheusRule")
"""Of the Prometheus operator; what a cluster has to serve for `operator`."""


@dataclass(frozen=True, kw_only=True)
class ObservabilityArgs:
    """A fleet and its reader."""

    plan: Plan
    """Plain, because it decides which resources exist."""
    mode: Monitoring
    broker_tls: bool = False
    """Whether the broker speaks TLS, and then nothing else."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """On monitors and rules, for the operator's Prometheus to choose them by."""
    runbook: str = RUNBOOK
    """Address of the runbook of the alerts."""


class Observability(pulumi.ComponentResource):
    """Scrape settings, alerts and dashboards."""

    mode: str

    def __init__(self, name: str, args: ObservabilityArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:observability:Observability", name, None, opts)
        plan, child = args.plan, pulumi.ResourceOptions(parent=self)
        if args.mode is Monitoring.OPERATOR:
            for scrape in scrapes(plan, broker_tls=args.broker_tls):
                monitor = pod_monitor(plan.fleet, scrape, args.labels)
                KubernetesObject(f"{name}-{scrape.name}-monitor", monitor, opts=child)
        else:
            KubernetesObject(f"{name}-scrape", scrape_config_map(plan, broker_tls=args.broker_tls), opts=child)
        for owner, group in rule_groups(plan, runbook=args.runbook).items():
            rules = (
                prometheus_rule(plan.fleet, owner, group, args.labels)
                if args.mode is Monitoring.OPERATOR
                else rules_config_map(plan.fleet, owner, group)
            )
            KubernetesObject(f"{name}-{owner}-rules", rules, opts=child)
        for dashboard in derive_dashboards(plan):
            kind = dashboard.uid.rpartition("-")[2]
            KubernetesObject(f"{name}-{kind}-dashboard", dashboard_config_map(dashboard), opts=child)
        self.mode = args.mode.value
        self.register_outputs({"mode": self.mode})
