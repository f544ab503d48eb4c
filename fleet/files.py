"""The files of one catalogue: the main one, and those in the folder beside it.

`queues.yaml` may be continued by `queues.d/*.yaml`, in name order (in general the file's name with `.d` in place of its ending). Invariant: a file that
cannot be read or parsed hides nothing that is wrong with the others.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fleet.errors import CatalogueError, Finding
from fleet.parsing import file_finding, parse_source, read_text
from fleet.source import Source

ENDING = ".yaml"


def parts_folder(catalogue: Path) -> Path:
    """The folder whose files continue a catalogue: `queues.d` beside `queues.yaml`."""
    return catalogue.parent / f"{catalogue.stem}.d"


def read_catalogue(path: Path, *, shown_as: str | None = None) -> Source:
    """Reads and parses a catalogue with the files beside it; what is wrong with a file stands in the findings of its part."""
    name = shown_as or str(path)
    texts: dict[str, str] = {}
    unreadable: dict[str, Finding] = {}
    # The name that is shown may be more than a path: `main:queues.yaml` is a file of a git revision.
    beside = f"{name.removesuffix(path.name)}{parts_folder(path).name}/"
    entries = _entries(parts_folder(path))
    parts = [(f"{beside}{file.name}", file) for file in entries if file.suffix == ENDING]
    for shown, file in ((name, path), *parts):
        try:
            texts[shown] = read_text(file, shown)
        except CatalogueError as error:
            unreadable[shown] = error.findings[0]
    misnamed = [
        file_finding(f"{beside}{file.name}", "is not read", f"Give it a name that ends in `{ENDING}`.")
        for file in entries
        if file.suffix in (".yml", ".json") or file.name.endswith((".yaml.txt", ".YAML"))
    ]
    source = parse_catalogue({name: "", **texts}, unreadable)
    return replace(source, findings=[*source.findings, *misnamed])


def parse_catalogue(texts: Mapping[str, str], unreadable: Mapping[str, Finding] | None = None) -> Source:
    """A catalogue from the texts of its files, by name: the first is the main file, the others continue it in name order.

    `unreadable` holds the finding of each file that exists and gave no text.
    """
    missing = unreadable or {}
    main, *others = dict.fromkeys((*texts, *missing))
    sources = [_parse(name, texts.get(name, ""), missing.get(name)) for name in (main, *sorted(others))]
    return replace(sources[0], parts=tuple(sources[1:]), whole=all(source.whole for source in sources))


def _parse(name: str, text: str, unreadable: Finding | None) -> Source:
    """One file; a Source without data and with the finding where it is no YAML."""
    try:
        if unreadable is not None:
            raise CatalogueError([unreadable])
        return parse_source(text, name)
    except CatalogueError as error:
        return Source(file=name, data=None, places={}, findings=error.findings, whole=False)


def _entries(folder: Path) -> list[Path]:
    """What stands in a folder, in name order, without hidden files (editors leave some) and folders."""
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if not file.name.startswith(".") and not file.is_dir())
