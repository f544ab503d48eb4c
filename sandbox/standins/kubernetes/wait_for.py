"""The conditions of the annotation `pulumi.com/waitFor`: `condition=Ready` and `jsonpath={.status.phase}=Running`.

The invariant: an expression that cannot be understood is refused before anything is created; it never counts as met.

Source: pulumi-kubernetes v4.32 `provider/pkg/metadata/overrides.go` (ReadyCondition), `provider/pkg/jsonpath/jsonpath.go`
and `provider/pkg/await/condition/{custom,jsonpath,kubectl}.go`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from sandbox.standins.kubernetes.readiness import at, is_observed, number_at
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import Value

ANNOTATION: Final = "pulumi.com/waitFor"

Step: TypeAlias = Callable[[list[Value]], list[Value]]

_STEP: Final = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*)
      | \[\s*(?P<quote>['"])(?P<key>.*?)(?P=quote)\s*\]
      | \[\s*(?P<index>-?\d+)\s*\]
      | (?P<every>\[\s*\*\s*\]|\.\*)
      | \[\s*\?\s*\(?\s*@(?P<inner>[^=!<>]+?)\s*==\s*(?P<literal>'[^']*'|"[^"]*"|true|false|-?\d+)\s*\)?\s*\]""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One expression: how it reads, and whether an object meets it."""

    text: str
    is_met: Callable[[Manifest], bool]


def parse_wait_for(value: str) -> list[Condition]:
    """The conditions of an annotation's value: one expression, or a JSON list of them that all have to be met.

    Raises: PluginError for an expression that is neither a condition nor a JSONPath.
    """
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = None
    is_list = isinstance(parsed, list) and all(isinstance(expression, str) for expression in parsed)
    expressions: list[str] = parsed if is_list else [value]
    if not expressions:
        raise PluginError(f"{ANNOTATION}: at least one condition must be specified")
    return [_parse(expression) for expression in expressions]


def _parse(expression: str) -> Condition:
    if expression.startswith("condition="):
        name, _, wanted = expression.removeprefix("condition=").partition("=")
        return Condition(expression, lambda live: _has_condition(live, name, wanted or "True"))
    if expression.startswith("jsonpath="):
        return _parse_jsonpath(expression)
    raise PluginError(f'{ANNOTATION}: expected a "jsonpath=" or "condition=" prefix, got "{expression}"')


def _has_condition(live: Manifest, name: str, wanted: str) -> bool:
    generation = number_at(live, "metadata", "generation")
    for entry in at(live, "status", "conditions") or []:
        if str(entry.get("type", "")).lower() != name.lower():
            continue
        observed = entry.get("observedGeneration", at(live, "status", "observedGeneration"))
        if isinstance(observed, int) and observed < generation:
            return False
        return str(entry.get("status", "")).lower() == wanted.lower()
    return False


def _parse_jsonpath(expression: str) -> Condition:
    raw = expression.removeprefix("jsonpath=")
    # A single `=` separates path and value; `==` belongs to a filter.
    parts = re.split(r"(?<![=!<>])=(?!=)", raw)
    path, wanted = parts[0], parts[1] if len(parts) == 2 else None
    if len(parts) > 2 or wanted == "":
        raise PluginError(f"{ANNOTATION}: format should be {{.path}}=value or {{.path}}, got {raw!r}")
    if not (path.startswith("{") and path.endswith("}")):
        raise PluginError(f"{ANNOTATION}: {path} should be wrapped in brackets {{ ... }}")
    steps = _steps(path[1:-1].strip().removeprefix("$"), path)
    return Condition(expression, lambda live: _matches(live, steps, path, wanted))


def _steps(text: str, whole: str) -> list[Step]:
    steps: list[Step] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise PluginError(
                f"{ANNOTATION}: parsing {whole!r}: cannot read {text[position:]!r}; "
                'names, ["key"], [0], [*] and [?(@.name=="value")] are understood here'
            )
        steps.append(_step(found, whole))
        position = found.end()
    return steps


def _step(found: re.Match[str], whole: str) -> Step:
    if found["every"]:
        return lambda nodes: [child for node in nodes for child in _children(node)]
    if found["index"]:
        index = int(found["index"])
        return lambda nodes: [
            node[index] for node in nodes if isinstance(node, list) and -len(node) <= index < len(node)
        ]
    if found["inner"]:
        inner, literal = _steps(found["inner"].strip(), whole), json.loads(found["literal"].replace("'", '"'))
        return lambda nodes: [child for node in nodes for child in _children(node) if literal in _select(child, inner)]
    key = found["name"] or found["key"]
    return lambda nodes: [node[key] for node in nodes if isinstance(node, dict) and key in node]


def _children(node: Value) -> list[Value]:
    if isinstance(node, dict):
        return list(node.values())
    return list(node) if isinstance(node, list) else []


def _select(node: Value, steps: list[Step]) -> list[Value]:
    nodes = [node]
    for step in steps:
        nodes = step(nodes)
    return nodes


def _matches(live: Manifest, steps: list[Step], path: str, wanted: str | None) -> bool:
    if at(live, "status", "observedGeneration") is not None and not is_observed(live):
        return False
    selected = _select(live, steps)
    if not selected or wanted is None:
        return bool(selected)
    if isinstance(selected[0], dict | list):
        raise PluginError(f'"{path}" has a non-primitive value ({selected[0]})')
    found = selected[0]
    return wanted == (json.dumps(found) if isinstance(found, bool) else str(found))
