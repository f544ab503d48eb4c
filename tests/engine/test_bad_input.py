"""What bad input gets from the literal `pulumi`: every finding, an exit code, and no resource."""

import json
import subprocess

import pytest

from tests.engine.conftest import Project

pytestmark = pytest.mark.engine


def _refused(project: Project, done: subprocess.CompletedProcess[str]) -> str:
    """What was said, once it is certain that nothing was registered and nobody saw a traceback."""
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    state = json.loads(project.pulumi("stack", "export").stdout)
    kinds = {resource["type"] for resource in (state["deployment"] or {}).get("resources", [])}
    assert kinds <= {"pulumi:pulumi:Stack"}
    return said


def test_a_wrong_catalogue_is_refused_with_all_its_findings(project: Project) -> None:
    """Two mistakes in one file are told in one run, each at its line."""
    catalogue = project.folder / "queues.yaml"
    lines = catalogue.read_text().splitlines()
    too_long = next(number for number, line in enumerate(lines) if "p99: 4m" in line)
    misspelt = next(number for number, line in enumerate(lines) if "idempotent:" in line)
    lines[too_long] = lines[too_long].replace("p99: 4m", "p99: 15m")
    lines[misspelt] = lines[misspelt].replace("idempotent", "idempotant")
    catalogue.write_text("\n".join(lines) + "\n")
    said = _refused(project, project.pulumi("up", "--yes", "--skip-preview"))
    assert f"queues.yaml:{too_long + 1}:" in said
    assert f"queues.yaml:{misspelt + 1}:" in said
    assert "idempotent" in said


def test_an_unknown_setting_is_refused_with_the_nearest_known_one(project: Project) -> None:
    """A misspelt key of the stack's configuration would otherwise change nothing, silently."""
    project.configure({"catalog": "queues.yaml"})
    said = _refused(project, project.pulumi("preview"))
    assert "celery-fleet:catalog" in said
    assert "`catalogue`" in said


def test_a_setting_of_the_wrong_type_is_refused_by_its_key(project: Project) -> None:
    """`Pulumi.yaml` types the configuration."""
    project.configure({"name": ["one", "two"]})
    assert "celery-fleet:name" in _refused(project, project.pulumi("preview"))


def test_wrong_settings_are_all_told_at_once(project: Project) -> None:
    """Two wrong values of the environment come in one run, each with its key."""
    project.configure({"environment": {"startup": "soon", "broker": {"nodes": 0}}})
    said = _refused(project, project.pulumi("preview"))
    assert "startup" in said
    assert "nodes" in said


def test_a_cluster_that_does_not_answer_is_told_with_the_key_to_set(project: Project) -> None:
    """Nobody listens where the kubeconfig points; the program says so in one message and how to name another cluster."""
    said = _refused(project, project.pulumi("up", "--yes", "--skip-preview"))
    assert "does not answer" in said
    assert "celery-fleet:context" in said
