"""GitHub as a workflow's step meets it: outputs for later jobs, and the few calls that post a comment or an issue.

Invariant: the token stands in a header alone, never in a message. What a pull request says (its branch, its texts) is data: no command is made of it.
Source: GitHub docs, "Workflow commands for GitHub Actions" and "REST API endpoints" (API version 2022-11-28).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fleet.errors import FleetError

API_VERSION = "2022-11-28"
TIMEOUT_SECONDS = 30.0
PAGE = 100
PAGES_MAX = 30
"""Of a hundred entries each: an end for a search that finds nothing."""

BODY_MAX = 65_536
"""Characters of a comment or an issue."""

BOT = "github-actions[bot]"
"""Who posts with a workflow's own token."""


def write_outputs(outputs: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Hand values of one line each to later steps and jobs; outside a workflow, nothing."""
    if file := environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{name}={value}\n" for name, value in outputs.items())


def read_event(environ: Mapping[str, str]) -> dict[str, Any]:
    """The event that started the workflow.

    Raises: FleetError outside a workflow.
    """
    file = environ.get("GITHUB_EVENT_PATH")
    if not file:
        raise FleetError("GITHUB_EVENT_PATH", "is not set", "This command runs in a workflow of GitHub Actions.")
    event = json.loads(Path(file).read_text(encoding="utf-8"))
    return event if isinstance(event, dict) else {}


@dataclass(frozen=True)
class Repository:
    """The repository that a workflow runs in."""

    client: httpx.Client

    def call(self, method: str, path: str, **body: Any) -> Any:
        """One answer of the API, below the repository.

        Raises: FleetError with GitHub's own words.
        """
        try:
            answer = self.client.request(method, path, json=body or None)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            said = _message(error.response)
            raise FleetError(
                f"GitHub, {method} {error.request.url.path}",
                f"answers {error.response.status_code}: {said}",
                "See the `permissions` of the job.",
            ) from None
        except httpx.HTTPError as error:
            raise FleetError(
                f"GitHub, {method} {path}", f"does not answer: {type(error).__name__}", "Run the job again."
            ) from None
        return answer.json()

    def listed(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page."""
        for number in range(1, PAGES_MAX + 1):
            entries = self.call("GET", f"{path}{'&' if '?' in path else '?'}per_page={PAGE}&page={number}")
            yield from entries
            if len(entries) < PAGE:
                return


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json().get("message", ""))
    except (ValueError, AttributeError):
        return response.reason_phrase


def open_repository(environ: Mapping[str, str], transport: httpx.BaseTransport | None = None) -> Repository:
    """The repository of the running workflow, with its token.

    Raises: FleetError outside a workflow, or without a token.
    """
    name, token = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_TOKEN", "")
    for variable, value in (("GITHUB_REPOSITORY", name), ("GITHUB_TOKEN", token)):
        if not value:
            raise FleetError(variable, "is not set", "This command runs in a workflow of GitHub Actions.")
    return Repository(
        httpx.Client(
            base_url=f"{environ.get('GITHUB_API_URL', 'https://api.github.com')}/repos/{name}/",
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": API_VERSION,
            },
            timeout=TIMEOUT_SECONDS,
            transport=transport,
        )
    )


def passed(results: str) -> None:
    """Tell whether all jobs that another one needs went well (`toJSON(needs)`); one that was skipped is none of them.

    A job that needs others and was skipped counts as fine for a branch's required checks, so this one runs always, and fails.

    Raises: FleetError with the jobs that did not.
    """
    try:
        jobs = {name: job["result"] for name, job in json.loads(results).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise FleetError("NEEDS", "is not the workflow's `needs`", "Set it to ${{ toJSON(needs) }}.") from None
    if wrong := [f"{name}: {result}" for name, result in jobs.items() if result not in {"success", "skipped"}]:
        raise FleetError("jobs", ", ".join(wrong), "See their logs.")
