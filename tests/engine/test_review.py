"""The table of changes, on the real engine: what each becomes in the comment, and which gates it meets.

One base is brought up for all of them. They are previewed in two heaps, those that may be merged and those that may not, because a preview takes longer
than all that is asked of it; each case looks at its own part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.review.comment import comment_text
from stacks.review.gates import Status, Verdict, judge
from stacks.review.model import Operation, Preview
from stacks.review.recording import record_preview
from tests.engine.conftest import ROOT, Project, new_aws_project

pytestmark = pytest.mark.engine

STACK = "dev"
BASE_IMAGES = {role: f"registry.example/{role}@sha256:{'1' * 64}" for role in ("web", "worker")}
OTHER_IMAGES = {role: f"registry.example/{role}@sha256:{'2' * 64}" for role in ("web", "worker")}

INVOICES = {
    "tasks": ["app.tasks.invoices.*"], "profile": "io", "runtime": {"mean": "400ms", "p99": "2s", "limit": "20s"},
    "load": {"peak": "5/s"}, "memory": "60Mi",
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """One heap of changes, previewed and judged."""

    preview: Preview
    verdicts: Sequence[Verdict]
    comment: str

    def failed(self) -> dict[str, list[str]]:
        """Gate -> what it found, of those that fail."""
        return {
            item.gate.id: [finding.text for finding in item.findings]
            for item in self.verdicts
            if item.status is Status.FAILED
        }

    def names(self, operation: Operation) -> set[str]:
        return {step.name for step in self.preview.steps if step.operation is operation}


def settings(project: Project, **aws: Any) -> dict[str, Any]:
    """What is configured over the stack's file: images that are there already, and some keys of `aws`."""
    stated = yaml.safe_load((project.folder / f"Pulumi.{STACK}.yaml").read_text())["config"]["celery-fleet:aws"]
    return {"images": {"prebuilt": BASE_IMAGES}, "aws": {**stated, **aws}}


@pytest.fixture(scope="module")
def base(engine_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The stack `dev` as it is before the change, on the Kubernetes before, with a broker that may shrink."""
    project = new_aws_project(tmp_path_factory.mktemp("review"), engine_environment, STACK)
    project.configure(settings(project, kubernetesVersion="1.35"))
    project.succeed("up", "--yes", "--skip-preview")
    return project


def seen(project: Project, before: Path, change: Mapping[str, Any], catalogue: Mapping[str, Any]) -> Seen:
    """The preview of a changed project; its files are put back."""
    files = {name: (project.folder / name).read_text() for name in ("queues.yaml", f"Pulumi.{STACK}.yaml")}
    try:
        project.configure(change)
        (project.folder / "queues.yaml").write_text(yaml.safe_dump(dict(catalogue), sort_keys=False))
        streaming = {**project.environment, "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
        done = Project(project.folder, streaming, STACK).pulumi(
            "preview", "--json", "--show-sames", "--policy-pack", str(ROOT / "policy")
        )
        preview = record_preview(
            done.stdout.splitlines(), stack=STACK, head=project.folder, base=before, base_name="main", imagined=True,
            stood_in=(), said=done.stderr, failed=done.returncode != 0,
        )  # fmt: skip
    finally:
        for name, text in files.items():
            (project.folder / name).write_text(text)
    verdicts = judge([preview])
    return Seen(preview=preview, verdicts=verdicts, comment=unescape(comment_text([preview], verdicts)))


@pytest.fixture(scope="module")
def before(base: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the other side."""
    folder = tmp_path_factory.mktemp("before")
    for name in ("queues.yaml", f"Pulumi.{STACK}.yaml"):
        (folder / name).write_text((base.folder / name).read_text())
    return folder


def queues(project: Project) -> dict[str, Any]:
    catalogue: dict[str, Any] = yaml.safe_load((project.folder / "queues.yaml").read_text())
    return catalogue


@pytest.fixture(scope="module")
def harmless(base: Project, before: Path) -> Seen:
    """A queue is added, a load raised, Kubernetes upgraded and an image swapped."""
    catalogue = queues(base)
    catalogue["queues"]["invoices"] = INVOICES
    catalogue["queues"]["reports"]["load"]["peak"] = "0.3/s"
    change = {**settings(base, kubernetesVersion="1.36"), "images": {"prebuilt": OTHER_IMAGES}}
    return seen(base, before, change, catalogue)


@pytest.fixture(scope="module")
def harmful(base: Project, before: Path) -> Seen:
    """A queue is renamed, another deleted, the broker made smaller and the network's addresses changed."""
    catalogue = queues(base)
    catalogue["queues"]["accounts"] = catalogue["queues"].pop("reports")
    del catalogue["queues"]["thumbnails"]
    catalogue["queues"]["default"]["tasks"].append("app.tasks.images.*")
    environment = yaml.safe_load((base.folder / f"Pulumi.{STACK}.yaml").read_text())["config"][
        "celery-fleet:environment"
    ]
    change = {
        **settings(base, kubernetesVersion="1.35", network={"cidr": "10.9.0.0/16"}),
        "environment": {**environment, "broker": {"storage": "5Gi"}},
    }
    return seen(base, before, change, catalogue)


@pytest.mark.parametrize(
    ("said", "operation", "names"),
    [
        pytest.param("queue invoices is new", Operation.CREATE, {"workers-invoices-deployment", "queue-invoices-invoices-queue"}, id="add-a-queue"),
        pytest.param("because peak 0.2/s -> 0.3/s", Operation.UPDATE, {"workers-reports-scaled-object"}, id="raise-a-load"),
        pytest.param("<code>1.35</code> → <code>1.36</code>", Operation.UPDATE, {"cluster-cluster", "nodes-system"}, id="upgrade-kubernetes"),
        pytest.param(f"→ <code>{OTHER_IMAGES['web']}</code>", Operation.UPDATE, {"web-deployment", "workers-high-deployment"}, id="swap-an-image"),
    ],
)  # fmt: skip
def test_a_change_that_may_be_merged(harmless: Seen, said: str, operation: Operation, names: set[str]) -> None:
    """It is told in the comment, and no gate stops it."""
    assert said in harmless.comment
    assert names <= harmless.names(operation)
    assert harmless.failed() == {}
    assert harmless.preview.errors == ()
    assert harmless.preview.policies_ran


@pytest.mark.parametrize(
    ("gate", "found", "operation", "names"),
    [
        pytest.param("remove-queue", "reports is renamed to accounts", Operation.DELETE, {"queue-reports-reports-queue"}, id="rename-a-queue"),
        pytest.param("remove-queue", "thumbnails is removed", Operation.DELETE, {"queue-thumbnails-thumbnails-queue"}, id="delete-a-queue"),
        pytest.param("replace-stateful", "smaller (spec.persistence.storage", Operation.UPDATE, {"broker-cluster"}, id="shrink-the-broker"),
        pytest.param("replace-stateful", "Vpc network-vpc would be replaced because of cidrBlock", Operation.REPLACE, {"network-vpc"}, id="change-the-network"),
    ],
)  # fmt: skip
def test_a_change_that_needs_a_reason(
    harmful: Seen, gate: str, found: str, operation: Operation, names: set[str]
) -> None:
    """Its gate fails and says what was found; what goes is listed."""
    assert any(found in text for text in harmful.failed()[gate]), harmful.failed()
    assert names <= harmful.names(operation)
    assert harmful.preview.errors == ()


def test_nothing_changes_where_nothing_is_changed(base: Project, before: Path) -> None:
    """Not even what the engine names anew in every run; no gate raises an alarm."""
    same = seen(base, before, {}, queues(base))
    assert (same.preview.steps, same.failed()) == ((), {})
    assert same.preview.unchanged > 100
