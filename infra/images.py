"""The images of the application: built here, or brought along.

Invariant: what runs is named by digest, a preview builds and pushes nothing, nothing is pushed unless a repository was named, and a tag that is
pushed comes from the content alone: another run, or another checkout of the same files, pushes nothing. Source: pulumi-docker-build 0.0.22,
resource `Image` (`ref` is the pushed name with its digest; a change of any input but a password builds again).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pulumi
import pulumi_docker_build as docker_build

from infra.build_context import content_tag

DOCKERFILE = Path("app/Dockerfile")
LOCAL_REPOSITORY = "localhost"
"""Repository of images that are loaded and never pushed."""

BuildPlatform = Literal["linux/amd64", "linux/arm64"]

Role = Literal["web", "worker"]
ROLES: tuple[Role, ...] = ("web", "worker")


@dataclass(frozen=True, kw_only=True)
class PrebuiltImages:
    """Images that exist already, best by digest."""

    web: str
    worker: str


@dataclass(frozen=True, kw_only=True)
class RegistryCredentials:
    """What the builder shows to a registry; without them it is the machine's own `docker login`."""

    address: pulumi.Input[str]
    """Host name, as images have it in front."""
    username: pulumi.Input[str]
    password: pulumi.Input[str] = field(repr=False)
    """A secret output. A new one alone builds nothing."""


@dataclass(frozen=True, kw_only=True)
class ImagesArgs:
    """Where the images come from."""

    fleet: str
    environment: str
    root: str
    """Folder of the project: the build context."""

    base_image: str
    """Image with Python that the application is put on."""

    repositories: Mapping[Role, pulumi.Input[str]] | None = None
    """Role -> name that its image is pushed to and pulled from, without a tag; None keeps images where they were built."""

    credentials: RegistryCredentials | None = None
    """For the repositories."""

    platforms: tuple[BuildPlatform, ...] = ()
    """What the nodes are (`linux/arm64` for Graviton); none means what the builder is."""

    cache: pulumi.Input[str] | None = None
    """Repository of a build cache, without a tag: for machines that begin with none. Its tags have to be mutable."""

    prebuilt: PrebuiltImages | None = None
    """Given, nothing is built."""


def cache_in(registry: str, fleet: str) -> str:
    """The repository of the build cache in a registry of one's own."""
    return f"{registry}/{fleet}/cache"


def repositories_in(registry: str, fleet: str) -> dict[Role, str]:
    """The repositories of a fleet in a registry of one's own: `registry.example/team` -> `registry.example/team/celery-fleet/web`."""
    return {role: f"{registry}/{fleet}/{role}" for role in ROLES}


class Images(pulumi.ComponentResource):
    """The image of the web layer and the image of the workers."""

    web: pulumi.Output[str]
    worker: pulumi.Output[str]

    def __init__(self, name: str, args: ImagesArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:images:Images", name, None, opts)
        if args.prebuilt is not None:
            self.web = pulumi.Output.from_input(args.prebuilt.web)
            self.worker = pulumi.Output.from_input(args.prebuilt.worker)
        else:
            self.web = self._build(name, "web", args)
            self.worker = self._build(name, "worker", args)
        self.register_outputs({"web": self.web, "worker": self.worker})

    def _build(self, name: str, role: Role, args: ImagesArgs) -> pulumi.Output[str]:
        login, dockerfile = args.credentials, Path(args.root) / DOCKERFILE
        image = docker_build.Image(
            f"{name}-{role}",
            context=docker_build.BuildContextArgs(location=_from_here(args.root)),
            dockerfile=docker_build.DockerfileArgs(location=_from_here(dockerfile)),
            target=role,
            build_args={"BASE_IMAGE": args.base_image},
            platforms=[docker_build.Platform(platform) for platform in args.platforms] or None,
            tags=[_tag(role, args)],
            push=args.repositories is not None,
            load=args.repositories is None,
            registries=None
            if login is None
            else [{"address": login.address, "username": login.username, "password": login.password}],
            cache_from=None if args.cache is None else [{"registry": {"ref": _cache_tag(args.cache, role)}}],
            cache_to=None if args.cache is None else [_cache_export(args.cache, role)],
            build_on_preview=False,
            # What was pushed may run elsewhere by its digest, and is what a rollback goes to; its repository decides how long it stays.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=args.repositories is not None),
        )
        # Without a digest the plugin names the tag, as in the preview of a build: not known yet is what that is.
        return pulumi.Output.all(image.ref, image.digest).apply(lambda known: str(known[0]))


def _from_here(path: Path | str) -> str:
    """The path from the program's folder, in which the engine starts the build plugin too.

    A whole path would be another input on every machine, and so another build, under a tag that is taken.
    Source: pulumi v3.259 `pkg/engine/project.go` (GetPwdMain: program and plugins alike are started in the folder of `main`).
    """
    return os.path.relpath(path)


def _tag(role: Role, args: ImagesArgs) -> pulumi.Output[str]:
    if args.repositories is None:
        # Nothing is refused where images are only loaded, and old ones would stay behind under tags of their own.
        return pulumi.Output.from_input(f"{LOCAL_REPOSITORY}/{args.fleet}/{role}:{args.environment}")
    root = Path(args.root)
    # All that the plugin would build again for; a push under a tag that is taken would be refused.
    tag = content_tag(root, root / DOCKERFILE, [role, args.base_image, *args.platforms, "cached" if args.cache else ""])
    return pulumi.Output.concat(args.repositories[role], ":", tag)


def _cache_tag(cache: pulumi.Input[str], role: Role) -> pulumi.Output[str]:
    return pulumi.Output.concat(cache, f":{role}")


def _cache_export(cache: pulumi.Input[str], role: Role) -> docker_build.CacheToArgs:
    """Every layer of every stage; ECR takes a cache as an OCI image manifest only, and one that cannot be written fails no build."""
    return docker_build.CacheToArgs(
        registry=docker_build.CacheToRegistryArgs(
            ref=_cache_tag(cache, role),
            mode=docker_build.CacheMode.MAX,
            image_manifest=True,
            oci_media_types=True,
            ignore_error=True,
        )
    )
