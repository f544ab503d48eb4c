"""Alerts and recorded series in the format of a Prometheus rule file: groups of rules, as both Prometheus and its operator read them.

Source: Prometheus docs, "Alerting rules" and "Recording rules" (groups, `for`, templates in annotations).
"""

import math
from collections.abc import Mapping
from typing import Any

import yaml

from fleet.alerts.alert import Alert
from fleet.alerts.deriving import derive_alerts
from fleet.alerts.recording import Recording, queue_recordings
from fleet.plan import Plan
from fleet.records import SHARED
from fleet.series import NAMESPACE_LABEL
from fleet.units import format_duration

RUNBOOK = "docs/runbooks/alerts.md"
"""In the project, where nobody has said at which address people read it."""

Rule = dict[str, Any]


def alert_rule(alert: Alert, labels: Mapping[str, str], *, runbook: str = RUNBOOK) -> Rule:
    """One rule; `labels` tell the fleet and its environment."""
    queue = {} if alert.queue is None else {"queue": alert.queue}
    rule: Rule = {"alert": alert.name, "expr": alert.expression}
    if alert.for_seconds:
        rule["for"] = format_duration(alert.for_seconds)
    return {
        **rule,
        "labels": {**labels, "severity": alert.severity.value, **queue, **alert.labels},
        "annotations": {
            "summary": alert.summary,
            "description": alert.means,
            "action": alert.action,
            "runbook_url": f"{runbook}#{alert.name.lower()}",
        },
    }


def recording_rule(recording: Recording, fleet: str) -> Rule:
    """One series, with the labels by which the measured ones are chosen too."""
    labels = {NAMESPACE_LABEL: fleet, "queue": recording.queue, **recording.labels}
    return {"record": recording.name, "expr": recording.expression, "labels": labels}


def rule_groups(plan: Plan, *, runbook: str = RUNBOOK) -> dict[str, Rule]:
    """Queue -> its group of rules, recorded series first; what the queues share stands under `fleet`, which no queue may be called."""
    labels = {"fleet": plan.fleet, "environment": plan.environment}
    found: dict[str, Rule] = {SHARED: {"name": f"{plan.fleet}.{SHARED}", "rules": []}}
    for queue in plan.queues:
        made = [recording_rule(item, plan.fleet) for item in queue_recordings(plan.fleet, queue)]
        found[queue.name] = {"name": f"{plan.fleet}.{queue.name}", "rules": made}
    for alert in derive_alerts(plan):
        found[alert.queue or SHARED]["rules"].append(alert_rule(alert, labels, runbook=runbook))
    return found


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines stand as they are."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def rule_file(*groups: Rule) -> str:
    """A rule file of some groups."""
    return yaml.dump({"groups": list(groups)}, Dumper=_Dumper, sort_keys=False, width=math.inf)
