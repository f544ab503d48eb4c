"""The one comment of a pull request that shows its preview, posted by a workflow that runs none of the pull request's code.

A workflow that was started by a pull request from a fork has a token that only reads, so the comment is posted by another one, after it, from the
code of the default branch.

Invariant: the text that arrives is untrusted data. It chooses neither the pull request (the event does, and the head commit has to agree), nor the marker
that the comment is found by, and it calls nobody by name.
Source: GitHub Security Lab, "Keeping your GitHub Actions and workflows secure Part 1: Preventing pwn requests"; GitHub docs, "Events that trigger
workflows", `workflow_run` (its list of pull requests is empty for a fork).
"""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fleet.errors import FleetError
from ops.github import BODY_MAX, BOT, Repository

MARKER = "<!-- celery-fleet: preview -->"
TEXT = "comment.md"
CUT = "\n\n(cut: a comment holds 65,536 characters; the summary of the run has all of it)"
BYTES_MAX = 1 << 20
"""Of the file: more than four times what a comment holds is no comment."""

_MENTION = re.compile(r"@(?=[\w-])")


def post_comment(repository: Repository, event: dict[str, Any], folder: Path) -> str | None:
    """The address of the comment, made or changed; None where the pull request is gone or has moved on.

    Raises: FleetError when GitHub refuses, or the event is none of a workflow's end.
    """
    run = event.get("workflow_run")
    if not isinstance(run, dict):
        raise FleetError("event", "is not the end of a workflow", "Call this from `on: workflow_run`.")
    number = find_pull_request(repository, run)
    if number is None:
        return None
    body = comment_body(run, read_text(folder / TEXT))
    for comment in repository.listed(f"issues/{number}/comments"):
        if comment["user"]["login"] == BOT and str(comment["body"]).startswith(MARKER):
            return str(repository.call("PATCH", f"issues/comments/{comment['id']}", body=body)["html_url"])
    return str(repository.call("POST", f"issues/{number}/comments", body=body)["html_url"])


def find_pull_request(repository: Repository, run: dict[str, Any]) -> int | None:
    """The open pull request whose head the run was about; None also where its fork has been deleted."""
    if run["head_repository"] is None:
        return None
    head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
    for pull in repository.listed(f"pulls?state=open&head={quote(head, safe='')}"):
        if pull["head"]["sha"] == run["head_sha"]:
            return int(pull["number"])
    return None


def comment_body(run: dict[str, Any], text: str | None) -> str:
    """Marker, where the text comes from, and the text."""
    origin = (
        "a fork, without credentials" if run["head_repository"]["id"] != run["repository"]["id"] else "this repository"
    )
    head = f"{MARKER}\nPreview of {run['head_sha'][:12]} from {origin} ([run]({run['html_url']}))\n\n"
    if text is None:
        return f"{head}The run ended before there was anything to show."
    harmless = _MENTION.sub("@\u200b", text).replace(MARKER, "")
    if len(head) + len(harmless) > BODY_MAX:
        harmless = harmless[: BODY_MAX - len(head) - len(CUT)] + CUT
    return head + harmless


def summarise(folder: Path, environ: Mapping[str, str]) -> None:
    """Put the text into the summary of the run, whole; outside a workflow, nothing."""
    text = read_text(folder / TEXT)
    if text is not None and (file := environ.get("GITHUB_STEP_SUMMARY")):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(f"{text}\n")


def read_text(path: Path) -> str | None:
    """The text that the run left; None where it left none."""
    try:
        facts = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > BYTES_MAX:
        return None
    return path.read_text(encoding="utf-8", errors="replace")
