"""Dashboards and their panels, as data, and their JSON for Grafana.

Source: Grafana docs, "Dashboard JSON model" (schema version 39, which Grafana 11 writes and later versions migrate).
"""

from typing import Any, Literal

from fleet.records import Record

SCHEMA_VERSION = 39
COLUMNS = 24
"""Of Grafana's grid."""
HEIGHT = 8
PANELS_A_ROW = 3

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
"""Chosen by whoever looks: the variable `datasource`."""

Unit = Literal["short", "s", "bytes", "percentunit", "reqps", "none"]


class Query(Record, frozen=True, kw_only=True):
    """One line of a panel, or several by a label."""

    expression: str
    legend: str


class Panel(Record, frozen=True, kw_only=True):
    """One picture."""

    title: str
    description: str
    """What it says, and what to make of it."""
    queries: tuple[Query, ...]
    unit: Unit = "short"
    kind: Literal["timeseries", "stat"] = "timeseries"


class Variable(Record, frozen=True, kw_only=True):
    """One choice at the top of a dashboard."""

    name: str
    values: tuple[str, ...]


class Dashboard(Record, frozen=True, kw_only=True):
    """One page."""

    uid: str
    """Forty characters at most (Grafana docs, "Dashboard HTTP API")."""
    title: str
    fleet: str
    panels: tuple[Panel, ...]
    variable: Variable | None = None

    def queries(self) -> tuple[str, ...]:
        """Every expression, once for each value of the variable."""
        found = [query.expression for panel in self.panels for query in panel.queries]
        if self.variable is None:
            return tuple(found)
        return tuple(text.replace(f"${self.variable.name}", value) for text in found for value in self.variable.values)

    def document(self) -> dict[str, Any]:
        """The JSON model."""
        choices = [_datasource()]
        if self.variable is not None:
            choices.append(_custom(self.variable))
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["celery-fleet", self.fleet],
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "timezone": "browser",
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "templating": {"list": choices},
            "panels": [_panel(index, panel) for index, panel in enumerate(self.panels)],
        }


def dashboard_uid(fleet: str, name: str) -> str:
    """A name that stays, so that links to a dashboard do; a fleet's name is cut, its kind is not."""
    return f"{fleet[: 39 - len(name)]}-{name}"


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _custom(variable: Variable) -> dict[str, Any]:
    options = [{"text": value, "value": value, "selected": index == 0} for index, value in enumerate(variable.values)]
    return {
        "name": variable.name,
        "type": "custom",
        "query": ",".join(variable.values),
        "options": options,
        "current": options[0],
    }


def _panel(index: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(index, PANELS_A_ROW)
    width = COLUMNS // PANELS_A_ROW
    return {
        "id": index + 1,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": {"x": column * width, "y": row * HEIGHT, "w": width, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if panel.kind == "timeseries" else {},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": DATASOURCE, "expr": query.expression, "legendFormat": query.legend}
            for place, query in enumerate(panel.queries)
        ],
    }  # fmt: skip
