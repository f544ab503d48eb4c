"""What a pipeline asks of `pulumi` to deploy, to promote, and to look for drift."""

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import FleetError
from ops import pipeline
from ops.deploying import deploy, promote
from ops.drift import Change, Drift, Found, check_drift, described, keep, kept
from ops.processes import ProgramError, Terminated
from tests.ops.conftest import Programs

WEB = f"111122223333.dkr.ecr.us-east-1.amazonaws.com/celery-fleet-dev/web:4f0c@sha256:{'a' * 64}"
WORKER = f"registry.example:5000/celery-fleet/worker@sha256:{'b' * 64}"
IMAGES = json.dumps({"web": WEB, "worker": WORKER})
PULUMI = f"""
if words[:2] == ["stack", "output"]: print({IMAGES!r})
"""


@dataclass(frozen=True)
class Checkout:
    """The checkout of a job, with a `pulumi` that notes what it is asked."""

    programs: Programs
    root: Path
    environ: Mapping[str, str]

    def pulumi(self, body: str) -> None:
        """What `pulumi` does."""
        self.programs.write("pulumi", body)

    def calls(self) -> list[list[str]]:
        """What it was asked."""
        return self.programs.calls("pulumi")

    def settings(self) -> dict[str, str]:
        """Key -> value of what was set."""
        calls = [words for words in self.calls() if words[:2] == ["config", "set"]]
        return {words[words.index("--path") + 1]: words[words.index("--path") + 2] for words in calls}


@pytest.fixture
def checkout(programs: Programs, tmp_path: Path) -> Checkout:
    for name, target in (("dev", "eks"), ("prod", "eks"), ("local", "existing")):
        (tmp_path / f"Pulumi.{name}.yaml").write_text(f"config:\n  celery-fleet:target: {target}\n")
    environ = {"PATH": f"{programs.folder}{os.pathsep}/usr/bin:/bin", "GITHUB_OUTPUT": str(tmp_path / "output")}
    return Checkout(programs, tmp_path, environ)


def test_an_update_is_held_against_the_policy_pack_and_tells_its_images(checkout: Checkout) -> None:
    """Previewed first: nothing is changed where a rule is broken anywhere."""
    checkout.pulumi(PULUMI)
    assert deploy("dev", checkout.environ, checkout.root) == 0
    up = checkout.calls()[0]
    assert up[0] == "up"
    assert up[-2:] == ["--stack", "dev"]
    assert "--yes" in up
    assert "--skip-preview" not in up
    assert up[up.index("--policy-pack") + 1] == "policy"
    outputs = dict(line.split("=", 1) for line in (checkout.root / "output").read_text().splitlines())
    assert json.loads(outputs["images"]) == {"web": WEB, "worker": WORKER}
    assert outputs["web_name"] == "111122223333.dkr.ecr.us-east-1.amazonaws.com/celery-fleet-dev/web"
    assert outputs["web_digest"] == f"sha256:{'a' * 64}"
    assert outputs["worker_name"] == "registry.example:5000/celery-fleet/worker"


def test_a_failed_update_hands_nothing_on(checkout: Checkout) -> None:
    """Its exit code is the engine's."""
    checkout.pulumi("sys.exit(255)")
    assert deploy("dev", checkout.environ, checkout.root) == 255
    assert not (checkout.root / "output").exists()
    assert len(checkout.calls()) == 1


def test_images_are_named_in_the_stack_that_runs_them_next(checkout: Checkout) -> None:
    """As the runbook does it by hand."""
    checkout.pulumi("")
    promote("prod", IMAGES, checkout.environ, checkout.root)
    assert checkout.settings() == {
        "celery-fleet:images.prebuilt.web": WEB,
        "celery-fleet:images.prebuilt.worker": WORKER,
    }
    assert {words[words.index("--stack") + 1] for words in checkout.calls()} == {"prod"}


def test_without_images_a_stack_keeps_those_that_it_runs(checkout: Checkout) -> None:
    """So a preview of prod does not show a build that no deploy will make."""
    checkout.pulumi(PULUMI)
    promote("prod", "", checkout.environ, checkout.root)
    assert checkout.settings()["celery-fleet:images.prebuilt.web"] == WEB


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("error: no stack named 'prod' found", id="never-deployed"),
        pytest.param("error: current stack does not have output property 'images'", id="deployed-by-an-older-release"),
    ],
)
def test_a_stack_that_runs_no_images_yet_keeps_its_settings(checkout: Checkout, said: str) -> None:
    """There is nothing to keep."""
    checkout.pulumi(f"sys.stderr.write({said!r}); sys.exit(255)")
    assert promote("prod", "", checkout.environ, checkout.root) is None
    assert checkout.settings() == {}


@pytest.mark.parametrize(
    ("stack", "images", "said"),
    [
        pytest.param("local", IMAGES, "STACK=local: runs on a cluster that is there already", id="a-stack-of-ones-own-cluster"),
        pytest.param("nope", IMAGES, "Stacks on EKS: dev, prod.", id="no-such-stack"),
        pytest.param("prod", "latest", "IMAGES: names no images", id="no-json"),
        pytest.param("prod", '{"web": "a@sha256:0"}', "IMAGES: names no images", id="one-image-alone"),
        pytest.param("prod", IMAGES.replace(f"@sha256:{'a' * 64}", ""), "IMAGES: names the image of web without a digest", id="a-tag"),
    ],
)  # fmt: skip
def test_what_cannot_be_promoted_is_refused_before_anything_is_set(
    checkout: Checkout, stack: str, images: str, said: str
) -> None:
    """A tag could be moved between the environments."""
    checkout.pulumi("")
    with pytest.raises(FleetError) as refused:
        promote(stack, images, checkout.environ, checkout.root)
    assert said in str(refused.value)
    assert checkout.calls() == []


def step(operation: str, types: str, name: str, **differing: str) -> dict[str, Any]:
    """As `pulumi refresh --preview-only --json` shows a resource."""
    urn = f"urn:pulumi:prod::celery-fleet::{types}::{name}"
    diff = {path.replace("__", "."): {"kind": kind} for path, kind in differing.items()}
    return {"op": operation, "urn": urn, "detailedDiff": diff or None, "oldState": {"outputs": {"secret": "[secret]"}}}


SAME = [
    step("refresh", "pulumi:pulumi:Stack", "celery-fleet-prod"),
    step("refresh", "kubernetes:apps/v1:Deployment", "worker-high"),
]
OTHERS = [
    step("update", "a:b:C$aws:ec2/vpc:Vpc", "network-vpc", tags__by="add", arn="update"),
    step("delete", "kubernetes:core/v1:Service", "web-service"),
]


@pytest.mark.parametrize(
    ("steps", "summary", "drift"),
    [
        pytest.param(SAME, {"same": 2}, Drift(stack="prod", found=Found.SAME), id="what-the-engine-calls-the-same-is"),
        pytest.param(
            [*SAME, *OTHERS], {"same": 2, "update": 1, "delete": 1},
            Drift(
                stack="prod", found=Found.DRIFTED,
                changes=(
                    Change(resource="aws:ec2/vpc:Vpc network-vpc", properties=("arn", "tags.by")),
                    Change(resource="kubernetes:core/v1:Service web-service", properties=()),
                ),
            ),
            id="changed-and-gone",
        ),
        pytest.param(
            SAME, {"same": 1, "update": 1}, Drift(stack="prod", found=Found.DRIFTED, undescribed=1), id="a-plugin-that-does-not-say-what-differs"
        ),
    ],
)  # fmt: skip
def test_drift_is_what_the_engine_would_change_back(
    checkout: Checkout, steps: list[Any], summary: dict[str, int], drift: Drift
) -> None:
    """Read, never written."""
    checkout.pulumi(f"print({json.dumps({'steps': steps, 'changeSummary': summary})!r})")
    assert check_drift("prod", checkout.environ, checkout.root) == drift
    (words,) = checkout.calls()
    assert words[:2] == ["refresh", "--preview-only"]


def test_a_stack_that_nobody_deployed_has_no_drift_and_an_account_that_cannot_be_read_is_an_error(
    checkout: Checkout,
) -> None:
    """Silence would look like a night without drift."""
    checkout.pulumi("sys.stderr.write(\"error: no stack named 'prod' found\"); sys.exit(255)")
    assert check_drift("prod", checkout.environ, checkout.root).found is Found.NOT_DEPLOYED
    checkout.pulumi("sys.stderr.write('error: AccessDenied'); sys.exit(255)")
    with pytest.raises(ProgramError, match="AccessDenied"):
        check_drift("prod", checkout.environ, checkout.root)


DRIFTED = Drift(
    stack="prod", found=Found.DRIFTED,
    changes=(Change(resource="aws:ec2/vpc:Vpc network-vpc", properties=("tags",)), Change(resource="kubernetes:core/v1:Service web", properties=())),
)  # fmt: skip


def test_answers_pass_from_job_to_job(tmp_path: Path) -> None:
    """As files of an artifact, one a stack."""
    keep(DRIFTED, tmp_path / "drift")
    keep(Drift(stack="dev", found=Found.SAME), tmp_path / "drift")
    assert kept(tmp_path / "drift") == [Drift(stack="dev", found=Found.SAME), DRIFTED]
    assert kept(tmp_path / "nothing") == []


def test_an_answer_names_resources_and_properties_and_no_values() -> None:
    """A value may be a secret."""
    assert described(DRIFTED).splitlines() == [
        "`prod`: 2 drifted", "",
        "- `aws:ec2/vpc:Vpc network-vpc`: `tags`",
        "- `kubernetes:core/v1:Service web`: is gone",
    ]  # fmt: skip
    many = Drift(stack="dev", found=Found.DRIFTED, changes=DRIFTED.changes * 60, undescribed=3)
    assert described(many).splitlines()[0] == "`dev`: 123 drifted"
    assert described(many).splitlines()[-1] == "- and 23 more"
    assert described(Drift(stack="dev", found=Found.NOT_DEPLOYED)) == "`dev`: not deployed"


def test_a_step_that_a_workflow_cancels_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """GitHub sends SIGINT, and SIGTERM a little later."""

    def cancelled(*_: object) -> int:
        raise Terminated

    monkeypatch.setattr(pipeline, "run", cancelled)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert pipeline.main(["sbom"]) == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == "interrupted\n"
