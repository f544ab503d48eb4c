"""How each command ends: 0 fine, 1 something to put right, 2 a wrong command line; never in a traceback."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fleet.cli import app
from fleet.cli.reference import SHAPES
from tests.fleet.cli.test_command_line import COMMANDS
from tests.fleet.strategies import sample_catalogue

# What each command needs beside the catalogue; {new} is a file that does not exist yet.
WORDS: dict[str, list[str]] = {
    "plan": ["plan"],
    "why": ["why", "mail"],
    "route": ["route", "shop.tasks.send"],
    "diff": ["diff", "queues.yaml"],
    "check": ["check"],
    "schema": ["schema"],
}
READS = [name for name in WORDS if name != "schema"]
"""Commands that read the catalogue."""

TALKS_JSON = [name for name in WORDS if name != "schema"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "queues.yaml").write_text(yaml.safe_dump(sample_catalogue(), sort_keys=False))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ends(*words: str) -> int:
    """Exit code of a command that may end only by one: an exception would be a traceback for the user."""
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code


def test_every_command_is_in_these_tables() -> None:
    """Whoever adds a command says how it ends and what JSON it prints; `init` has tests of its own."""
    assert sorted({*WORDS, "init"} & set(COMMANDS)) == sorted({*WORDS, "init"})
    assert set(COMMANDS) <= set(SHAPES)


@pytest.mark.parametrize("command", WORDS)
def test_0_where_all_is_well(command: str, folder: Path) -> None:
    """As people read it and as programs do."""
    assert ends(*WORDS[command]) == 0
    if command in TALKS_JSON:
        result = CliRunner().invoke(app, [*WORDS[command], "--json"])
        assert (result.exit_code, result.stderr) == (0, "")
        json.loads(result.stdout)


WRONG_FILES = {
    "a-finding": yaml.safe_dump(sample_catalogue(profile="gpu")),
    "no-yaml": "queues: [\n",
    "an-empty-file": "",
    "a-list": "- queues\n",
    "only-a-scalar": "queues\n",
    "queues-that-are-none": "application: a:b\nqueues: 3\n",
    "no-queue": "application: a:b\nqueues: {}\n",
    "a-queue-that-is-none": "application: a:b\nqueues: {mail: 3}\n",
    "an-anchor-in-itself": "queues: &a {mail: *a}\n",
    "a-binary-file": "\x00\x01",
}


@pytest.mark.parametrize("text", WRONG_FILES.values(), ids=WRONG_FILES.keys())
@pytest.mark.parametrize("command", READS)
def test_1_where_the_catalogue_is_wrong(command: str, text: str, folder: Path) -> None:
    """With every finding, in JSON as well."""
    (folder / "queues.yaml").write_text(text)
    assert ends(*WORDS[command]) == 1
    result = CliRunner().invoke(app, [*WORDS[command], "--json"])
    assert (result.exit_code, result.stderr) == (1, "")
    assert json.loads(result.stdout)["findings"]


@pytest.mark.parametrize("command", ["plan", "why", "check", "diff"])
def test_1_where_the_settings_of_the_environment_are_wrong(command: str, folder: Path) -> None:
    """They stand beside the catalogue."""
    (folder / "Pulumi.prod.yaml").write_text("config:\n  celery-fleet:environment:\n    startup: soon\n")
    assert ends(*WORDS[command], "-s", "prod") == 1


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["why", "mail.nothing"], id="why-of-no-number"),
        pytest.param(["plan", "--why", "letters"], id="plan-why-of-no-number"),
        pytest.param(["route", "shop.other"], id="route-of-a-task-without-a-queue"),
        pytest.param(["check", "--app"], id="check-of-an-application-that-is-not-there"),
        pytest.param(["check", "-f", "missing.yaml"], id="a-catalogue-that-is-not-there"),
        pytest.param(["init", "--app", "no_such_module_here:app", "-o", "new.yaml"], id="init-of-no-application"),
    ],
)
def test_1_where_something_is_to_be_put_right(words: list[str], folder: Path) -> None:
    """One by one, with JSON on standard output."""
    result = CliRunner().invoke(app, [*words, "--json"])
    assert (result.exit_code, result.stderr) == (1, "")
    assert json.loads(result.stdout)


@pytest.mark.parametrize(
    "words",
    [
        *(pytest.param([*words, "--nonsense"], id=f"{name}-with-an-unknown-option") for name, words in WORDS.items()),
        *(
            pytest.param([*WORDS[name], "-s", "prdo"], id=f"{name}-in-no-environment")
            for name in ("plan", "why", "check", "diff")
        ),
        pytest.param(["nonsense"], id="no-command"),
        pytest.param(["why"], id="why-without-a-path"),
        pytest.param(["route"], id="route-without-a-task"),
        pytest.param(["diff"], id="diff-without-a-side"),
        pytest.param(["diff", "no-such-revision"], id="diff-of-no-revision"),
        pytest.param(["init"], id="init-without-an-application"),
        pytest.param(["init", "--app", "shop"], id="init-of-no-attribute"),
        pytest.param(["init", "--app", "shop:app"], id="init-over-a-file"),
        pytest.param(["plan", "--json", "--html", "plan.html"], id="plan-in-two-forms"),
        pytest.param(["plan", "--html", "no/such/folder/plan.html"], id="plan-into-no-folder"),
        pytest.param(["schema", "--write", "-f", "no/such/folder/queues.yaml"], id="schema-into-no-folder"),
    ],
)
def test_2_where_the_command_line_is_wrong(words: list[str], folder: Path) -> None:
    """Nothing was looked at, or what it names is not there."""
    assert ends(*words) == 2
