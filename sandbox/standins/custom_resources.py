"""CustomResourceDefinitions: what their schemas are made of, a whole definition, and the stream of several.

Invariant: every schema is structural and written for API servers that prune, so a field missing here is a field that
the stand-in would silently drop; tests compare each one with the upstream definitions. The stream is plain YAML (no
anchors), the same text on every run, fit for `kubectl apply -f -`.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import yaml

Schema: TypeAlias = dict[str, Any]

STRING: Final[Schema] = {"type": "string"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
INTEGER: Final[Schema] = {"type": "integer"}
INT32: Final[Schema] = {"type": "integer", "format": "int32"}
INT64: Final[Schema] = {"type": "integer", "format": "int64"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}


def one_of(*values: str, default: str | None = None) -> Schema:
    """A string that takes one of `values`."""
    schema: Schema = {"type": "string", "enum": list(values)}
    return schema if default is None else schema | {"default": default}


def record(properties: Schema, *, required: Iterable[str] = ()) -> Schema:
    """An object with typed fields; `required` is left out when there is none, as upstream leaves it out."""
    schema: Schema = {"type": "object", "properties": properties}
    return schema | {"required": sorted(required)} if required else schema


def definition(
    *,
    group: str,
    version: str,
    kind: str,
    plural: str,
    description: str,
    spec: Schema,
    status: Schema,
    required: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    short_names: tuple[str, ...] = (),
    columns: tuple[Schema, ...] = (),
    namespaced: bool = True,
) -> Schema:
    """A whole CustomResourceDefinition with one version and a status subresource; `required` is of the resource itself."""
    names: Schema = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
    }
    fields = {"apiVersion": STRING, "kind": STRING, "metadata": {"type": "object"}, "spec": spec, "status": status}
    content: Schema = {
        "name": version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {**record(fields, required=required), "description": description}},
    }
    if categories:
        names["categories"] = list(categories)
    if short_names:
        names["shortNames"] = list(short_names)
    if columns:
        content["additionalPrinterColumns"] = list(columns)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": names,
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": [content],
        },
    }


class _PlainDumper(yaml.SafeDumper):
    """Writes a shared schema out at every place where it is used."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def yaml_stream(definitions: Iterable[Schema]) -> str:
    """The definitions as a YAML stream."""
    return yaml.dump_all(definitions, Dumper=_PlainDumper, sort_keys=False, explicit_start=True)
