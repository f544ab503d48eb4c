"""What is shipped: under which licences, and whether the list of its parts, and the settings that keep it up to date, are what tools read.

Source: pip-licenses 5.5 (`--python`: the project's own environment); CycloneDX 1.6; Renovate's schema, as check-jsonschema brings it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.sbom import sbom
from ops.target import ROOT
from tests.scan.checkov import PYTHON_VARIABLE

needs_the_tools = pytest.mark.skipif(PYTHON_VARIABLE not in os.environ, reason="needs the tools of `make scan`")
SECONDS = 300.0
POLICY: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "licences.yaml").read_text())

VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
if (error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read())) is not None: sys.exit(str(error))
"""


def tool(name: str, *words: str, stdin: str = "") -> str:
    """What a tool of the scanners' environment prints; it has to succeed."""
    program = Path(os.environ[PYTHON_VARIABLE]).with_name(name)
    done = subprocess.run(
        [str(program), *words], cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_allowed(stated: str) -> bool:
    """Whether what a package states is: of alternatives one, of what holds together all of it."""
    spelt = {name for licence, others in POLICY["allowed"].items() for name in (licence, *others)} | set(
        POLICY["no_licence"]
    )
    return any(
        all(part.strip("() ") in spelt or part in spelt for part in choice.replace("; ", " AND ").split(" AND "))
        for choice in stated.split(" OR ")
    )


@pytest.mark.parametrize(
    ("stated", "allowed"),
    [
        pytest.param("MIT", True, id="allowed"),
        pytest.param("Mozilla Public License 2.0 (MPL 2.0)", True, id="by-its-long-name"),
        pytest.param("GPL-3.0-only OR MIT", True, id="one-may-choose"),
        pytest.param("MIT AND GPL-3.0-only", False, id="both-hold"),
        pytest.param("BSD License; GNU General Public License v2 (GPLv2)", False, id="listed-side-by-side"),
        pytest.param("GPL-3.0-only", False, id="asks-for-the-products-source"),
        pytest.param("UNKNOWN", False, id="nobody-knows"),
        pytest.param("DFSG approved; MIT License", True, id="praise-beside-a-licence"),
    ],
)
def test_licences_are_judged_by_what_they_say(stated: str, allowed: bool) -> None:
    """In SPDX's words or in those of package classifiers."""
    assert is_allowed(stated) is allowed


@pytest.mark.scan
@needs_the_tools
def test_every_package_has_a_licence_that_is_allowed() -> None:
    """Of the containers, of the program, and of what tests them; an exception is used and has a reason."""
    listed = json.loads(tool("pip-licenses", "--python", sys.executable, "--format", "json", "--from", "mixed"))
    assert {"celery", "pulumi", "pytest"} <= {item["Name"] for item in listed}
    wrong = {item["Name"]: item["License"] for item in listed if not is_allowed(item["License"])}
    assert wrong.keys() == POLICY["exceptions"].keys(), wrong
    assert all(POLICY["exceptions"].values())


@pytest.mark.scan
@needs_the_tools
def test_the_list_of_parts_is_cyclonedx() -> None:
    """By the schema, so every tool reads it."""
    tool("python", "-c", VALIDATE, stdin=json.dumps(sbom(ROOT)))


@pytest.mark.scan
@needs_the_tools
def test_renovate_takes_its_settings() -> None:
    """It would open an issue about them, and nothing else."""
    tool("check-jsonschema", "--builtin-schema", "vendor.renovate", "renovate.json")
