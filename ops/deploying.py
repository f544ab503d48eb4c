"""Deploying a stack on EKS from a pipeline: `pulumi up` under the policy pack, with the images that were built once.

Invariant: the first environment builds, all others run the same bytes. An image is named by digest wherever it is handed on, and settings change in the
checkout of the job alone.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleet.errors import FleetError
from ops.drift import NO_STACK
from ops.github import write_outputs
from ops.processes import ProgramError, run, run_visibly
from ops.stack_files import eks_stack

ROLES = ("web", "worker")
POLICY_PACK = "policy"
OUTPUT = "images"
"""The stack's output that names its images."""

SHORT_SECONDS = 120.0
_DIGESTED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_TAG = re.compile(r":[\w.-]+$")
"""At the end alone: a port stands before a slash."""

Images = Mapping[str, str]
"""Role -> image, by digest."""


def deploy(stack: str, environ: Mapping[str, str], root: Path) -> int:
    """Preview, then update, both held against the policy pack; the images that the stack runs then are handed to later jobs.

    Returns: the engine's exit code. Raises: FleetError where the stack is none on EKS, or runs no images by digest.
    """
    name = eks_stack(root, stack).name
    words = ["up", "--yes", "--non-interactive", "--suppress-outputs", "--policy-pack", POLICY_PACK, "--stack", name]
    if code := run_visibly(["pulumi", *words], env=environ, cwd=str(root)):
        return code
    images = read_images(name, environ, root)
    if images is None:
        raise FleetError(f"STACK={name}", "is not there after its update", "See the log of the update.")
    write_outputs(image_outputs(images), environ)
    return 0


def read_images(stack: str, environ: Mapping[str, str], root: Path) -> Images | None:
    """The images that a stack runs; None where it was never deployed.

    Raises: FleetError where they are not named by digest.
    """
    command = ["pulumi", "stack", "output", OUTPUT, "--json", "--non-interactive", "--stack", stack]
    try:
        said = run(
            command, env=environ, cwd=str(root), fix="Deploy it once with this release.", timeout_seconds=SHORT_SECONDS
        )
    except ProgramError as error:
        if NO_STACK in error.said or "does not have output property" in error.said:
            return None
        raise
    return read_given(said, f"output {OUTPUT} of {stack}")


def read_given(text: str, where: str) -> Images:
    """Images from JSON.

    Raises: FleetError for anything but one image by digest for each role.
    """
    try:
        found: Any = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or set(found) != set(ROLES):
        raise FleetError(where, "names no images", 'Write {"web": "name@sha256:...", "worker": "name@sha256:..."}.')
    for role in ROLES:
        if not isinstance(found[role], str) or _DIGESTED.fullmatch(found[role]) is None:
            raise FleetError(
                where, f"names the image of {role} without a digest", "A tag can be moved: name it as name@sha256:...."
            )
    return {role: found[role] for role in ROLES}


def image_outputs(images: Images) -> dict[str, str]:
    """For later jobs: all of them as JSON, and name and digest of each."""
    outputs = {OUTPUT: json.dumps(dict(images))}
    for role, image in images.items():
        tagged, _, digest = image.partition("@")
        outputs |= {f"{role}_name": _TAG.sub("", tagged), f"{role}_digest": digest}
    return outputs


def promote(stack: str, given: str, environ: Mapping[str, str], root: Path) -> Images | None:
    """Have a stack run these images, or, where none are given, go on with those that it runs; None where it runs none yet.

    Raises: FleetError where an image is not named by digest.
    """
    name = eks_stack(root, stack).name
    images = read_given(given, "IMAGES") if given else read_images(name, environ, root)
    for role, image in (images or {}).items():
        run(
            ["pulumi", "config", "set", "--stack", name, "--path", f"celery-fleet:images.prebuilt.{role}", image, "--non-interactive"],
            env=environ, cwd=str(root), fix="Run it by hand.", timeout_seconds=SHORT_SECONDS,
        )  # fmt: skip
    return images
