"""`kubectl` of an imagined cluster: what a program asks before its first resource has an answer, and nothing else has."""

from __future__ import annotations

import json

import pytest

from infra.platform import PlatformPart
from infra.preflight import SERVED_KINDS
from sandbox.standins.imagined_kubectl import run


def asked(capsys: pytest.CaptureFixture[str], path: str) -> dict[str, object]:
    assert run(["--context", "some", "--request-timeout=10s", "get", "--raw", path]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The one that the sandbox's own node has."""
    assert (asked(capsys, "/version")["major"], asked(capsys, "/version")["minor"]) == ("1", "36")


@pytest.mark.parametrize("part", PlatformPart, ids=lambda part: part.value)
def test_it_serves_what_a_fleet_needs_of_a_cluster(capsys: pytest.CaptureFixture[str], part: PlatformPart) -> None:
    """Otherwise a stack on a cluster of one's own could not be previewed without one."""
    group, kinds = SERVED_KINDS[part]
    served = asked(capsys, f"/apis/{group}")["resources"]
    assert isinstance(served, list)
    assert set(kinds) <= {resource["kind"] for resource in served}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["get", "--raw", "/apis/unknown.io/v1"], "(NotFound)", id="a-group-that-is-not-there"),
        pytest.param(["get", "pods"], "imagined cluster", id="another-command"),
    ],
)
def test_it_answers_nothing_else(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    """As the real one says it where something is missing."""
    assert run(words) == 1
    assert said in capsys.readouterr().err
