"""What is kept up to date, and what moves together.

Source: Renovate docs, "Custom managers" (named groups of JavaScript's regular expressions) and "Configuration options"; its schema is asked in the scan.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fleet import versions
from ops.target import ROOT

CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())
BY_HAND = {
    "KUBERNETES_MINIMUM": "what is supported is decided, not looked up",
    "RABBITMQ_IMAGE": "made of RABBITMQ",
    "CELERY": "the series; requirements/ has the number",
    "KOMBU": "the series; requirements/ has the number",
}


def matched(manager: dict[str, Any]) -> list[dict[str, str]]:
    """What a manager finds in the files that it is for."""
    found = []
    for pattern in manager["managerFilePatterns"]:
        files = [path for path in tracked() if re.search(pattern.strip("/"), path.as_posix())]
        assert files, pattern
        for path in files:
            text = (ROOT / path).read_text()
            for expression in manager["matchStrings"]:
                found += [hit.groupdict() for hit in re.finditer(expression.replace("(?<", "(?P<"), text, re.MULTILINE)]
    return found


def tracked() -> list[Path]:
    names = ["fleet/versions.py", "app/Dockerfile", ".pulumi.version", "requirements/app.txt", "requirements/scan.txt"]
    return [Path(name) for name in names]


@pytest.mark.parametrize("manager", CONFIG["customManagers"], ids=lambda manager: manager["description"])
def test_each_expression_finds_what_it_is_for(manager: dict[str, Any]) -> None:
    """An expression that meets nothing would go unnoticed until the version is years old."""
    found = matched(manager)
    assert found
    for hit in found:
        assert hit["currentValue"]
        assert hit.get("depName") or manager.get("depNameTemplate")
        assert hit.get("datasource") or manager.get("datasourceTemplate")


def test_no_version_is_forgotten() -> None:
    """Each constant of fleet/versions.py is found by an expression, or has a reason."""
    text = (ROOT / "fleet" / "versions.py").read_text()
    constants = set(re.findall(r"^([A-Z_]+) = [(\"f]", text, re.MULTILINE)) - {"PINNED", "MATRIX"}
    values = {hit["currentValue"] for manager in CONFIG["customManagers"] for hit in matched(manager)}
    looked_up = {name for name in constants if any(value in str(getattr(versions, name)) for value in values)}
    assert constants - looked_up - set(BY_HAND) == set()


def group_of(name: str) -> str | None:
    """The group of a package by its exact name, or by a pattern in slashes."""
    for rule in CONFIG["packageRules"]:
        for pattern in rule.get("matchPackageNames", []):
            expression = (
                pattern.strip("/") if pattern.startswith("/") else re.escape(pattern).replace(r"\*\*", ".*") + "$"
            )
            if re.match(expression, name):
                return str(rule["groupName"])
    return None


@pytest.mark.parametrize(
    ("group", "packages"),
    [
        pytest.param("celery", ["celery", "kombu", "amqp", "billiard", "vine"], id="celery-and-its-transport"),
        pytest.param("keda", ["keda", "github.com/kedacore/keda/v2"], id="keda-and-the-sandboxs"),
        pytest.param("rabbitmq", ["rabbitmq/rabbitmq-server", "rabbitmq/cluster-operator", "rabbitmq/messaging-topology-operator"], id="broker-and-operators"),
        pytest.param("kubernetes", ["amazon-eks", "k8s.io/kubernetes", "awslabs/amazon-eks-ami", "kubernetes-validate"], id="kubernetes-and-its-nodes"),
        pytest.param("pulumi", ["pulumi", "pulumi-aws", "pulumi-policy", "pulumi/pulumi", "github.com/pulumi/pulumi/pkg/v3"], id="engine-and-providers"),
    ],
)  # fmt: skip
def test_what_has_to_move_together_does(group: str, packages: list[str]) -> None:
    """In one pull request, with one preview."""
    assert {name: group_of(name) for name in packages} == dict.fromkeys(packages, group)


def test_the_image_below_the_applications_is_one_digest() -> None:
    """The Dockerfile's own default is what somebody builds who builds without Pulumi."""
    (default,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", (ROOT / "app" / "Dockerfile").read_text(), re.MULTILINE)
    assert default == versions.PYTHON_IMAGE
    assert re.fullmatch(r"docker\.io/library/python:3\.13-slim@sha256:[0-9a-f]{64}", default)
