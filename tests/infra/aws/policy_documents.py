"""The policy documents among recorded inputs, and what no statement of ours may say.

Source: IAM user guide, "IAM JSON policy elements"; "IAM and AWS STS quotas" (a managed policy holds 6,144 characters, white space apart).
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.infra.recording import Registration

MAX_CHARACTERS = 6144


def documents(item: Registration) -> Iterator[tuple[str, str]]:
    """Input path -> text, of every JSON policy that the resource is given."""
    yield from _documents(item.inputs, item.name)


def _documents(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _documents(child, f"{path}.{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _documents(child, f"{path}[{index}]")
    elif isinstance(value, str) and value.lstrip().startswith("{") and "Statement" in json.loads(value):
        yield path, value


def statements(text: str) -> list[dict[str, Any]]:
    """The statements of a policy; one alone need not stand in a list."""
    return listed(json.loads(text)["Statement"])


def listed(value: Any) -> list[Any]:
    """What IAM takes alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def wildcard_grants(text: str) -> list[str]:
    """Actions with a wildcard that are allowed on every resource, and everything that is allowed but for some actions or resources."""
    found = []
    for statement in statements(text):
        if statement["Effect"] != "Allow":
            continue
        if statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}:
            found.append(f"{statement.get('Sid')}: allows whatever is not named")
        if "*" in listed(statement.get("Resource", [])):
            found += [
                f"{statement.get('Sid')}: {action} on *" for action in listed(statement["Action"]) if "*" in action
            ]
    return found
