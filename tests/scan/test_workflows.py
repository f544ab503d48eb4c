"""The workflows, asked by the field's two tools; and each of them finds what it is there for.

Source: zizmor 1.32 (`--offline`: no look-up at GitHub), actionlint 1.7.12 (`-shellcheck= -pyflakes=`: every `run:` is a make target).
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.scanning import ACTIONLINT_VARIABLE
from ops.target import ROOT
from tests.scan.checkov import PYTHON_VARIABLE

pytestmark = [
    pytest.mark.scan,
    pytest.mark.skipif(PYTHON_VARIABLE not in os.environ, reason="needs the tools of `make scan`"),
]
SECONDS = 120.0


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    """Its exit code is 0 where there is nothing to report."""
    program = Path(os.environ[PYTHON_VARIABLE]).with_name("zizmor")
    words = [
        str(program),
        "--offline",
        "--no-progress",
        "--color",
        "never",
        "--format",
        "plain",
        str(folder / ".github"),
    ]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)


def actionlint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Its exit code is 0 where there is nothing to report."""
    program = os.environ.get(ACTIONLINT_VARIABLE)
    if program is None:
        pytest.skip("there is no Go to build actionlint with")
    files = sorted(str(path) for path in (folder / ".github" / "workflows").glob("*.yaml"))
    return subprocess.run(
        [program, "-no-color", "-shellcheck=", "-pyflakes=", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


Tool = Callable[[Path], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The workflows, to be spoilt."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    # actionlint looks for the repository's root.
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.mark.parametrize("tool", [zizmor, actionlint])
def test_there_is_nothing_to_report(tool: Tool) -> None:
    """What is left out, and why, stands in .github/zizmor.yml and in one comment of comment.yaml."""
    done = tool(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("tool", "file", "before", "after", "said"),
    [
        pytest.param(zizmor, "preview.yaml", "pull_request:\n", "pull_request_target:\n", "dangerous-triggers", id="foreign-code-with-rights"),
        pytest.param(
            zizmor, "preview.yaml", "run: make review", "run: make review TITLE=${{ github.event.pull_request.title }}",
            "template-injection", id="a-title-that-becomes-a-command",
        ),
        pytest.param(zizmor, "check.yaml", "persist-credentials: false", "fetch-depth: 1", "artipacked", id="a-token-left-behind"),
        pytest.param(
            zizmor, "drift.yaml", "permissions:\n      contents: read\n      issues: write # the one issue", "permissions: write-all",
            "excessive-permissions", id="all-permissions",
        ),
        pytest.param(
            zizmor, "deploy.yaml", "@37fe631027851001ddb9b187196cc803df7f5f0e # v4.3.0", "@v4", "unpinned-uses", id="a-tag-that-can-be-moved"
        ),
        pytest.param(
            actionlint, "deploy.yaml", "needs.dev.outputs.images", "needs.dev.outputs.image", 'property "image" is not defined', id="an-output-nobody-sets"
        ),
        pytest.param(actionlint, "drift.yaml", "needs: [stacks, drift]", "needs: [stacks]", 'property "drift" is not defined', id="a-job-it-does-not-wait-for"),
        pytest.param(actionlint, "check.yaml", "python-version: ${{", "python: ${{", 'input "python" is not defined', id="an-input-that-is-not-there"),
        pytest.param(actionlint, "comment.yaml", "types: [completed]", "types: [finished]", "invalid activity type", id="an-event-that-never-comes"),
    ],
)  # fmt: skip
def test_each_tool_finds_what_it_is_there_for(  # noqa: PLR0917 -- a table of five columns
    copy: Path, tool: Tool, file: str, before: str, after: str, said: str
) -> None:
    """A scan that cannot fail would be none."""
    path = copy / ".github" / "workflows" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    done = tool(copy)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
