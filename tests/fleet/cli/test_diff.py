"""`fleet diff`: files and git revisions."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fleet.cli import app
from tests.fleet.strategies import sample_catalogue


def git(folder: Path, *words: str) -> None:
    nobody = {f"GIT_{role}_{field}": "nobody" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
    environ = {**os.environ, **nobody, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "-C", str(folder), *words], env=environ, check=True, capture_output=True)


def write(folder: Path, peak: str) -> None:
    raw = sample_catalogue(load={"peak": peak})
    (folder / "queues.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits of a catalogue in a folder, and a change that is not committed."""
    top = tmp_path_factory.mktemp("repository")
    folder = top / "deploy"
    folder.mkdir()
    git(top, "init", "--quiet", "--initial-branch", "main")
    write(folder, "1/s")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "-m", "first")
    git(top, "tag", "v1")
    write(folder, "20/s")
    (folder / "Pulumi.prod.yaml").write_text("config:\n  celery-fleet:environment:\n    loadFactor: 2\n")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "-m", "second")
    write(folder, "300/s")
    (folder / "other.yaml").write_text((folder / "queues.yaml").read_text())
    return folder


@pytest.mark.parametrize(
    ("sides", "before", "after"),
    [
        pytest.param(["v1", "HEAD"], "1/s", "20/s", id="two-revisions"),
        pytest.param(["HEAD"], "20/s", "300/s", id="a-revision-against-the-working-tree"),
        pytest.param(["HEAD~1:deploy/queues.yaml", "other.yaml"], "1/s", "300/s", id="a-path-in-a-revision-and-a-file"),
    ],
)
def test_both_sides_may_be_files_or_revisions(
    sides: list[str], before: str, after: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Differences end in exit code 0: they are an answer, not a finding."""
    monkeypatch.chdir(repository)
    result = CliRunner().invoke(app, ["diff", *sides, "--json"])
    assert result.exit_code == 0
    (queue,) = json.loads(result.stdout)["queues"]
    assert [(field["before"], field["after"]) for field in queue["fields"]] == [(before, after)]


def test_settings_of_the_environment_belong_to_the_revision(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second commit doubled the load of prod beside raising the peak from 1/s to 20/s."""
    monkeypatch.chdir(repository)
    shown = json.loads(CliRunner().invoke(app, ["diff", "v1", "HEAD", "-s", "prod", "--json"]).stdout)
    reasons = {reason["path"]: reason for reason in shown["queues"][0]["reasons"]}
    assert (reasons["mail.load.peak"]["before"]["value"], reasons["mail.load.peak"]["after"]["value"]) == (
        "1/s",
        "40/s",
    )


@pytest.mark.parametrize(
    "side",
    [
        pytest.param("no-such-revision", id="neither-file-nor-revision"),
        pytest.param("HEAD:no/such/file.yaml", id="no-such-file-in-the-revision"),
        pytest.param("HEAD:../outside.yaml", id="a-path-outside-of-the-repository"),
    ],
)
def test_a_side_that_is_not_there_is_wrong_usage(side: str, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, one message, no traceback."""
    monkeypatch.chdir(repository)
    result = CliRunner().invoke(app, ["diff", side])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{side}: ")
    as_json = CliRunner().invoke(app, ["diff", side, "--json"])
    assert json.loads(as_json.stdout)["error"]["where"] == side


def test_outside_of_a_repository_only_files_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same message as for a misspelt revision."""
    write(tmp_path, "1/s")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert CliRunner().invoke(app, ["diff", "HEAD"]).exit_code == 2
    assert CliRunner().invoke(app, ["diff", "queues.yaml"]).exit_code == 0
