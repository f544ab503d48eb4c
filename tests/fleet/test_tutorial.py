"""The tutorial from an application to a plan, followed to the letter: its files written, its commands run, what it shows compared."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli import app

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "own-application-to-plan.md"
BLOCK = re.compile(r"^```(python|yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {"python": "shop.py", "yaml": "queues.yaml"}


@pytest.mark.scan
def test_the_tutorial_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with nothing but what the reader has written so far."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("COLUMNS", raising=False)
    blocks = BLOCK.findall(TUTORIAL.read_text(encoding="utf-8"))
    assert [kind for kind, _ in blocks[:3]] == ["python", "console", "yaml"]
    for kind, text in blocks:
        if kind in FILES:
            (tmp_path / FILES[kind]).write_text(text, encoding="utf-8")
        else:
            follow(text)


def follow(console: str) -> None:
    """Runs each command of a block; every line shown below it is a part of a line that it prints."""
    printed: list[str] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            printed = run(line.removeprefix("$ "))
        else:
            assert any(" ".join(line.split()) in shown for shown in printed), (line, printed)


def run(command: str) -> list[str]:
    """The lines that a command prints, blanks between words made one."""
    words = shlex.split(command)
    if words[0] == "fleet":
        result = CliRunner().invoke(app, words[1:])
        assert result.exit_code == 0, (command, result.output)
        return [" ".join(line.split()) for line in result.stdout.splitlines()]
    subprocess.run(words, check=True)
    return []
