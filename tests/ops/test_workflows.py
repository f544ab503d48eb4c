"""What the workflows promise to whoever sends a pull request, and to whoever owns the accounts.

Source: GitHub docs, "Security hardening for GitHub Actions"; the finer faults are zizmor's and actionlint's (tests/scan/test_workflows.py).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.target import ROOT

FOLDER = ROOT / ".github"
FILES = sorted([*FOLDER.glob("workflows/*"), *FOLDER.glob("actions/*/action.yaml")])
WORKFLOWS = sorted(FOLDER.glob("workflows/*.yaml"))
PINNED = re.compile(r"uses: (?P<action>[\w.-]+/[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)")
WRITES = {
    "comment.yaml: comment": {"pull-requests"},
    "deploy.yaml: attest": {"id-token", "attestations"},
    "deploy.yaml: dev": {"id-token"},
    "deploy.yaml: prod": {"id-token"},
    "deploy.yaml: staging": {"id-token"},
    "drift.yaml: drift": {"id-token"},
    "drift.yaml: tell": {"issues"},
    "preview.yaml: cloud": {"id-token"},
}
"""Job -> what it may change; all others only read the repository."""


def load(path: Path) -> Any:
    document = yaml.safe_load(path.read_text())
    # YAML 1.1 takes the key `on` for a boolean.
    return {("on" if key is True else key): value for key, value in document.items()}


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield f"{path.name}: {name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs():
        yield from ((name, step) for step in job["steps"])
    for path in FOLDER.glob("actions/*/action.yaml"):
        yield from ((path.parent.name, step) for step in load(path)["runs"]["steps"])


def test_every_step_that_runs_something_is_one_make_target_that_exists() -> None:
    """So whatever a workflow does can be done, and tested, anywhere; and no text of a pull request becomes a part of a command."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong = [
        (name, step["run"])
        for name, step in steps()
        if "run" in step and step["run"] not in {f"make {it}" for it in targets}
    ]
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name + "/" + path.name)
def test_every_action_is_pinned_by_its_commit(path: Path) -> None:
    """A tag can be moved by whoever takes over an action; the version behind it is for people and Renovate."""
    lines = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]
    assert [line for line in lines if "uses: ./.github/" not in line and PINNED.fullmatch(line) is None] == []


def test_an_action_has_one_version_in_all_workflows() -> None:
    """Or an update would be half done."""
    seen: dict[str, set[str]] = {}
    for path in FILES:
        for match in PINNED.finditer(path.read_text()):
            seen.setdefault(match["action"], set()).add(f"{match['commit']} {match['version']}")
    assert {action: pins for action, pins in seen.items() if len(pins) > 1} == {}


def test_a_job_may_do_what_it_is_there_for_and_nothing_else() -> None:
    """The workflow's own token starts with no permission at all."""
    assert [path.name for path in WORKFLOWS if load(path)["permissions"] != {}] == []
    written = {name: {scope for scope, level in job["permissions"].items() if level == "write"} for name, job in jobs()}
    assert {name: scopes for name, scopes in written.items() if scopes} == WRITES


def test_every_job_ends() -> None:
    """Whatever hangs, hangs for a bounded time."""
    assert [name for name, job in jobs() if not 0 < job.get("timeout-minutes", 0) <= 120] == []


def test_no_checkout_leaves_a_token_behind() -> None:
    """Whatever is installed later could read it from `.git/config`."""
    checkouts = [(name, step) for name, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) > len(WORKFLOWS)
    assert [name for name, step in checkouts if step["with"].get("persist-credentials") is not False] == []


def test_no_workflow_runs_foreign_code_with_rights_of_its_own() -> None:
    """The one that comes after a pull request's takes a file from it, and checks out the default branch alone."""
    events = {path.name: set(load(path)["on"]) for path in WORKFLOWS}
    assert not [name for name, on in events.items() if "pull_request_target" in on]
    assert [name for name, on in events.items() if "workflow_run" in on] == ["comment.yaml"]
    (job,) = load(FOLDER / "workflows" / "comment.yaml")["jobs"].values()
    checkout = next(step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@"))
    assert set(checkout["with"]) == {"persist-credentials"}


def test_no_secret_and_no_role_is_reachable_without_an_environment() -> None:
    """An environment says which branches come to it and who approves; a fork's pull request comes to none."""
    for name, job in jobs():
        text = yaml.safe_dump(job)
        if "secrets." in text or "role-to-assume" in text:
            assert "environment" in job, name
    text = (FOLDER / "actions" / "prepare" / "action.yaml").read_text()
    assert "secrets." not in text


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("github.event.pull_request.head.repo.full_name == github.repository", id="no-fork"),
        pytest.param("github.event.pull_request.user.type != 'Bot'", id="no-bot"),
    ],
)
def test_a_preview_meets_an_account_only_where_somebody_with_rights_sent_it(condition: str) -> None:
    """The condition stands at the job itself: what an earlier job says is said by the pull request's code."""
    document = load(FOLDER / "workflows" / "preview.yaml")
    assert condition in document["jobs"]["cloud"]["if"]
    assert condition in str(document["jobs"]["stacks"]["steps"])
    assert "environment" not in document["jobs"]["offline"]
    assert document["jobs"]["offline"]["permissions"] == {"contents": "read"}


def test_a_preview_is_judged_anew_when_the_description_is_edited() -> None:
    """It is where a gate is overridden, and a job that is run again sees the description of its first run."""
    document = load(FOLDER / "workflows" / "preview.yaml")
    assert document["on"]["pull_request"] == {"types": ["opened", "synchronize", "reopened", "edited"]}
    judged = next(step for step in document["jobs"]["review"]["steps"] if step.get("run") == "make review")
    assert judged["env"]["FLEET_PULL_REQUEST"] == "${{ github.event.pull_request.body }}"


def test_a_stack_whose_preview_left_nothing_is_missed() -> None:
    """A job that dies before its preview uploads no file, and what is not there would be judged by nobody."""
    document = load(FOLDER / "workflows" / "preview.yaml")
    judged = next(step for step in document["jobs"]["review"]["steps"] if step.get("run") == "make review")
    assert judged["env"]["FLEET_STACKS"] == "${{ needs.stacks.outputs.all }}"
    assert document["jobs"]["stacks"]["outputs"]["all"] == "${{ steps.list.outputs.all }}"


def test_a_stack_is_deployed_by_one_run_at_a_time_which_nothing_cancels() -> None:
    """A cancelled update leaves a lock, and operations whose outcome nobody knows."""
    document = load(FOLDER / "workflows" / "deploy.yaml")
    assert "concurrency" not in document
    for stack in ("dev", "staging", "prod"):
        job = document["jobs"][stack]
        assert job["environment"] == stack
        assert job["concurrency"] == {"group": f"stack-{stack}", "cancel-in-progress": False}


def test_images_are_built_once_and_handed_on_by_digest() -> None:
    """staging and prod name what dev built in the same run, before they deploy."""
    document = load(FOLDER / "workflows" / "deploy.yaml")["jobs"]
    assert [step["run"] for step in document["dev"]["steps"] if "run" in step] == ["make deploy"]
    for stack in ("staging", "prod"):
        assert [step["run"] for step in document[stack]["steps"] if "run" in step] == ["make promote", "make deploy"]
        assert document[stack]["env"]["IMAGES"] == "${{ needs.dev.outputs.images }}"


def test_the_pulumi_cli_is_the_one_that_everything_is_tried_on() -> None:
    """The sandbox builds it from its Go module."""
    module = (ROOT / "sandbox" / "go" / "pulumi" / "go.mod").read_text()
    tried = re.search(r"github\.com/pulumi/pulumi/pkg/v3 v(\S+)", module)
    assert tried is not None
    assert (ROOT / ".pulumi.version").read_text().strip() == tried[1]
