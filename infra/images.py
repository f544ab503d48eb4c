"""The images of the application: built here, or brought along.

Invariant: what runs is named by digest, a preview builds and pushes nothing, and nothing is pushed unless a registry was named. Source:
pulumi-docker-build 0.0.22, resource `Image` (`ref` is the pushed name with its digest).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pulumi
import pulumi_docker_build as docker_build

DOCKERFILE = Path("app/Dockerfile")
LOCAL_REPOSITORY = "localhost"
"""Repository of images that are loaded and never pushed."""

Role = Literal["web", "worker"]
ROLES: tuple[Role, ...] = ("web", "worker")


@dataclass(frozen=True, kw_only=True)
class PrebuiltImages:
    """Images that exist already, best by digest."""

    web: str
    worker: str


@dataclass(frozen=True, kw_only=True)
class ImagesArgs:
    """Where the images come from."""

    fleet: str
    environment: str
    root: str
    """Folder of the project: the build context."""

    base_image: str
    """Image with Python that the application is put on."""

    registry: str | None = None
    """`registry.example/team`: images are pushed there; None keeps them where they were built."""

    prebuilt: PrebuiltImages | None = None
    """Given, nothing is built."""


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
        repository = args.registry or LOCAL_REPOSITORY
        image = docker_build.Image(
            f"{name}-{role}",
            context=docker_build.BuildContextArgs(location=args.root),
            dockerfile=docker_build.DockerfileArgs(location=str(Path(args.root) / DOCKERFILE)),
            target=role,
            build_args={"BASE_IMAGE": args.base_image},
            tags=[f"{repository}/{args.fleet}/{role}:{args.environment}"],
            push=args.registry is not None,
            load=args.registry is None,
            build_on_preview=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return image.ref
