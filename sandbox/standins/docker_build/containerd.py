"""Putting images into the sandbox's container runtime, so that pods start them without a registry.

The invariant: an image is known under `name:tag` and under `name@digest`, because a pod that names both is looked up
by the digest alone.

Source: containerd 1.6 `cmd/ctr/commands/images/import.go` (base-name, digests); the look-up from
`pkg/cri/store/image` with distribution's `ParseDockerRef`, which drops the tag where there is a digest.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.standins.docker_build.image_args import repository_of
from sandbox.standins.plugin_server import PluginError

KUBERNETES_NAMESPACE: Final = "k8s.io"


@dataclass(frozen=True, slots=True)
class Containerd:
    """One container runtime, by its socket."""

    socket: Path

    async def load(self, archive: Path, tags: list[str], digest: str) -> None:
        """Import an OCI archive under every tag's name, each with its digest.

        Raises: PluginError with what the runtime answered.
        """
        if not tags:
            raise PluginError("an image needs at least one tag to be loaded into the sandbox")
        first = repository_of(tags[0])
        await self._run("import", "--base-name", first, "--digests", str(archive))
        source = f"{first}@{digest}"
        for name in {name for tag in tags for name in (tag, f"{repository_of(tag)}@{digest}")} - {source}:
            await self._run("tag", "--force", source, name)

    async def has(self, tag: str, digest: str) -> bool:
        """Whether the image is there under its digest."""
        name = f"{repository_of(tag)}@{digest}"
        return name in (await self._run("list", "--quiet", f"name=={name}")).split()

    async def remove(self, tags: list[str], digest: str) -> None:
        """Forget the image under these names; names that are not there are no failure."""
        names = sorted({name for tag in tags for name in (tag, f"{repository_of(tag)}@{digest}")})
        if names:
            await self._run("remove", *names)

    async def _run(self, command: str, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "ctr",
            "--address",
            str(self.socket),
            "--namespace",
            KUBERNETES_NAMESPACE,
            "images",
            command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        said = output.decode(errors="replace").strip()
        if process.returncode:
            raise PluginError(f"ctr images {command} failed with exit code {process.returncode}:\n{said}")
        return said
