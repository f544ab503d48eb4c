"""The CustomResourceDefinitions that upstream publishes, for tests that hold a stand-in's against them; where they are not there a test is skipped."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

UPSTREAM = Path(__file__).parents[4] / "shared" / "crds"


def upstream(ours: dict[str, Any]) -> dict[str, Any]:
    """What upstream publishes of the same kind."""
    return _read(ours["metadata"]["name"])


@cache
def _read(name: str) -> dict[str, Any]:
    plural, _, group = name.partition(".")
    path = UPSTREAM / f"{group}_{plural}.yaml"
    if not path.exists():
        pytest.skip(f"the upstream definitions are not at {UPSTREAM}")
    content: dict[str, Any] = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return content


def schema_of(definition: dict[str, Any]) -> dict[str, Any]:
    """The schema of its only version, or its first."""
    schema: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field, however deep: its path below `path`, and its schema."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from fields(child, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from fields(schema[word], f"{path}.{word}")
