"""The pinned requirements fit pyproject.toml, carry hashes and name no index."""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops.target import ROOT

GROUPS = ("app", "infra", "dev")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^ ;\\]+)", re.MULTILINE)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def stated(group: str) -> list[Requirement]:
    """What pyproject.toml asks for in a group: its own entries, those it includes, and the core's."""
    document = project()
    found: list[Requirement] = [Requirement(text) for text in document["project"]["dependencies"]]
    waiting = list(document["dependency-groups"][group])
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            waiting += document["dependency-groups"][entry["include-group"]]
        else:
            found.append(Requirement(entry))
    return found


def pinned(group: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    return {canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(text)}


@pytest.mark.parametrize("group", GROUPS)
def test_every_dependency_is_pinned_within_its_bounds(group: str) -> None:
    """A dependency added or moved in pyproject.toml without `make lock` is seen at once."""
    pins = pinned(group)
    wrong = [
        f"{requirement} has {pins.get(canonicalize_name(requirement.name), 'no pin')}"
        for requirement in stated(group)
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"), prereleases=True)
    ]
    assert wrong == []


@pytest.mark.parametrize("group", GROUPS)
def test_every_pin_carries_hashes_and_no_index_is_named(group: str) -> None:
    """What is installed is what was locked, from whichever index the user has."""
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"^--(index|extra-index|find-links)|https?://", text, re.MULTILINE)


def test_the_groups_pin_the_same_versions() -> None:
    """What is tested is what runs in the containers and in the Pulumi program."""
    dev = pinned("dev")
    for group in ("app", "infra"):
        differing = {name for name, version in pinned(group).items() if dev.get(name, version) != version}
        assert differing == set(), group
