"""Values as they may be shown: a secret never, anything else in one line that is short enough to read.

Invariant: the engine masks what travelled as a secret; what is a credential by its name, its form or its place is masked here as well, because a
program may have forgotten to say so.
Source: pulumi v3.259 `pkg/backend/display/json.go` (`[secret]`), `sdk/go/common/resource/plugin/rpc.go` (the marks of what is not known yet).
"""

import json
from collections.abc import Mapping
from typing import Any

from fleet.credentials import KEYS, PASSWORD_IN_URL, SECRET_NAME

MASK = "[secret]"
SPECIAL_KEY = "4dabf18193072939515e22adb298388d"
"""Marks a struct that stands for one value; of those that travel in events, a secret."""

UNKNOWN = "(known after the update)"
UNKNOWN_MARKS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
LONGEST = 160
"""Characters of a value that are shown."""

SECRET_TYPES = {"kubernetes:core/v1:Secret": ("data", "stringData")}
"""Type -> properties below which everything is secret, whoever wrote it."""


def masked(value: Any, key: str = "") -> Any:
    """The value without its secrets; `key` is the name that it stands under."""
    if isinstance(value, Mapping):
        return MASK if SPECIAL_KEY in value else _masked_mapping(value)
    if isinstance(value, list):
        return [masked(item, key) for item in value]
    return _masked_text(value, key) if isinstance(value, str) else value


def _masked_mapping(value: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: masked(inner, str(name)) for name, inner in value.items()}
    # A variable of a container names its value beside it.
    if SECRET_NAME.search(str(value.get("name", ""))) and isinstance(value.get("value"), str):
        plain["value"] = MASK
    return plain


def _masked_text(value: str, key: str) -> str:
    if value in UNKNOWN_MARKS:
        return UNKNOWN
    if KEYS.search(value) or (value and SECRET_NAME.search(key)):
        return MASK
    if (document := json_in(value)) is not None and (plain := masked(document)) != document:
        return json.dumps(plain)
    return PASSWORD_IN_URL.sub(lambda found: f"{found[0].partition('://')[0]}://{MASK}@", value)


def json_in(value: Any) -> Any:
    """What a text holds, where it is a mapping or a list in JSON; else None."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def masked_properties(typ: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a resource without its secrets."""
    hidden = SECRET_TYPES.get(typ, ())
    return {
        name: dict.fromkeys(value, MASK)
        if name in hidden and isinstance(value, Mapping) and SPECIAL_KEY not in value
        else MASK
        if name in hidden
        else masked(value, name)
        for name, value in properties.items()
    }


def shown(value: Any) -> str:
    """A value in one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
