"""What the documents say about the catalogue can be done, and what they point at is there."""

import re
import textwrap
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fleet.cli import app
from fleet.deriving import load_plan
from fleet.environment import load_environment
from tests.fleet.strategies import load_from, sample_catalogue

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """No page points at a file that was moved or never written."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/how-to/add-a-queue.md",
        "docs/how-to/own-application.md",
        "docs/how-to/publish-without-celery.md",
    ],
)
def test_the_queues_that_are_shown_pass_every_check(tmp_path: Path, page: str) -> None:
    """Whoever copies an example gets a queue that works."""
    shown = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert shown
    for block in shown:
        data = yaml.safe_load(textwrap.dedent(block))
        raw = sample_catalogue()
        for name, queue in data.get("queues", data).items():
            raw["queues"][name] = {**raw["queues"]["mail"], "tasks": [f"{name}.*"], **queue}
        assert load_from(raw, tmp_path, environment="prod").queues


def test_the_reasons_that_the_readme_shows_are_those_of_the_plan() -> None:
    """Number, value and formula are what `fleet why -s prod` prints."""
    plan = load_plan(ROOT / "queues.yaml", load_environment(ROOT, "prod"), explain=True)
    printed = {(reason.path, reason.value, reason.formula) for reason in plan.reasons}
    rows = re.findall(r"^\| (reports\.\S+) \| (.+?) \| (.+?) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(rows) == 4
    assert set(rows) <= printed


def test_every_fleet_command_that_is_shown_exists() -> None:
    """The consoles of the documents use commands and options that the command line has."""
    lines = {
        line.split("#")[0].split("$ ")[1].removeprefix(".venv/bin/").strip()
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*\$ (\.venv/bin/)?fleet ", line)
    }
    assert lines
    for line in sorted(lines):
        words = [word.replace("invoices", "reports") for word in line.split()[1:]]
        assert CliRunner().invoke(app, [*words, "-f", str(ROOT / "queues.yaml")]).exit_code == 0, line
