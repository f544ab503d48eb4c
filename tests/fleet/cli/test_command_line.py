"""What holds for every command: help, version, completion, and how each ends."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli import app
from fleet.cli.entry import GROUPS

ROOT = Path(__file__).parents[3]
COMMANDS = [command.__name__.removesuffix("_") for commands in GROUPS.values() for command in commands]


def test_help_says_what_each_command_does_in_one_line() -> None:
    """Whoever types `fleet` sees all of it on one screen of 80 columns."""
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).stdout.splitlines()
    for name in COMMANDS:
        (line,) = [line for line in shown if line.startswith(f"│ {name} ")]
        assert line.rstrip("│ ").endswith(".")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_page(command: str) -> None:
    """Both spellings of the option."""
    for option in ("--help", "-h"):
        assert CliRunner().invoke(app, [command, option]).exit_code == 0


def test_version() -> None:
    """The version of the installed project."""
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout.split()[0]) == (0, "fleet")


def complete(line: str) -> list[str]:
    """What bash offers after Tab at the end of a line."""
    environ = {"_FLEET_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    result = CliRunner().invoke(app, [], prog_name="fleet", env=environ)
    assert result.stderr == ""
    return result.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        pytest.param("fleet wh", ["why"], id="commands"),
        pytest.param("fleet plan -s ", ["dev", "local", "prod", "qa", "staging"], id="environments-of-their-files"),
        pytest.param("fleet why rep", ["reports"], id="queues"),
        pytest.param("fleet route app.tasks.m", ["app.tasks.mail."], id="tasks"),
        pytest.param(
            "fleet why reports.rep",
            ["reports.replicas"],
            id="groups-of-numbers",
        ),
        pytest.param(
            "fleet plan --why reports.replicas.m", ["reports.replicas.min", "reports.replicas.max"], id="numbers"
        ),
    ],
)
def test_the_shell_completes(line: str, offered: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the catalogue and the settings beside it."""
    (tmp_path / "queues.yaml").write_text((ROOT / "queues.yaml").read_text())
    (tmp_path / "Pulumi.qa.yaml").write_text("config: {}\n")
    monkeypatch.chdir(tmp_path)
    assert complete(line) == offered


def test_completion_is_silent_where_the_catalogue_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tab is no place for findings."""
    (tmp_path / "queues.yaml").write_text("queues: [\n")
    monkeypatch.chdir(tmp_path)
    assert complete("fleet why r") == []
