"""The policy pack on the real engine: what it says of a stack, and that a mandatory finding stops it."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.engine.conftest import ROOT, Project, new_aws_project

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        importlib.util.find_spec("pulumi_policy") is None, reason="needs the package pulumi-policy; `make` installs it"
    ),
]

PACK = str(ROOT / "policy")
DIGEST = f"sha256:{'1' * 64}"


@pytest.fixture
def dev(engine_environment: Mapping[str, str], tmp_path: Path) -> Project:
    """The stack `dev`, which nobody has deployed: next to nothing is known in its preview."""
    return new_aws_project(tmp_path, engine_environment, "dev")


def test_a_stack_that_meets_the_rules_is_previewed(dev: Project) -> None:
    """The engine runs the pack, and has nothing to say."""
    shown = dev.succeed("preview", "--policy-pack", PACK)
    assert "celery-fleet@v0.1.0" in shown
    assert "[mandatory]" not in shown
    assert "[advisory]" not in shown


def test_a_mandatory_finding_stops_everything_and_says_what_to_do(dev: Project) -> None:
    """With the place, the reason and the way out; an update that skips its preview does not get past it either."""
    images = {"web": f"registry.example/web@{DIGEST}", "worker": "registry.example/worker:latest"}
    dev.configure({"images": {"prebuilt": images}})
    refused = dev.pulumi("preview", "--policy-pack", PACK)
    assert refused.returncode != 0
    assert "[mandatory]  image-tag" in refused.stdout
    assert "containers[worker].image" in refused.stdout
    assert "Name the image by digest" in refused.stdout
    assert dev.pulumi("up", "--yes", "--skip-preview", "--policy-pack", PACK).returncode != 0
    assert [urn for urn in dev.resources() if urn.endswith(("workers-high-deployment", "beat-deployment"))] == []
