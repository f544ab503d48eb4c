"""The image provider's side of Pulumi's protocol.

The invariant: a preview never puts an image anywhere, an unchanged context never builds, and `ref` names the image by
its digest as soon as it is exported.

Source: pulumi-docker-build v0.0.22 `provider/internal/image.go` (Create, Update, Read, Delete, Diff).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from sandbox.standins.docker_build.buildah import Buildah
from sandbox.standins.docker_build.containerd import Containerd
from sandbox.standins.docker_build.image_args import (
    ImageArgs,
    changed_inputs,
    digested,
    imagined_digest,
    is_imagined,
    read_image_args,
)
from sandbox.standins.plugin_server import Call, Log, Message, PluginError
from sandbox.standins.property_values import (
    Properties,
    has_unknown,
    marshal,
    unmarshal,
    with_secrets_of,
    without_secrets,
)
from sandbox.standins.resource_plugin import common_calls

IMAGE: Final = "docker-build:index:Image"


@dataclass(slots=True)
class DockerBuildProvider:
    """One provider instance, as the engine starts it."""

    log: Log
    buildah: Buildah
    containerd: Containerd | None
    """Where exported images go; without it they are pushed to their registry."""

    def calls(self) -> dict[str, Call]:
        """What answers each RPC of the engine."""
        return {
            **common_calls("pulumi-docker-build"),
            "CheckConfig": self.check_config,
            "DiffConfig": self.diff_config,
            "Configure": self.configure,
            "Check": self.check,
            "Diff": self.diff,
            "Create": self.create,
            "Read": self.read,
            "Update": self.update,
            "Delete": self.delete,
        }

    async def check_config(self, request: Message) -> Message:
        """The provider's inputs as they are."""
        return provider_pb2.CheckResponse(inputs=request.news)

    async def diff_config(self, request: Message) -> Message:
        """A change of the provider's inputs replaces nothing."""
        same = unmarshal(request.olds) == unmarshal(request.news)
        changes = provider_pb2.DiffResponse.DIFF_NONE if same else provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=changes)

    async def configure(self, _request: Message) -> Message:
        """Say what is supported."""
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    async def check(self, request: Message) -> Message:
        """The inputs as they are, with everything that is wrong with them."""
        token = request.urn.split("::")[2].rsplit("$", 1)[-1]
        if token != IMAGE:
            raise PluginError(f"{token} is not supported by the sandbox's stand-in for the docker-build plugin")
        args = read_image_args(without_secrets(unmarshal(request.news)))
        failures = [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in args.failures]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    async def diff(self, request: Message) -> Message:
        """Which inputs, or files of the context, changed since the last build."""
        changed = changed_inputs(
            without_secrets(unmarshal(request.olds)), read_image_args(without_secrets(unmarshal(request.news)))
        )
        ignored = set(request.ignoreChanges)
        update = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE)
        found = {name: update for name in changed if name not in ignored}
        changes = provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changes, detailedDiff=found, hasDetailedDiff=True)

    async def create(self, request: Message) -> Message:
        """Build the image and export it."""
        name, given = request.urn.split("::")[3], unmarshal(request.properties)
        state = await self._built(request.urn, given, preview=request.preview)
        resource_id = "" if request.preview else str(without_secrets(state).get("digest") or name)
        return provider_pb2.CreateResponse(id=resource_id, properties=marshal(state))

    async def update(self, request: Message) -> Message:
        """Build the image again and export it."""
        return provider_pb2.UpdateResponse(
            properties=marshal(await self._built(request.urn, unmarshal(request.news), preview=request.preview))
        )

    async def read(self, request: Message) -> Message:
        """The image as it was built; nothing when it was exported and is not where it was put."""
        state = without_secrets(unmarshal(request.properties))
        args, digest = ImageArgs(state), str(state.get("digest") or "")
        if self.containerd is not None and digest and args.is_exported and args.tags:
            found = [await self.containerd.has(tag, digest) for tag in args.tags]
            if not any(found):
                return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    async def delete(self, request: Message) -> Message:
        """Forget the image where it was put."""
        state = without_secrets(unmarshal(request.properties))
        if self.containerd is not None and state.get("digest"):
            await self.containerd.remove(ImageArgs(state).tags, str(state["digest"]))
        return empty_pb2.Empty()

    async def _built(self, urn: str, given: Properties, *, preview: bool) -> Properties:
        """The state after the build: the inputs, the context's hash, the digest and the reference to use."""
        args = read_image_args(without_secrets(given))
        state: Properties = {"push": False, **without_secrets(given)}
        if args.tags:
            state["ref"] = args.tags[0]
        if has_unknown(args.raw.get("context")) or has_unknown(args.raw.get("dockerfile")):
            return with_secrets_of(state, given)
        state["contextHash"] = args.hash()
        if preview and not (args.builds_on_preview and args.is_known):
            return with_secrets_of(state, given)
        if not (args.is_exported or "exports" in args.raw or preview):
            await self.log.warn(
                urn,
                "No exports were specified so the build will only remain in the local build cache. Use `push` to upload "
                "the image to a registry, or silence this warning with a `cacheonly` export.",
            )
        if is_imagined(args.tags):
            state["digest"] = imagined_digest(args)
            state["ref"] = next((digested(tag, state["digest"]) for tag in args.tags), state["digest"])
            await self.log.warn(urn, "stand-in: images are imagined; nothing was built and nothing pushed")
            return with_secrets_of(state, given)
        image = await self.buildah.build(args, lambda line: self.log.status(urn, line))
        if args.is_exported:
            state["digest"] = image.digest
            state["ref"] = next(
                (ref for tag in args.tags if (ref := digested(tag, image.digest))), state.get("ref", image.digest)
            )
            if not preview:
                await self._export(urn, args, image.archive, image.digest)
        await self.log.status(urn, "")
        return with_secrets_of(state, given)

    async def _export(self, urn: str, args: ImageArgs, archive: Path, digest: str) -> None:
        if self.containerd is not None:
            await self.log.status(urn, "loading the image into the sandbox")
            await self.containerd.load(archive, args.tags, digest)
            return
        for tag in args.tags:
            await self.log.status(urn, f"pushing {tag}")
            await self.buildah.push(archive, tag, args.raw.get("registries") or [])
