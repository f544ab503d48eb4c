"""The one issue about drift: opened, kept up to date, closed."""

import json
from typing import Any

import httpx
import pytest

from ops.drift import MARKER, Change, Drift, Found, answers_of, tell
from ops.github import BOT, open_repository

SAME = Drift(stack="dev", found=Found.SAME)
DRIFTED = Drift(
    stack="prod", found=Found.DRIFTED, changes=(Change(resource="aws:ec2/vpc:Vpc network-vpc", properties=("tags",)),)
)
UNKNOWN = Drift(stack="prod", found=Found.UNKNOWN)
OURS = {"number": 5, "body": f"{MARKER}\n\nof yesterday"}
OTHERS = [
    {"number": 1, "body": "a bug"},
    {"number": 2, "body": MARKER, "pull_request": {}},
    {"number": 3, "body": None},
]


@pytest.mark.parametrize(
    ("answers", "open_issues", "asked"),
    [
        pytest.param([SAME], OTHERS, None, id="no-drift-and-no-issue"),
        pytest.param([SAME, DRIFTED], OTHERS, ("POST", "issues", None), id="the-first-drift-opens-it"),
        pytest.param([SAME, DRIFTED], [*OTHERS, OURS], ("PATCH", "issues/5", None), id="the-next-night-rewrites-it"),
        pytest.param([SAME], [*OTHERS, OURS], ("PATCH", "issues/5", "closed"), id="it-is-closed-when-all-is-well"),
        pytest.param([SAME, UNKNOWN], [*OTHERS, OURS], ("PATCH", "issues/5", None), id="a-stack-that-could-not-be-checked-keeps-it-open"),
        pytest.param([SAME, UNKNOWN], OTHERS, None, id="a-check-that-fails-opens-none"),
    ],
)  # fmt: skip
def test_one_issue_tells_of_drift(
    answers: list[Drift], open_issues: list[dict[str, Any]], asked: tuple[str, str, str | None] | None
) -> None:
    """For all stacks; nobody's own issue is touched."""
    written: list[tuple[str, str, dict[str, Any]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/repos/shop/fleet/")
        if request.method == "GET":
            assert dict(request.url.params)["creator"] == BOT
            return httpx.Response(200, json=open_issues)
        written.append((request.method, path, json.loads(request.content)))
        return httpx.Response(200, json={"html_url": f"https://github.example/{path}"})

    environ = {"GITHUB_REPOSITORY": "shop/fleet", "GITHUB_TOKEN": "of-a-test"}
    tell(open_repository(environ, httpx.MockTransport(answer)), answers, "https://github.example/run/7")
    assert [(method, path, body.get("state")) for method, path, body in written] == ([asked] if asked else [])
    for _, _, body in written:
        assert body["body"].startswith(MARKER)
        assert "`dev`: same" in body["body"]
        assert "https://github.example/run/7" in body["body"]


def test_a_stack_without_an_answer_is_not_taken_for_well() -> None:
    """Its check failed, and left nothing."""
    assert answers_of(["dev", "prod"], [SAME]) == [SAME, UNKNOWN]
    assert answers_of(["dev", "prod"], [DRIFTED, SAME]) == [SAME, DRIFTED]
