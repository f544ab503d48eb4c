"""Kubernetes' own schemas of its built-in kinds, as a strict check of one object.

Invariant: what the API server's strict validation refuses is refused here, unknown fields above all.
Source: kubernetes-validate 1.37, which carries the schemas of each minor version; its own `validate` reads all definitions anew for every
object, a quarter of a second each.
"""

import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from kubernetes_validate import utils
from referencing import Registry, Resource

BUILT_IN_GROUPS = re.compile(r"^(v1|(apps|autoscaling|batch|policy)/.*|[a-z.]+\.k8s\.io/.*)$")


def is_built_in(manifest: dict[str, Any]) -> bool:
    """Whether Kubernetes itself defines the kind."""
    return BUILT_IN_GROUPS.match(manifest["apiVersion"]) is not None


@cache
def _validator(version: str, api_version: str, kind: str) -> Draft202012Validator:
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = utils.schema_contents(f"{folder}/{kind.lower()}-{group}.json", version)
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions(version))


@cache
def _definitions(version: str) -> Registry[Any]:
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    return Resource.from_contents(utils.schema_contents(f"{folder}/_definitions.json", version)) @ Registry()


def kubernetes_errors(manifest: dict[str, Any], version: str) -> list[str]:
    """What Kubernetes of that minor version (`1.36`) would refuse in the object.

    Raises: FileNotFoundError when it has no such kind.
    """
    validator = _validator(version, manifest["apiVersion"], manifest["kind"])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]
