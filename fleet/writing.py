"""A Catalogue back to YAML, as a person would write it: the inverse of `fleet.reading`.

Invariant: reading what is written gives an equal catalogue. Fields stand in the order of their models, what a queue takes from defaults is left out, and what
fits a line is written in one. Quantities have their canonical unit (`fleet.quantities`).
"""

from collections.abc import Iterator
from typing import Any

import yaml

from fleet.catalogue import Catalogue, QueueSpec
from fleet.reading import Raw, merge_defaults

LINE_CHARACTERS_MAX = 100
"""A mapping or a list that fits a line of this length is written in one."""

_REQUIRED: Raw = {
    "tasks": ["-"],
    "profile": "io",
    "runtime": {"mean": "1ms", "p99": "1ms", "limit": "1s"},
    "load": {"peak": "1/d"},
}
"""What a queue has to state, with any value."""


def render_catalogue(catalogue: Catalogue) -> str:
    """The YAML text of a catalogue, in one file."""
    base = _without(_plain(QueueSpec.model_validate(merge_defaults(_REQUIRED, catalogue.defaults))), catalogue.defaults)
    queues = {
        name: _difference(_plain(spec), _plain(spec, sparse=True), base) for name, spec in catalogue.queues.items()
    }
    lines = [f"application: {_inline(catalogue.application)}"]
    if catalogue.defaults:
        lines += ["defaults:", *_block(catalogue.defaults, "  ")]
    lines.append("queues:")
    for name, fields in queues.items():
        lines += [f"  {_inline(name)}:", *_block(fields, "    ")]
    return "\n".join(lines) + "\n"


def _plain(spec: QueueSpec, *, sparse: bool = False) -> Raw:
    return spec.model_dump(mode="json", by_alias=True, exclude_defaults=sparse)


def _without(base: Raw, stated: Raw, required: Raw = _REQUIRED) -> Raw:
    """What a queue that states nothing would have: without what it has to state, unless the defaults state it."""
    left: Raw = {}
    for key, value in base.items():
        if isinstance(required.get(key), dict):
            left[key] = _without(value, stated.get(key, {}), required[key])
        elif key not in required or key in stated:
            left[key] = value
    return left


def _difference(whole: Raw, sparse: Raw, base: Raw) -> Raw:
    """What has to be written over `base` to get `whole`; `sparse` is `whole` without what the models give by themselves."""
    written: Raw = {}
    for key, value in whole.items():
        below = base.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            if inner := _difference(value, sparse.get(key, {}), below):
                written[key] = inner
        elif key not in base or value != below:
            written[key] = sparse.get(key, value)
    return written


def _block(mapping: Raw, indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        line = f"{indent}{_inline(key)}: {_inline(value)}"
        if len(line) <= LINE_CHARACTERS_MAX or not value or not isinstance(value, dict | list):
            yield line
        elif isinstance(value, dict):
            yield f"{indent}{_inline(key)}:"
            yield from _block(value, f"{indent}  ")
        else:
            yield f"{indent}{_inline(key)}:"
            yield from (f"{indent}  - {_inline(item)}" for item in value)


class _Writer(yaml.SafeDumper):
    """Text that would take several lines is quoted into one, and a number without a fraction has no point."""


_Writer.add_representer(
    str,
    lambda writer, text: writer.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\n" in text else None),
)
_Writer.add_representer(
    float,
    lambda writer, number: (
        writer.represent_int(int(number)) if number.is_integer() else yaml.SafeDumper.represent_float(writer, number)
    ),
)


def _inline(value: Any) -> str:
    """A value in one line, as it stands behind a key."""
    text = yaml.dump(value, Dumper=_Writer, default_flow_style=True, width=10**9, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()
