"""`make preview` before any engine runs: which stacks, which base, which files, and no credential or seal among them."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
import yaml

from fleet.errors import UsageError
from ops import side_by_side
from ops.checkouts import check_out, copy_work_tree, find_base
from ops.preview_engine import has_own_engine, open_settings
from ops.previewing import Request, choose_stacks, preview_stacks
from ops.processes import ProgramError
from ops.progress import Progress
from ops.side_by_side import SideBySide
from ops.stack_files import stack_names
from ops.target import ROOT
from tests.ops.conftest import Programs


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project on a branch that left `main`, which went on since."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / "queues.yaml").write_text("before")
    (root / ".gitignore").write_text("/preview/\n.venv\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "before")
    git(root, "branch", "change")
    (root / "queues.yaml").write_text("elsewhere")
    git(root, "commit", "--quiet", "-am", "elsewhere")
    git(root, "checkout", "--quiet", "change")
    (root / "queues.yaml").write_text("after")
    return root


def test_the_base_is_where_the_branch_left_it(repository: Path, tmp_path: Path) -> None:
    """What others have done on main since is no part of the change."""
    target = tmp_path / "base"
    target.mkdir()
    check_out(repository, find_base(repository, "main"), target)
    assert (target / "queues.yaml").read_text() == "before"


def test_a_copy_has_what_git_would_take(repository: Path, tmp_path: Path) -> None:
    """Changed and new files, none that is ignored; the packages are lent."""
    (repository / "preview").mkdir()
    (repository / "preview" / "old.json").write_text("{}")
    (repository / "queues.d").mkdir()
    (repository / "queues.d" / "new.yaml").write_text("new")
    (repository / ".venv").mkdir()
    target = tmp_path / "head"
    target.mkdir()
    copy_work_tree(repository, target)
    assert {str(file.relative_to(target)) for file in target.rglob("*") if file.is_file()} == {
        ".gitignore", "queues.yaml", "queues.d/new.yaml"
    }  # fmt: skip
    assert (target / "queues.yaml").read_text() == "after"
    assert (target / ".venv").resolve() == repository / ".venv"


def test_a_folder_without_git_is_copied_whole(tmp_path: Path) -> None:
    """A release that was unpacked."""
    (tmp_path / "project" / "app").mkdir(parents=True)
    (tmp_path / "project" / "app" / "tasks.py").write_text("tasks")
    (tmp_path / "head").mkdir()
    copy_work_tree(tmp_path / "project", tmp_path / "head")
    assert (tmp_path / "head" / "app" / "tasks.py").read_text() == "tasks"


@pytest.mark.parametrize("named", ["no-such-branch", "--help", "main:queues.yaml"])
def test_an_unknown_base_is_refused(repository: Path, named: str) -> None:
    """In one message, whatever it looks like."""
    with pytest.raises(UsageError, match="is no revision"):
        find_base(repository, named)


def test_a_base_without_a_common_commit_is_refused(repository: Path) -> None:
    """As in a shallow clone; the message says how to get the rest."""
    git(repository, "checkout", "--quiet", "--orphan", "stranger")
    git(repository, "commit", "--quiet", "-m", "stranger")
    with pytest.raises(UsageError, match="fetch-depth"):
        find_base(repository, "main")


def test_every_stack_is_found_by_its_file() -> None:
    """None is listed by hand; one that has no file is named with those that have."""
    assert stack_names(ROOT) == ("dev", "local", "prod", "staging")
    assert choose_stacks([]) == stack_names(ROOT)
    assert choose_stacks(["prod", "dev", "prod"]) == ("prod", "dev")
    with pytest.raises(UsageError, match=r"There are dev, local, prod, staging"):
        choose_stacks(["production"])


@pytest.mark.parametrize(
    ("target", "variables", "own"),
    [
        pytest.param("eks", {"AWS_PROFILE": "work"}, True, id="credentials"),
        pytest.param("eks", {}, False, id="none"),
        pytest.param("eks", {"AWS_PROFILE": ""}, False, id="an-empty-variable"),
        pytest.param("existing", {"AWS_PROFILE": "work"}, False, id="a-cluster-of-ones-own"),
    ],
)
def test_the_users_own_engine_needs_credentials(
    programs: Programs, target: str, variables: dict[str, str], *, own: bool
) -> None:
    """Without them everything behind the engine is stood in for."""
    programs.write("pulumi", "")
    assert has_own_engine(target, {"PATH": str(programs.folder), **variables}) is own
    assert not has_own_engine(target, {"PATH": "/nonexistent", **variables})


def test_sealed_values_are_stood_in_for(tmp_path: Path) -> None:
    """Whoever previews a change without credentials has no key to them, and needs none."""
    settings = tmp_path / "Pulumi.prod.yaml"
    stated = {
        "secretsprovider": "awskms://alias/pulumi",
        "encryptedkey": "c2VhbGVk",
        "config": {
            "celery-fleet:resultsPassword": {"secure": "v1:sealed"},
            "celery-fleet:aws": {"tags": {"owner": {"secure": "v1:sealed"}, "costCenter": "x"}},
            "celery-fleet:target": "eks",
        },
    }
    settings.write_text(yaml.safe_dump(stated))
    open_settings(settings)
    opened = yaml.safe_load(settings.read_text())
    assert "sealed" not in settings.read_text()
    assert opened.keys() == {"config"}
    assert opened["config"]["celery-fleet:aws"] == {"tags": {"owner": "imagined", "costCenter": "x"}}
    assert len(opened["config"]["celery-fleet:resultsPassword"]) >= 16


EVENTS = """
import json, sys
print(json.dumps({"summaryEvent": {"PolicyPacks": {"celery-fleet": "0.1.0"}, "isPreview": True}}))
sys.exit(3 if "dev" in words else 0)
"""


@pytest.mark.scan
def test_every_stack_gets_its_files_whatever_becomes_of_another(
    programs: Programs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With one comment on all of them, and an exit code that says whether they are whole."""
    programs.write("pulumi", EVENTS)
    environ = {"PATH": f"{programs.folder}:/usr/bin:/bin", "AWS_PROFILE": "work", "HOME": str(tmp_path)}
    request = Request(stacks=("dev", "prod"), base=None, out=tmp_path / "preview")
    assert preview_stacks(request, environ, Progress()) == 1
    kept = {str(file.relative_to(request.out)) for file in request.out.rglob("*") if file.is_file()}
    assert kept == {"comment.md", *(f"{stack}/preview.{end}" for stack in request.stacks for end in ("json", "md"))}
    (first, *_) = (request.out / "comment.md").read_text().splitlines()
    assert "cannot be judged" in first
    assert programs.calls("pulumi")[0][:2] == ["preview", "--stack"]
    assert "dev: the engine ended without a word" in capfd.readouterr().err


TIDYING = """
def tidy(*_):
    (here / f"asked-{words[2]}").touch()
    while not (here / "again").exists(): time.sleep(0.02)
    (here / f"tidied-{words[2]}").touch()
    sys.exit(1)
signal.signal(signal.SIGINT, tidy)
(here / f"started-{words[2]}").touch()
time.sleep(60)
"""


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 30.0
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_an_interruption_ends_every_engine_and_leaves_no_folder(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """`make` hands a signal on that its child has got already: the second one disturbs nothing, and no further stack is begun."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    programs.write("pulumi", TIDYING)

    def interrupt_twice() -> None:
        for stack in ("dev", "prod"):
            wait_for(programs.folder / f"started-{stack}")
        os.kill(os.getpid(), number)
        wait_for(programs.folder / "asked-dev")
        os.kill(os.getpid(), number)
        (programs.folder / "again").touch()

    environ = {"PATH": f"{programs.folder}:/usr/bin:/bin", "AWS_PROFILE": "work", "HOME": str(tmp_path)}
    request = Request(stacks=("dev", "prod", "staging"), base=None, out=tmp_path / "preview")
    thread = threading.Thread(target=interrupt_twice)
    before = signal.getsignal(number)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        preview_stacks(request, environ, Progress())
    thread.join()
    assert signal.getsignal(number) == before
    assert sorted(file.name for file in programs.folder.glob("tidied-*")) == ["tidied-dev", "tidied-prod"]
    assert [words[2] for words in programs.calls("pulumi") if words[2] == "staging"] == []
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("on_interruption", "ends_in_order"),
    [
        pytest.param('(here / "tidied").touch(), sys.exit(1)', True, id="asked"),
        pytest.param("None", False, id="killed-where-it-does-not-follow"),
    ],
)
def test_an_engine_that_takes_too_long_is_ended(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, on_interruption: str, *, ends_in_order: bool
) -> None:
    """In one message, and with its plugins: those of an engine that is killed would go on writing."""
    monkeypatch.setattr(side_by_side, "PATIENCE_SECONDS", 5.0 if ends_in_order else 0.2)
    programs.write(
        "pulumi", f"signal.signal(signal.SIGINT, lambda *_: ({on_interruption}))\nwhile True: time.sleep(1)\n"
    )
    environ = {"PATH": f"{programs.folder}:/usr/bin:/bin"}
    with SideBySide() as beside, pytest.raises(ProgramError, match="pulumi up: no answer within 1 s"):
        beside.run(["pulumi", "up"], env=environ, cwd=programs.folder, fix="", timeout_seconds=1.0)
    assert (programs.folder / "tidied").exists() is ends_in_order
