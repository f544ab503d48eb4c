"""The JSON Schemas of a catalogue, for editors: draft 2020-12, made from the models of `fleet.catalogue`.

There are two, of `queues.yaml` and of a file in `queues.d`. Invariant: what the models accept, the schema accepts. It can be looser, where a rule spans
fields or files; `fleet check` has the last word. Two things are not the models' own: `defaults` takes the fields of a queue, and what it states need not
be stated by a queue.
"""

import json
from collections.abc import Iterator
from typing import Any, get_origin

from pydantic import BaseModel

from fleet.catalogue import QUEUE_NAME_LENGTH_MAX, QUEUE_NAME_PATTERN, Catalogue, QueueSpec
from fleet.explaining import submodel
from fleet.reading import PART_KEYS
from fleet.units import format_cpu, format_duration, format_rate, format_size

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE_NAME = "queues.schema.json"
PART_FILE_NAME = "queues.d.schema.json"
"""Beside the catalogue: in the folder it would be a file that is not read."""

Schema = dict[str, Any]
Path = tuple[str, ...]

_WRITTEN = {"80ms": format_duration, "120/s": format_rate, "60Mi": format_size, "250m": format_cpu}
"""First example of a type with a unit -> how its default is written."""


def schema_text(schema: Schema) -> str:
    """The file that editors read."""
    return json.dumps(schema, indent=2) + "\n"


def catalogue_schema() -> Schema:
    """The schema of the main file. It may leave its queues to the files beside it."""
    schema = Catalogue.model_json_schema()
    definitions: dict[str, Schema] = schema["$defs"]
    for definition in (schema, *definitions.values()):
        _tidy(definition)
    required = list(_required(QueueSpec))
    for model in dict.fromkeys(model for model, _, _ in required):
        # What is required here may stand in `defaults`; the conditions below require it where it does not.
        definitions[model.__name__].pop("required", None)
    queue = {"$ref": f"#/$defs/{QueueSpec.__name__}"}
    properties = schema["properties"]
    properties["queues"] = {
        **{key: value for key, value in properties["queues"].items() if key in ("title", "description")},
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": QUEUE_NAME_PATTERN, "maxLength": QUEUE_NAME_LENGTH_MAX},
        "additionalProperties": queue,
    }
    properties["defaults"] = {
        **{key: value for key, value in properties["defaults"].items() if key in ("title", "description")},
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            name: {"$ref": f"{queue['$ref']}/properties/{name}"}
            for name in definitions[QueueSpec.__name__]["properties"]
            if name != "tasks"
        },
    }
    return {
        "$schema": DIALECT,
        **schema,
        "required": [name for name in schema["required"] if name != "queues"],
        "title": "Queue catalogue",
        "allOf": [_unless_default(path, name) for _, path, name in required],
    }


def part_schema() -> Schema:
    """The schema of a file that continues the main one. Any field but `tasks` may stand in the main file's defaults, which it cannot see."""
    whole = catalogue_schema()
    return {
        **{key: value for key, value in whole.items() if key not in ("required", "allOf")},
        "title": "Part of a queue catalogue",
        "properties": {name: whole["properties"][name] for name in PART_KEYS},
        "allOf": [{"properties": {"queues": {"additionalProperties": {"required": ["tasks"]}}}}],
    }


def _tidy(definition: Schema) -> None:
    """Titles without the word Spec; defaults as people write them; nothing where a model is its own default; no key beside a pattern of keys."""
    definition["title"] = str(definition.get("title", "")).removesuffix("Spec")
    for field in definition.get("properties", {}).values():
        if "patternProperties" in field:
            field["additionalProperties"] = False
        default = field.get("default")
        if default is None or isinstance(default, dict | list):
            field.pop("default", None)
        elif (example := (_typed(field).get("examples") or [None])[0]) in _WRITTEN:
            field["default"] = _WRITTEN[example](default)


def _typed(field: Schema) -> Schema:
    """The alternative of a field that is not null."""
    return next((option for option in field.get("anyOf", ()) if option.get("type") != "null"), field)


def _required(model: type[BaseModel], path: Path = ()) -> Iterator[tuple[type[BaseModel], Path, str]]:
    """Required fields of a model and of the models that are merged with their defaults: mappings, but no items of lists and mappings."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        if field.is_required():
            yield model, path, key
        inner = submodel(field.annotation)
        if inner is not None and get_origin(field.annotation) not in (list, dict):
            yield from _required(inner, (*path, key))


def _unless_default(path: Path, name: str) -> Schema:
    """A queue has to state a field unless `defaults` does; below the queue, where it states the mapping around it at all."""
    return {
        "if": {"not": {"required": ["defaults"], "properties": {"defaults": _has(path, name)}}},
        "then": {"properties": {"queues": {"additionalProperties": _inside(path, {"required": [name]})}}},
    }


def _has(path: Path, name: str) -> Schema:
    """Matches a mapping that has the field at the end of the path."""
    if not path:
        return {"type": "object", "required": [name]}
    return {"type": "object", "required": [path[0]], "properties": {path[0]: _has(path[1:], name)}}


def _inside(path: Path, schema: Schema) -> Schema:
    """Applies a schema at the end of a path, where something stands there."""
    return {"properties": {path[0]: _inside(path[1:], schema)}} if path else schema
