"""The variables printed for a shell."""

import json
import subprocess
from pathlib import Path

import pytest

from sandbox.credentials import load_credentials
from sandbox.environment import export_lines, variables
from sandbox.folders import Folders


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(name="test", state_root=tmp_path / "st ate", cache=tmp_path / "cache")
    made.create()
    return made


@pytest.mark.parametrize("value", ["plain", "two words", "a'b\"c", "$(touch /tmp/never)", "line\nbreak", "ü; exit 1"])
def test_any_value_survives_a_shell(value: str) -> None:
    """Evaluating the lines gives back the value and runs nothing in it."""
    script = export_lines({"FLEET_TEST": value}) + 'printf %s "$FLEET_TEST"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == value


def test_own_programs_come_first_on_the_path_once(folders: Folders) -> None:
    """`pulumi` in a sandbox shell is the sandbox's, and opening a shell within a shell changes nothing."""
    first = variables(folders, {"PATH": "/usr/bin:/bin"})
    assert first["PATH"].split(":") == [str(folders.bin), "/usr/bin", "/bin"]
    assert variables(folders, first)["PATH"] == first["PATH"]


def test_passwords_are_made_once_and_kept_private(folders: Folders) -> None:
    """A second call gives the same passwords; nobody else can read them."""
    made = load_credentials(folders)
    assert load_credentials(folders) == made
    assert folders.credentials.stat().st_mode & 0o777 == 0o600
    assert all(len(password) >= 24 and password.isalnum() for password in made.values())


def test_a_password_that_is_no_longer_taken_is_made_anew(folders: Folders) -> None:
    """Older sandboxes made some with characters that a managed store refuses."""
    folders.credentials.write_text(json.dumps({"FLEET_RESULTS_PASSWORD": "an-old_password"}))
    made = load_credentials(folders)["FLEET_RESULTS_PASSWORD"]
    assert made != "an-old_password"
    assert load_credentials(folders)["FLEET_RESULTS_PASSWORD"] == made


def test_a_new_password_leaves_the_old_ones(folders: Folders) -> None:
    """A state folder of an older version gets what it lacks and keeps what it has."""
    folders.credentials.write_text(json.dumps({"SOMETHING_OLDER": "kept"}))
    assert load_credentials(folders)["SOMETHING_OLDER"] == "kept"
    assert load_credentials(folders)["FLEET_RESULTS_PASSWORD"]
