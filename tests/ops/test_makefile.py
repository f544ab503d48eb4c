"""What `make` promises before anything is installed or started."""

import re
import subprocess

import pytest

from ops.target import ROOT

COMMANDS = (
    "plan",
    "preview",
    "review",
    "up",
    "demo",
    "status",
    "shell",
    "down",
    "clean",
    "check",
    "scan",
    "test",
    "soak",
    "format",
    "lock",
)


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", str(ROOT), *words], capture_output=True, text=True, check=False, timeout=60)


def test_make_alone_lists_every_command() -> None:
    """The list is made from the Makefile's own comments, so it cannot miss one."""
    listed = re.findall(r"^  make (\w+) +\S.*$", make().stdout, re.MULTILINE)
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        pytest.param(["up"], "-m ops up", id="up-on-the-sandbox"),
        pytest.param(
            ["up", "CONTEXT=kind-fleet"], "-m ops up --context 'kind-fleet'", id="up-on-a-cluster-of-ones-own"
        ),
        pytest.param(["up", "MONITORING=1"], "-m ops up --monitoring", id="up-with-a-prometheus"),
        pytest.param(["demo", "SCALE=0.1"], "-m ops demo --scale '0.1'", id="a-small-demo"),
        pytest.param(["down", "CONTEXT=kind-fleet"], "-m ops down --context 'kind-fleet'", id="down-elsewhere"),
        pytest.param(["preview"], "-m ops preview --out 'preview'   \n", id="previews-of-all-stacks"),
        pytest.param(
            ["preview", "STACK=prod", "BASE=main"],
            "-m ops preview --out 'preview' --stack 'prod' --base 'main'",
            id="a-preview-of-one-stack",
        ),
        pytest.param(
            ["review", "COST_RISE=5"],
            "'preview'/*/preview.json --out 'preview/comment.md' --cost-rise '5'",
            id="a-review",
        ),
        pytest.param(["plan", "STACK=prod"], "fleet plan -s 'prod'", id="plan-of-another-environment"),
    ],
)
def test_variables_reach_the_commands(words: list[str], command: str) -> None:
    """`make VERB VARIABLE=value` does what the README says."""
    assert command in make("--dry-run", *words).stdout


def test_an_old_python_is_refused_in_one_line() -> None:
    """The message names the variable that helps."""
    done = make("--always-make", "venv", "PYTHON=no-such-python")
    assert done.returncode == 2
    assert "no-such-python is missing or older than Python 3.11" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_continuous_integration_runs_what_the_readme_names() -> None:
    """`.ci/run` is `make test` and nothing else of substance."""
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    said = [line for line in lines if line and not line.startswith("#")]
    assert said == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "exec make test"]
