"""What the documents say about the catalogue can be done, and what they point at is there."""

import re
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fleet.cli import app
from fleet.environment import load_environment
from fleet.loading import load_plan
from tests.fleet.strategies import load_from, sample_catalogue

ROOT = Path(__file__).parents[2]
STANDS_FOR = {"shop.celery:app": "app.celery_app:celery_app"}
"""Names of the documents that do not exist here -> ones that do."""

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


def reason_rows(page: Path) -> list[tuple[str, str, str]]:
    """Number, value and formula of each line of a table that begins with the path of a number."""
    rows = re.findall(
        r"^\| ([a-z][a-z0-9-]*(?:\.[a-z_]+){2}) \| (.+?) \| (.+) \|$", page.read_text("utf-8"), re.MULTILINE
    )
    return [(path, value, formula) for path, value, formula in rows]


@pytest.mark.parametrize("page", [page for page in PAGES if reason_rows(page)], ids=lambda page: page.name)
def test_the_worked_numbers_of_the_documents_are_those_of_the_plan(page: Path) -> None:
    """Number, value and formula are what `fleet why -s prod` prints."""
    plan = load_plan(ROOT / "queues.yaml", load_environment(ROOT, "prod"), explain=True)
    printed = {(reason.path, reason.value, reason.formula) for reason in plan.reasons}
    assert [row for row in reason_rows(page) if row not in printed] == []


def test_each_idea_is_explained_with_worked_numbers() -> None:
    """The pages that have to have them have them."""
    explained = {page.stem for page in (ROOT / "docs" / "explanation").glob("*.md") if len(reason_rows(page)) > 5}
    assert explained >= {"sizing", "scaling", "topology", "limits"}


@pytest.mark.scan
def test_every_fleet_command_that_is_shown_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The consoles of the documents use commands and options that the command line has."""
    lines = {
        line.split("#")[0].split("$ ")[1].removeprefix(".venv/bin/").strip()
        for page in PAGES
        if page.stem != "own-application-to-plan"  # its own test follows it to the letter
        for line in page.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*\$ (\.venv/bin/)?fleet ", line)
    }
    assert lines
    for line in sorted(lines):
        words = [STANDS_FOR.get(word, word.replace("invoices", "reports")) for word in line.split()[1:]]
        if words[0] == "diff":
            # Its tests have repositories of their own: whether the last commit can be read is no matter of the documents.
            continue
        if words[0] == "dlq":
            # It asks a broker, which is not there: a command line that is right ends with 1, a wrong one with 2.
            with monkeypatch.context() as without_broker:
                without_broker.setattr(sys, "executable", "/bin/false")
                assert CliRunner().invoke(app, [*words, "-f", str(ROOT / "queues.yaml")]).exit_code == 1, line
            continue
        if words[0] in ("measure", "status"):
            # They ask a Prometheus or a worker, which is hardly there; see `dlq`.
            once = [word for word in words if word != "--watch"]
            assert CliRunner().invoke(app, [*once, "-f", str(ROOT / "queues.yaml")]).exit_code != 2, line
            continue
        catalogue = [] if words[0] == "init" else ["-f", str(ROOT / "queues.yaml")]
        monkeypatch.chdir(tmp_path)
        assert CliRunner().invoke(app, [*words, *catalogue]).exit_code == 0, line
