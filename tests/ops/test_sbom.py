"""The list of what the images consist of."""

import json
from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.versions import PYTHON_IMAGE
from ops.sbom import base_component, package_components, sbom, write_sbom
from ops.target import ROOT

DIGEST = "0" * 64
REQUIREMENTS = f"""
amqp==5.4.2 \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
    # via kombu
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{"c" * 64}
exceptiongroup==1.3.1 ; python_full_version < '3.11' \\
    --hash=sha256:{"d" * 64}
redis[hiredis]==6.4.0 ; implementation_name == 'cpython' \\
    --hash=sha256:{"e" * 64}
"""


def test_the_packages_are_those_that_the_image_has() -> None:
    """Pinned for every machine; the image is one of them."""
    found = list(package_components(REQUIREMENTS))
    assert [item["purl"] for item in found] == ["pkg:pypi/amqp@5.4.2", "pkg:pypi/redis@6.4.0"]
    (files,) = found[0]["externalReferences"]
    assert [item["content"] for item in files["hashes"]] == ["a" * 64, "b" * 64]
    assert found[0]["licenses"] == [{"license": {"name": "BSD License"}}]


def test_the_image_below_is_a_part_too() -> None:
    """By the digest that is built on."""
    found = base_component(f"docker.io/library/python:3.13-slim@sha256:{DIGEST}")
    assert found["purl"] == f"pkg:oci/python@sha256%3A{DIGEST}?repository_url=docker.io/library/python&tag=3.13-slim"
    assert found["hashes"] == [{"alg": "SHA-256", "content": DIGEST}]
    with pytest.raises(FleetError, match="Write name:tag@sha256"):
        base_component("python:3.13-slim")


def test_one_commit_makes_one_list(tmp_path: Path) -> None:
    """Whoever makes it, and whenever."""
    document = sbom(ROOT)
    assert document == sbom(ROOT)
    names = [item["name"] for item in document["components"]]
    assert names[0] == PYTHON_IMAGE.partition(":")[0]
    assert {"celery", "kombu", "fastapi"} < set(names)
    assert not {"pulumi", "pytest"} & set(names)
    references = [item["bom-ref"] for item in document["components"]]
    assert len(set(references)) == len(references)
    for name in ("pyproject.toml", "requirements/app.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    assert json.loads(write_sbom(tmp_path).read_text()) == document
