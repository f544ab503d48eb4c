"""Upstream's CustomResourceDefinitions, where they are at hand, as a check of one object."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

DEFINITIONS = Path(__file__).resolve().parents[3] / "shared" / "crds"


@cache
def _validators() -> dict[tuple[str, str], jsonschema.Draft202012Validator]:
    found = {}
    for path in DEFINITIONS.glob("*.yaml"):
        definition = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["spec"]
        for version in definition["versions"]:
            key = f"{definition['group']}/{version['name']}", definition["names"]["kind"]
            schema = dict(_closed(version["schema"]["openAPIV3Schema"]))
            # Definitions say nothing of an object's metadata beyond its type.
            schema["properties"] = {**schema["properties"], "metadata": {"type": "object"}}
            found[key] = jsonschema.Draft202012Validator(schema)
    return found


def _closed(schema: Any) -> Any:
    """The schema with unknown fields refused, as server-side apply refuses them, where it does not ask to keep them."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not open_ended:
        closed["additionalProperties"] = False
    return closed


def schema_errors(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with one object: a field that is misspelt, missing or of the wrong type."""
    validator = _validators()[manifest["apiVersion"], manifest["kind"]]
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]
