"""What the images consist of, as a CycloneDX document: the Python packages that they are built from, and the image below them.

Invariant: it is made from what is pinned (requirements/app.txt with its hashes, the base image by digest), for the machine that the image is for, so the
same commit makes the same document. The packages of the base image's own system stand in the SBOM that its publisher attaches to it.
Source: CycloneDX 1.6 (a test holds the document against its schema); package-url specification, types `pypi` and `oci`; PEP 508, environment markers.
"""

import importlib.metadata
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fleet.errors import FleetError
from fleet.versions import PYTHON_IMAGE

FILE = Path("sbom.cdx.json")
PACKAGES = Path("requirements") / "app.txt"

_ENTRY = re.compile(r"\n(?=[A-Za-z0-9])")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_IMAGE = re.compile(r"(?P<name>[^:@]+):(?P<tag>[\w.-]+)@(?P<digest>sha256:[0-9a-f]{64})")


def write_sbom(root: Path) -> Path:
    """Write the document.

    Raises: FleetError where the base image has no digest.
    """
    file = root / FILE
    file.write_text(json.dumps(sbom(root), indent=2) + "\n")
    return file


def sbom(root: Path) -> dict[str, Any]:
    """The document."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": project["name"], "name": project["name"], "version": project["version"],
                "licenses": [{"expression": project["license"]}],
            }
        },
        "components": [base_component(PYTHON_IMAGE), *package_components((root / PACKAGES).read_text())],
    }  # fmt: skip


def base_component(image: str) -> dict[str, Any]:
    """The base image, by its digest."""
    found = _matched(image)
    short, digest = found["name"].rsplit("/", 1)[-1], quote(found["digest"], safe="")
    purl = f"pkg:oci/{short}@{digest}?repository_url={found['name']}&tag={found['tag']}"
    return {
        "type": "container", "bom-ref": purl, "name": found["name"], "version": f"{found['tag']}@{found['digest']}", "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": found["digest"].removeprefix("sha256:")}],
    }  # fmt: skip


def package_components(requirements: str) -> Iterator[dict[str, Any]]:
    """The pinned packages that are installed in the image, each with the hashes of the files that it may be installed from."""
    machine = _machine()
    for entry in _ENTRY.split(requirements.strip()):
        pin = Requirement(entry.split("\\")[0].split("#")[0].strip())
        if pin.marker is not None and not pin.marker.evaluate(machine):
            continue
        name, version = canonicalize_name(pin.name), str(pin.specifier).removeprefix("==")
        purl = f"pkg:pypi/{name}@{version}"
        files = [{"alg": "SHA-256", "content": content} for content in _HASH.findall(entry)]
        yield {
            "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, **_licences(pin.name),
            "externalReferences": [{"type": "distribution", "url": purl, "hashes": files}],
        }  # fmt: skip


def _machine() -> dict[str, str]:
    """What markers are asked about: Linux, and the Python of the base image."""
    version = _matched(PYTHON_IMAGE)["tag"].split("-")[0]
    return {
        "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "aarch64", "implementation_name": "cpython",
        "platform_python_implementation": "CPython", "python_version": version, "python_full_version": f"{version}.0",
    }  # fmt: skip


def _licences(package: str) -> dict[str, Any]:
    """What the package says of itself where it is installed here."""
    try:
        stated = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        return {}
    if "License-Expression" in stated:
        return {"licenses": [{"expression": stated["License-Expression"]}]}
    classifiers = [
        text.rsplit(" :: ", 1)[-1] for text in stated.get_all("Classifier") or [] if text.startswith("License ::")
    ]
    return {"licenses": [{"license": {"name": name}} for name in classifiers]} if classifiers else {}


def _matched(image: str) -> re.Match[str]:
    found = _IMAGE.fullmatch(image)
    if found is None:
        raise FleetError("fleet/versions.py", f"PYTHON_IMAGE is {image!r}", "Write name:tag@sha256:<digest>.")
    return found
