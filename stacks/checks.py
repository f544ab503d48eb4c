"""What the keys of a stack may not say together, or without something beside them.

Invariant: every finding names its key and what to write instead, and none repeats a password. What one key may be stands in `stacks.spec`, what
is of AWS alone in `stacks.aws_checks`.
"""

import re
from collections.abc import Mapping

from fleet.errors import Finding
from fleet.web import TOKEN_FORM, TOKEN_PATTERN, split_tokens
from stacks.aws_settings import AwsSpec
from stacks.spec import PROJECT, RESULTS_PASSWORD, WEB_TOKENS, StackSpec

RESULTS_PASSWORD_VARIABLE = "FLEET_RESULTS_PASSWORD"  # noqa: S105 -- the name of a variable
RESULTS_PASSWORD_PATTERN = r"[A-Za-z0-9-]{16,128}"  # noqa: S105 -- the form of a password
"""What every store takes, in the cluster or managed, and what needs no quoting in a URL or in valkey.conf.

Source: ElastiCache user guide, "Authenticating with the Valkey and Redis OSS AUTH command" (16 to 128 characters, beside letters and digits only
! & # $ ^ < > -).
"""

DIGEST_PATTERN = r"[^\s@]+@sha256:[0-9a-f]{64}"
"""An image by its digest. Source: OCI image specification, "Digests"."""

LOCAL_IMAGES = "local"
"""FLEET_IMAGES: whoever builds also loads the images into the node."""

OF_EXISTING = ("kubeconfig", "context", "platform", "storageClass", "spotNodes")
"""Keys of a cluster of one's own; on EKS the stack decides what they say."""


def results_password(spec: StackSpec, variables: Mapping[str, str]) -> str | None:
    """The results password: the configuration's, else the environment's."""
    return spec.results_password or variables.get(RESULTS_PASSWORD_VARIABLE) or None


def check_images(spec: StackSpec, variables: Mapping[str, str], *, file: str) -> list[Finding]:
    """Images have to reach the cluster's nodes somehow; on EKS the stack has a registry of its own."""
    if (
        spec.target == "eks"
        or spec.images.registry
        or spec.images.prebuilt
        or variables.get("FLEET_IMAGES") == LOCAL_IMAGES
    ):
        return []
    fix = (
        "Nodes of a cluster of your own pull images from a registry, or hold them already. Either\n"
        "    docker login registry.example\n"
        "    pulumi config set --path celery-fleet:images.registry registry.example/team\n"
        "  or, with kind and images that you built,\n"
        "    kind load docker-image celery-fleet:1\n"
        "    pulumi config set --path celery-fleet:images.prebuilt.web celery-fleet:1\n"
        "    pulumi config set --path celery-fleet:images.prebuilt.worker celery-fleet:1"
    )
    return [key_finding(file, "images", "names neither registry nor prebuilt", fix)]


def check_prebuilt(spec: StackSpec, *, kept: bool, file: str) -> list[Finding]:
    """What an environment that is kept runs is named by digest: a tag may lead to another image tomorrow than the one that was tried."""
    if spec.images.prebuilt is None or not kept:
        return []
    fix = (
        "A pod that starts tomorrow has to run what was tried today. Write NAME@sha256:<64 hexadecimal digits>, as\n"
        "    docker buildx imagetools inspect NAME:TAG --format '{{.Manifest.Digest}}'\n"
        "  shows it."
    )
    named = {"web": spec.images.prebuilt.web, "worker": spec.images.prebuilt.worker}
    return [
        key_finding(file, f"images.prebuilt.{role}", f"is {image!r}, not an image by its digest", fix)
        for role, image in named.items()
        if re.fullmatch(DIGEST_PATTERN, image) is None
    ]


def check_password(spec: StackSpec, variables: Mapping[str, str], *, file: str) -> list[Finding]:
    """The results store has a password that every store takes, so that a fleet can move to a managed one."""
    password = results_password(spec, variables)
    set_it = f'Set one: pulumi config set --secret {PROJECT}:{RESULTS_PASSWORD} "$(openssl rand -hex 24)"'
    if password is None:
        return [key_finding(file, RESULTS_PASSWORD, "is missing", set_it)]
    if re.fullmatch(RESULTS_PASSWORD_PATTERN, password) is None:
        form = "It takes 16 to 128 letters, digits and hyphens: others are refused by ElastiCache, or quoted in a URL."
        return [key_finding(file, RESULTS_PASSWORD, "does not have the right form", f"{form}\n  {set_it}")]
    return []


def check_tokens(spec: StackSpec, *, file: str) -> list[Finding]:
    """Tokens that nobody guesses, each with its client; the web layer's pods would not start with others."""
    if spec.web_tokens is None:
        return []
    entries = split_tokens(spec.web_tokens)
    fix = f'Write {TOKEN_FORM}:\n  pulumi config set --secret {PROJECT}:{WEB_TOKENS} "shop:$(openssl rand -hex 24)"'
    if not entries:
        return [key_finding(file, WEB_TOKENS, "is empty", f"{fix}\n  or take the key away, so that anybody may ask.")]
    return [
        key_finding(
            file, WEB_TOKENS, f"has an entry that is no token of a client (the {number}. of {len(entries)})", fix
        )
        for number, entry in enumerate(entries, start=1)
        if TOKEN_PATTERN.fullmatch(entry) is None
    ]


def check_target(spec: StackSpec, *, file: str) -> list[Finding]:
    """Keys that the target does not read: whoever wrote one expects something of it."""
    if spec.target == "existing":
        if spec.aws == AwsSpec():
            return []
        fix = "It is read with `target: eks` alone: set celery-fleet:target, or take it away."
        return [key_finding(file, "aws", "is set, but target is existing", fix)]
    stated, without = spec.model_dump(by_alias=True), StackSpec().model_dump(by_alias=True)
    fix = "It is of a cluster of your own (`target: existing`); on EKS the stack decides it: take it away."
    return [
        key_finding(file, key, "is set, but target is eks", fix) for key in OF_EXISTING if stated[key] != without[key]
    ]


def key_finding(file: str, key: str, problem: str, fix: str) -> Finding:
    """A finding about a key of the stack; Pulumi hands values over without their lines."""
    return Finding(file=file, line=0, column=0, path=f"{PROJECT}:{key}", problem=problem, fix=fix)
