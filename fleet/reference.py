"""The reference of the catalogue, of an environment's settings, of the commands and of what the plan explains, written from themselves.

`python -m fleet.reference` writes the pages under `docs/reference/`; a test fails when they are not what it would write. The invariant: what is
said of a key is the docstring that the error messages show too, and a default on the page is the default that is used.
"""

import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from fleet.catalogue import Catalogue, QueueSpec
from fleet.cli.reference import commands_page
from fleet.cloud import Cloud
from fleet.docstrings import field_docstrings
from fleet.environment import CONFIG_KEY, ENVIRONMENTS, Environment, EnvironmentSpec
from fleet.explaining import submodel
from fleet.reasons.reference import reasons_page
from fleet.schema import FILE_NAME, PART_FILE_NAME, catalogue_schema, part_schema, schema_text
from fleet.units import format_cpu, format_duration, format_number, format_size

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"

GENERATED = "<!-- Written by `python -m fleet.reference` from the models in fleet/; change those. -->\n\n"

_WORDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Any: "anything"}
_BOUNDS = {Ge: ("ge", "from"), Gt: ("gt", "above"), Le: ("le", "to"), Lt: ("lt", "below")}


def catalogue_page() -> str:
    """The page of `queues.yaml`."""
    lines = [
        "# The catalogue: queues.yaml\n",
        "A key that is not listed here is refused, with the nearest one that is. `fleet check` shows every finding of all files in one run.\n",
        "Files `queues.d/*.yaml` beside it continue it, in name order: each holds `queues`, and `defaults` of its own that lie over those here.\n",
        "## The file\n",
        *_table(Catalogue),
        "\n`defaults` takes the fields of a queue except `tasks`; mappings are merged key by key, and what a queue states wins.\n",
        "Queue names: lower-case letters, digits and hyphens, beginning with a letter, 40 characters at most.\n",
        "## A queue\n",
        *sections(QueueSpec),
    ]
    return GENERATED + "\n".join(lines).rstrip() + "\n"


def environment_page() -> str:
    """The page of the environments' settings."""
    lines = [
        "# The settings of an environment\n",
        f"They stand under `{CONFIG_KEY}` in `Pulumi.<environment>.yaml`; what is not stated there comes from the table at the end.\n",
        *sections(EnvironmentSpec),
        "\n## Defaults\n",
        "An environment of another name starts from the column `dev`.\n",
        "| | " + " | ".join(ENVIRONMENTS) + " |",
        "|---|" + "---|" * len(ENVIRONMENTS),
        *_default_rows(),
    ]
    return GENERATED + "\n".join(lines).rstrip() + "\n"


def _default_rows() -> Iterator[str]:
    shown: dict[str, Callable[[Environment], str]] = {
        "startup": lambda item: format_duration(item.startup_seconds),
        "cpuScale": lambda item: format_number(item.cpu_scale),
        "loadFactor": lambda item: format_number(item.load_factor),
        "spot": lambda item: str(item.spot).lower(),
        "nodeMemory": lambda item: format_size(item.node_memory_bytes),
        "broker.nodes": lambda item: str(item.broker_nodes),
        "broker.cpuMillicores": lambda item: f"{item.broker_cpu_millicores} ({format_cpu(item.broker_cpu_millicores)})",
        "broker.memory": lambda item: format_size(item.broker_memory_bytes),
        "broker.storage": lambda item: format_size(item.broker_storage_bytes),
        "cloud.region": _of_cloud(lambda cloud: cloud.region),
        "cloud.zones": _of_cloud(lambda cloud: str(cloud.zones)),
        "cloud.systemInstance": _of_cloud(lambda cloud: cloud.system_instance),
        "cloud.systemNodes": _of_cloud(lambda cloud: str(cloud.system_nodes)),
        "cloud.brokerInstance": _of_cloud(lambda cloud: cloud.broker_instance),
        "cloud.workerInstances": _of_cloud(lambda cloud: ", ".join(cloud.worker_instances)),
        "cloud.nodeDisk": _of_cloud(lambda cloud: format_size(cloud.node_disk_bytes)),
        "cloud.brokerIops": _of_cloud(lambda cloud: str(cloud.broker_iops)),
        "cloud.nat": _of_cloud(lambda cloud: cloud.nat),
        "cloud.resultsInstance": _of_cloud(lambda cloud: cloud.results_instance),
        "cloud.resultsNodes": _of_cloud(lambda cloud: str(cloud.results_nodes)),
    }
    for key, show in shown.items():
        yield f"| `{key}` | " + " | ".join(show(item) for item in ENVIRONMENTS.values()) + " |"


def _of_cloud(show: Callable[[Cloud], str]) -> Callable[[Environment], str]:
    """A cell of the place in AWS, `none` where there is none."""
    return lambda item: show(item.cloud) if item.cloud is not None else "none"


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The lines about a model's keys, and below them those of every model inside it."""
    yield from _table(model, prefix)
    for name, field in model.model_fields.items():
        inner = submodel(field.annotation)
        if inner is not None:
            key = f"{prefix}{field.alias or name}"
            yield f"\n### {key}\n"
            yield f"{(inner.__doc__ or '').strip()}\n"
            yield from sections(inner, f"{key}{_step(field.annotation)}.")


def _step(annotation: Any) -> str:
    """How a key path goes on below a list or a mapping of models."""
    return {list: "[]", dict: ".<name>"}.get(get_origin(annotation), "")


def _table(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    yield "| key | takes | default | means |"
    yield "|---|---|---|---|"
    meanings = field_docstrings(model)
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        yield f"| `{key}` | {_takes(field)} | {_default(field)} | {meanings[name]} |"


def _takes(field: FieldInfo) -> str:
    bounds: list[str] = []
    for mark in _marks(field):
        if isinstance(mark, WithJsonSchema):
            return ", ".join(f"`{example}`" for example in (mark.json_schema or {}).get("examples", ()))
        if type(mark) in _BOUNDS:
            attribute, word = _BOUNDS[type(mark)]
            bounds.append(f"{word} {format_number(getattr(mark, attribute))}")
    return " ".join([_words(field.annotation), *bounds])


def _marks(field: FieldInfo) -> Iterator[Any]:
    inner = (mark for part in get_args(field.annotation) for mark in getattr(part, "__metadata__", ()))
    for mark in (*field.metadata, *inner):
        if isinstance(mark, FieldInfo):
            yield from mark.metadata
        else:
            yield mark


def _words(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        words = _words(inner[0])
    elif origin is Literal:
        words = " or ".join(f"`{choice}`" for choice in inner)
    elif origin is list:
        words = f"list of {_words(inner[0])}"
    elif origin is dict:
        words = f"mapping of {_words(inner[0])} to {_words(inner[1])}"
    elif inner:
        words = " or ".join(_words(part) for part in inner if part is not type(None))
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        words = " or ".join(f"`{member.value}`" for member in annotation)
    else:
        words = _WORDS.get(annotation, "mapping, see below")
    return words


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or value is None or value in ({}, []) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    takes = _takes(field)
    if "`60Mi`" in takes:
        return f"`{format_size(value)}`"
    return (
        f"`{format_duration(value)}`"
        if "`30s`" in takes
        else f"`{format_number(value)}`"
        if isinstance(value, float)
        else f"`{value}`"
    )


PAGES: dict[str, Callable[[], str]] = {
    "catalogue.md": catalogue_page,
    "environment.md": environment_page,
    "fleet.md": commands_page,
    "reasons.md": lambda: GENERATED + reasons_page(),
    f"../../{FILE_NAME}": lambda: schema_text(catalogue_schema()),
    f"../../{PART_FILE_NAME}": lambda: schema_text(part_schema()),
}
"""File, seen from `docs/reference/` -> what writes it; the schemas that editors use change with the same models."""


def write_anew(path: Path, text: str) -> None:
    """Writes what is made from code, naming the file if it changed."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")


def main() -> None:
    """Writes every page, naming those that changed."""
    for name, page in PAGES.items():
        write_anew(FOLDER / name, page())


if __name__ == "__main__":
    main()
