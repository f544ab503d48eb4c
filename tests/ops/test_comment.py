"""The comment of a pull request: one, the right one, and nothing in it that a stranger chose for us."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet.errors import FleetError
from ops.comment import MARKER, comment_body, post_comment, summarise
from ops.github import BODY_MAX, BOT, Repository, open_repository, passed, read_event, write_outputs

SHA = "a" * 40


def run_of(*, owner: str = "shop", repository: int = 1) -> dict[str, Any]:
    return {
        "head_sha": SHA, "head_branch": "faster/reports", "html_url": "https://github.example/run/7",
        "head_repository": {"id": repository, "owner": {"login": owner}}, "repository": {"id": 1},
    }  # fmt: skip


class GitHub:
    """The few answers that are asked for, and what was written."""

    def __init__(self, *, pulls: list[dict[str, Any]], comments: list[dict[str, Any]]) -> None:
        self.pulls, self.comments = pulls, comments
        self.written: list[tuple[str, str, str]] = []
        self.heads: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/repos/shop/fleet/")
        if request.method != "GET":
            self.written.append((request.method, path, json.loads(request.content)["body"]))
            return httpx.Response(200, json={"html_url": f"https://github.example/{path}"})
        if path == "pulls":
            self.heads.append(request.url.params["head"])
            return httpx.Response(200, json=self.pulls)
        page, size = int(request.url.params["page"]), int(request.url.params["per_page"])
        return httpx.Response(200, json=self.comments[(page - 1) * size : page * size])

    def repository(self) -> Repository:
        environ = {
            "GITHUB_REPOSITORY": "shop/fleet",
            "GITHUB_TOKEN": "of-a-test",
            "GITHUB_API_URL": "https://api.example",
        }
        return open_repository(environ, httpx.MockTransport(self))


def pull(number: int, sha: str = SHA) -> dict[str, Any]:
    return {"number": number, "head": {"sha": sha}}


def said(identity: int, body: str, by: str = BOT) -> dict[str, Any]:
    return {"id": identity, "user": {"login": by}, "body": body}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "comment.md").write_text("All gates passed.\n")
    return tmp_path


def test_the_first_preview_posts_and_later_ones_write_it_anew(folder: Path) -> None:
    """However long the conversation is, and whoever quotes the comment."""
    first = GitHub(pulls=[pull(12)], comments=[])
    post_comment(first.repository(), {"workflow_run": run_of()}, folder)
    ((method, path, body),) = first.written
    assert (method, path) == ("POST", "issues/12/comments")
    assert body.startswith(MARKER)
    assert "All gates passed." in body
    crowd = [said(number, "a remark", by="ada") for number in range(150)]
    later = GitHub(pulls=[pull(12)], comments=[said(900, body, by="mallory"), *crowd, said(7, body)])
    post_comment(later.repository(), {"workflow_run": run_of()}, folder)
    assert [written[:2] for written in later.written] == [("PATCH", "issues/comments/7")]


def test_the_pull_request_is_the_one_with_the_commit_that_was_looked_at(folder: Path) -> None:
    """A fork has the branch names that it likes; what has moved on is left to its next preview."""
    found = GitHub(pulls=[pull(3, "b" * 40), pull(4)], comments=[])
    post_comment(found.repository(), {"workflow_run": run_of(owner="mallory", repository=2)}, folder)
    assert found.heads == ["mallory:faster/reports"]
    assert found.written[0][1] == "issues/4/comments"
    gone = GitHub(pulls=[pull(3, "b" * 40)], comments=[])
    assert post_comment(gone.repository(), {"workflow_run": run_of()}, folder) is None
    assert post_comment(gone.repository(), {"workflow_run": {**run_of(), "head_repository": None}}, folder) is None
    assert gone.written == []


@pytest.mark.parametrize(
    ("run", "origin"),
    [
        pytest.param(run_of(), "from this repository", id="own-branch"),
        pytest.param(run_of(owner="mallory", repository=2), "from a fork, without credentials", id="fork"),
    ],
)
def test_the_comment_says_whose_words_they_are(run: dict[str, Any], origin: str) -> None:
    """In a line of our own, above what the run wrote."""
    assert origin in comment_body(run, "text").splitlines()[1]


@pytest.mark.parametrize(
    ("text", "shown", "hidden"),
    [
        pytest.param("ask @ada and @shop/admins", "ask @\u200bada", "@ada", id="nobody-is-called"),
        pytest.param(f"{MARKER} twice", " twice", f"\n{MARKER}", id="the-marker-is-ours"),
        pytest.param("x" * 200_000, "cut: a comment holds", "x" * BODY_MAX, id="what-is-too-long-is-cut"),
        pytest.param("", "", "ended before", id="an-empty-text-is-a-text"),
        pytest.param(None, "The run ended before there was anything to show.", "None", id="no-text"),
    ],
)
def test_what_arrives_is_data(text: str | None, shown: str, hidden: str) -> None:
    """It is shown, and does nothing."""
    body = comment_body(run_of(), text)
    assert shown in body
    assert hidden not in body
    assert len(body) <= BODY_MAX


def test_a_link_and_a_file_without_end_are_no_text(folder: Path) -> None:
    """The archive of a stranger's run may hold anything."""
    (folder / "secret").write_text("of the machine")
    text = folder / "comment.md"
    text.unlink()
    text.symlink_to(folder / "secret")
    github = GitHub(pulls=[pull(1)], comments=[])
    post_comment(github.repository(), {"workflow_run": run_of()}, folder)
    assert "of the machine" not in github.written[0][2]
    text.unlink()
    text.write_bytes(b"x" * (2 << 20))
    post_comment(github.repository(), {"workflow_run": run_of()}, folder)
    assert "nothing to show" not in github.written[1][2]
    assert len(github.written[1][2]) < 1000


def test_the_summary_of_the_run_has_the_whole_text(folder: Path, tmp_path: Path) -> None:
    """Where a comment is cut, or cannot be posted."""
    summary = tmp_path / "summary.md"
    summarise(folder, {"GITHUB_STEP_SUMMARY": str(summary)})
    assert summary.read_text() == "All gates passed.\n\n"
    summarise(folder, {})


def test_a_refusal_has_githubs_words_and_no_token() -> None:
    """The usual one is a missing permission."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(403, json={"message": "Resource not accessible by integration"})
    )
    environ = {"GITHUB_REPOSITORY": "shop/fleet", "GITHUB_TOKEN": "of-a-test"}
    with pytest.raises(FleetError) as refused:
        open_repository(environ, transport).call("POST", "issues", title="x")
    assert "answers 403: Resource not accessible by integration" in str(refused.value)
    assert "of-a-test" not in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        pytest.param({}, "GITHUB_REPOSITORY", id="no-workflow"),
        pytest.param({"GITHUB_REPOSITORY": "shop/fleet"}, "GITHUB_TOKEN", id="no-token"),
    ],
)
def test_outside_a_workflow_nothing_is_posted(environ: dict[str, str], named: str) -> None:
    """And the message says why."""
    with pytest.raises(FleetError, match=named):
        open_repository(environ)
    with pytest.raises(FleetError, match="GITHUB_EVENT_PATH"):
        read_event({})
    with pytest.raises(FleetError, match="workflow_run"):
        post_comment(GitHub(pulls=[], comments=[]).repository(), {}, Path())


def test_outputs_reach_later_jobs_and_nothing_outside_a_workflow(tmp_path: Path) -> None:
    """One line each."""
    file = tmp_path / "output"
    file.write_text("before=1\n")
    write_outputs({"cloud": '["dev"]', "offline": "[]"}, {"GITHUB_OUTPUT": str(file)})
    write_outputs({"cloud": "[]"}, {})
    assert file.read_text() == 'before=1\ncloud=["dev"]\noffline=[]\n'


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        pytest.param('{"fast": {"result": "success"}, "cloud": {"result": "skipped"}}', None, id="a-job-that-was-not-for-this-change"),
        pytest.param('{"fast": {"result": "success"}, "scan": {"result": "failure"}}', "jobs: scan: failure", id="a-failure"),
        pytest.param('{"scan": {"result": "cancelled"}}', "jobs: scan: cancelled", id="a-job-that-ran-out-of-time"),
        pytest.param("", "NEEDS: is not the workflow's `needs`", id="nothing"),
    ],
)  # fmt: skip
def test_a_required_check_fails_with_the_jobs_behind_it(needs: str, said: str | None) -> None:
    """A skipped one would pass."""
    if said is None:
        passed(needs)
        return
    with pytest.raises(FleetError) as failed:
        passed(needs)
    assert str(failed.value).startswith(said)
