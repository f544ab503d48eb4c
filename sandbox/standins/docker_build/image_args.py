"""The inputs of an image resource: what is understood, what is refused, what counts as a change.

The invariant: an input that this stand-in cannot honour is refused by name; none is dropped in silence. Where nothing is
built at all, because the registry is imagined, no input is beyond it.

Source: pulumi-docker-build v0.0.22 `provider/internal/image.go` (ImageArgs, validate, Diff, addDigest), `dockerfile.go`,
`context.go` and `export.go`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.standins import variables
from sandbox.standins.docker_build.build_context import context_hash
from sandbox.standins.property_values import Properties, has_unknown

COMPARED: Final = (
    "addHosts",
    "buildArgs",
    "buildOnPreview",
    "builder",
    "cacheFrom",
    "cacheTo",
    "exports",
    "labels",
    "load",
    "network",
    "noCache",
    "platforms",
    "pull",
    "push",
    "ssh",
    "tags",
    "target",
)
"""Inputs whose change is an update by itself; context, Dockerfile, secrets and registries have rules of their own."""

_NAME: Final = re.compile(
    r"(?P<name>(?P<host>localhost|[\w-]+(?:\.[\w-]+)+(?::\d+)?|[\w-]+:\d+)(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?\Z"
)
_ECR_HOST: Final = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/")
_TAG: Final = re.compile(r"[a-z0-9]+[\w./:-]*\Z", re.IGNORECASE)

MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class ImageArgs:
    """An image resource's inputs, read once."""

    raw: Properties
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Property and reason of everything that is wrong."""

    @property
    def context(self) -> Path:
        """The folder whose files the build can see."""
        return Path(self._section("context").get("location") or ".")

    @property
    def named_contexts(self) -> dict[str, str]:
        """Further folders, by the name under which the Dockerfile knows them."""
        named = self._section("context").get("named") or {}
        return {name: str((context or {}).get("location", "")) for name, context in named.items()}

    @property
    def dockerfile(self) -> Path | None:
        """The Dockerfile; nothing when its text is given inline."""
        section = self._section("dockerfile")
        if section.get("inline"):
            return None
        return Path(section["location"]) if section.get("location") else self.context / "Dockerfile"

    @property
    def inline(self) -> str:
        """The Dockerfile's text when it is given instead of a file."""
        return str(self._section("dockerfile").get("inline") or "")

    @property
    def tags(self) -> list[str]:
        """The image's names."""
        return [tag for tag in self.raw.get("tags") or [] if isinstance(tag, str)]

    @property
    def is_exported(self) -> bool:
        """Whether the image is to leave the build cache."""
        exports = [export for export in self.raw.get("exports") or [] if not export.get("disabled")]
        return bool(self.raw.get("push") or self.raw.get("load")) or any(
            "cacheonly" not in export for export in exports
        )

    @property
    def builds_on_preview(self) -> bool:
        """Whether a preview builds, too; it does unless told otherwise."""
        return self.raw.get("buildOnPreview") is not False

    @property
    def is_known(self) -> bool:
        """Whether everything the build needs is known."""
        return not has_unknown(self.raw)

    def hash(self) -> str:
        """The hash of everything the build can see."""
        return context_hash(self.context, self.dockerfile, self.named_contexts)

    def _section(self, name: str) -> Properties:
        found = self.raw.get(name)
        return found if isinstance(found, dict) else {}


def read_image_args(raw: Properties) -> ImageArgs:
    """The inputs with everything that is wrong with them; what is not known yet is taken to be right."""
    args = ImageArgs(raw)
    wrong = args.failures.append
    if has_unknown(raw.get("context")) or has_unknown(raw.get("dockerfile")):
        return args
    if not args.context.is_dir():
        wrong(("context.location", f'"{args.context}": not a valid directory; a URL needs the real plugin'))
    section = raw.get("dockerfile") or {}
    if section.get("location") and section.get("inline"):
        wrong(("dockerfile", 'only specify "location" or "inline", not both'))
    elif args.dockerfile is not None and not args.dockerfile.is_file():
        wrong(("dockerfile.location", f"open {args.dockerfile}: no such file"))
    if is_for_ecr(args.tags) or is_imagined(args.tags):
        return args  # Nothing is built, or for the sandbox's node: neither a platform nor a cache in ECR matters.
    machine = MACHINES.get(platform.machine(), platform.machine())
    for index, wanted in enumerate(raw.get("platforms") or []):
        if isinstance(wanted, str) and wanted.split("/")[:2] != ["linux", machine]:
            wrong(
                (f"platforms[{index}]", f"{wanted} cannot be built here: the sandbox builds for linux/{machine} alone")
            )
    for index, tag in enumerate(args.tags):
        if not _TAG.match(tag):
            wrong((f"tags[{index}]", f"{tag!r}: invalid reference format"))
    for name in ("cacheFrom", "cacheTo"):
        if raw.get(name):
            wrong((name, "the sandbox's builder keeps its own layers and speaks to no cache; leave it out here"))
    if raw.get("ssh"):
        wrong(("ssh", "forwarding an SSH agent needs the real plugin"))
    return args


def is_for_ecr(tags: list[str]) -> bool:
    """Whether the image is for a registry of ECR that is stood in for; it is taken to be as long as its names are unknown."""
    stood_in = variables.is_imagined(os.environ) or bool(os.environ.get(variables.EKS_KUBECONFIG))
    return stood_in and all(_ECR_HOST.match(tag) for tag in tags)


def is_imagined(tags: list[str]) -> bool:
    """Whether nothing is behind the image's registry, not even the sandbox: nothing is built, and nothing pushed."""
    if os.environ.get(variables.IMAGINED_IMAGES) == "true":
        return True
    return variables.is_imagined(os.environ) and is_for_ecr(tags)


def imagined_digest(args: ImageArgs) -> str:
    """A digest that changes with everything an image is made of."""
    made_of = [args.hash(), args.raw.get("target"), args.raw.get("buildArgs"), args.raw.get("platforms")]
    return "sha256:" + hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def digested(tag: str, digest: str) -> str:
    """`name:tag@digest` for a name with its registry's host, `latest` when it has no tag; else nothing."""
    found = _NAME.match(tag)
    return f"{found['name']}:{found['tag'] or 'latest'}@{digest}" if found else ""


def repository_of(tag: str) -> str:
    """The name without its tag."""
    found = _NAME.match(tag)
    return found["name"] if found else tag.rsplit(":", 1)[0]


def changed_inputs(old_state: Properties, new: ImageArgs) -> list[str]:
    """The properties that make a new build necessary."""
    old = ImageArgs(old_state)
    changed = [name for name in COMPARED if (old_state.get(name) or None) != (new.raw.get(name) or None)]
    if old.context != new.context:
        changed.append("context.location")
    if old.named_contexts != new.named_contexts:
        changed.append("context.named")
    if (old.dockerfile, old.inline) != (new.dockerfile, new.inline):
        changed.append("dockerfile")
    ignored = new.raw.get("ignoreSecretsInDiffCalculation") or []
    old_secrets, new_secrets = dict(old_state.get("secrets") or {}), dict(new.raw.get("secrets") or {})
    for name in ignored:
        if name in old_secrets and name in new_secrets:
            del old_secrets[name], new_secrets[name]
    if old_secrets != new_secrets:
        changed.append("secrets")
    if _registries(old_state) != _registries(new.raw):
        changed.append("registries")
    # A pull keeps the base image up to date, which only a build can find out.
    always = bool(new.raw.get("pull")) and new.is_exported
    if always or not new.is_known or old_state.get("contextHash") != new.hash():
        changed.append("contextHash")
    return changed


def _registries(raw: Properties) -> list[tuple[object, object]]:
    """Addresses and users; a renewed password is no change of the image."""
    return [(entry.get("address"), entry.get("username")) for entry in raw.get("registries") or []]
