"""The recorded AWS resources as the plan that `terraform show -json` prints, for scanners that read those.

Invariant: names are told by rule, because pulumi-aws is made from Terraform's provider: snake case instead of camel case, a block in a list
of its own, a mapping as it is. Where Pulumi made a name plural, both spellings are written: a scanner reads the one it knows.
Source: Terraform docs, "JSON Output Format" (format version 1.2); pulumi-terraform-bridge, "Property name translation".
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sandbox.standins.aws.package_types import ListOf, ObjectOf, OneOf, Shape, Type, object_shape, resource_type
from tests.infra.recording import Recorded, Registration

PREFIXES = {
    "cloudwatch": "aws_cloudwatch",
    "ec2": "aws",
    "ecr": "aws_ecr",
    "eks": "aws_eks",
    "elasticache": "aws_elasticache",
    "iam": "aws_iam",
    "kms": "aws_kms",
    "sqs": "aws_sqs",
    "vpc": "aws_vpc",
}
"""Module of pulumi-aws -> beginning of Terraform's name; a module that is not here is a decision to take."""

OWN_NAMES = {"aws:iam/openIdConnectProvider:OpenIdConnectProvider": "aws_iam_openid_connect_provider"}
"""Types whose Terraform name is another than the rule says."""

PROVIDER = "registry.terraform.io/hashicorp/aws"


def terraform_type(typ: str) -> str:
    """`aws:eks/nodeGroup:NodeGroup` -> `aws_eks_node_group`."""
    _, path, kind = typ.split(":")
    return OWN_NAMES.get(typ) or f"{PREFIXES[path.split('/')[0]]}_{_snake(kind)}"


def terraform_plan(recorded: Recorded) -> dict[str, Any]:
    """The plan of a first `apply`: everything is created, and nothing is unknown."""
    found = [item for item in recorded.resources if item.typ.startswith("aws:")]
    addresses = {item.identity: _address(item) for item in found}
    addresses |= {item.outputs["arn"]: _address(item) for item in found if "arn" in item.outputs}
    values = {item.urn: _block(item.inputs, resource_type(item.typ).inputs) for item in found}
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {
            "root_module": {
                "resources": [
                    {**_head(item), "provider_name": PROVIDER, "schema_version": 0, "values": values[item.urn]}
                    for item in found
                ]
            }
        },
        "resource_changes": [
            {
                **_head(item),
                "provider_name": PROVIDER,
                "change": {"actions": ["create"], "before": None, "after": values[item.urn], "after_unknown": {}},
            }
            for item in found
        ],
        "configuration": {
            "root_module": {
                "resources": [
                    {**_head(item), "provider_config_key": "aws", "expressions": dict(_expressions(item, addresses))}
                    for item in found
                ]
            }
        },
    }


def _head(item: Registration) -> dict[str, Any]:
    return {"address": _address(item), "mode": "managed", "type": terraform_type(item.typ), "name": item.name}


def _address(item: Registration) -> str:
    return f"{terraform_type(item.typ)}.{item.name}"


def _expressions(item: Registration, addresses: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Attribute -> what it refers to: a graph of the plan has an edge for each."""
    for name, value in item.inputs.items():
        texts = set(_texts(value))
        referred = {address for recorded, address in addresses.items() if any(_holds(text, recorded) for text in texts)}
        if referred:
            references = [text for address in sorted(referred) for text in (f"{address}.id", address)]
            for spelling in _spellings(name, value):
                yield spelling, {"references": references}


def _holds(text: str, recorded: str) -> bool:
    return recorded in text and re.search(rf"(?<![\w-]){re.escape(recorded)}(?![\w-])", text) is not None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    children: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _texts(child)


def _block(values: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    return {
        spelling: _value(value, shape[name].type)
        for name, value in values.items()
        for spelling in _spellings(name, value)
    }


def _value(value: Any, wanted: Type) -> Any:
    match wanted:
        case ObjectOf() if isinstance(value, dict):
            return [_block(value, object_shape(wanted))]
        case ListOf(ObjectOf() as item) if isinstance(value, list):
            return [_block(child, object_shape(item)) for child in value]
        case OneOf(options):
            return _value(value, next((item for item in options if not isinstance(item, ObjectOf)), options[0]))
    return value


def _spellings(name: str, value: Any) -> list[str]:
    """Terraform's name, and its singular where Pulumi's is that of a list."""
    plain = _snake(name)
    if not isinstance(value, list) or not plain.endswith("s"):
        return [plain]
    return [plain, f"{plain[:-3]}y" if plain.endswith("ies") else plain[:-1]]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
