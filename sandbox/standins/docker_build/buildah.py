"""Building images with buildah, in storage of its own.

The invariant: nothing lands outside the cache folder, layers are kept between builds, and what a build needs of this
machine (its certificates, its package index) is lent to it without becoming part of the image.

Source: buildah 1.28 manual pages `buildah-build(1)` and `buildah-push(1)`; pip docs "Configuration" and uv docs
"Configuration files" for the files that are mounted; `--timestamp` is not used, because it invalidates every compiled
Python file of the image.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.standins.docker_build.image_args import ImageArgs
from sandbox.standins.plugin_server import PluginError

CERTIFICATES: Final = Path("/etc/ssl/certs")
UV_SETTINGS: Final = "native-tls = true\n"
"""uv brings its own certificates unless it is told to use the system's."""

LONGEST_LINE_BYTES: Final = 1024 * 1024

SHOWN_LINES: Final = 30
"""How much of a failed build's output is shown; the last lines hold the reason."""

PIP_SETTINGS: Final = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "PIP_TRUSTED_HOST")

Progress = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """A finished image."""

    digest: str
    archive: Path
    """An OCI archive of it."""


@dataclass(slots=True)
class Buildah:
    """One storage of images and layers."""

    folder: Path
    base_image: str = ""
    """Public name under which the base image of `base_archive` is known to Dockerfiles."""

    base_archive: Path | None = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def build(self, args: ImageArgs, progress: Progress) -> BuiltImage:
        """Build the image and export it; one build at a time, so that two images share the layers they have in common.

        Raises: PluginError with the end of the build's output.
        """
        async with self._one_at_a_time:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            await self._provide_base_image(progress)
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                identity = Path(scratch) / "image-id"
                options = ["--iidfile", str(identity), *self._options(args, Path(scratch))]
                await self._run("bud", *options, progress=progress)
                return await self._exported(identity.read_text().strip(), args, progress)

    async def _exported(self, identity: str, args: ImageArgs, progress: Progress) -> BuiltImage:
        exports = self.folder / "exports"
        exports.mkdir(exist_ok=True)
        archive, digest = exports / f"{identity.removeprefix('sha256:')}.tar", exports / f"{identity[-64:]}.digest"
        if not (archive.is_file() and digest.is_file()):
            await progress("exporting the image")
            name = args.tags[0] if args.tags else "localhost/image:latest"
            unfinished = archive.with_suffix(".new")
            unfinished.unlink(missing_ok=True)
            await self._run("push", "--digestfile", str(digest), identity, f"oci-archive:{unfinished}:{name}")
            unfinished.replace(archive)
        self._forget_other_exports(archive)
        return BuiltImage(digest.read_text().strip(), archive)

    def _forget_other_exports(self, archive: Path, kept: int = 6) -> None:
        """Keep the exports of the last builds; each is as large as its image."""
        os.utime(archive)
        for old in sorted(archive.parent.glob("*.tar"), key=lambda path: -path.stat().st_mtime)[kept:]:
            old.unlink(missing_ok=True)
            old.with_suffix(".digest").unlink(missing_ok=True)

    async def push(self, archive: Path, tag: str, registries: list[dict[str, str]]) -> None:
        """Push an exported image to the registry its name tells.

        Raises: PluginError with what the registry answered.
        """
        host = tag.split("/", 1)[0]
        account = next((entry for entry in registries if entry.get("address", "").endswith(host)), None)
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as accounts:
            # A file, not an argument: every process of the machine can read another's arguments.
            accounts.write(json.dumps(_docker_accounts(host, account)))
            accounts.flush()
            await self._run("push", "--authfile", accounts.name, f"oci-archive:{archive}", f"docker://{tag}")

    async def _provide_base_image(self, progress: Progress) -> None:
        """Load the base image's archive once, and again when it has changed."""
        if self.base_archive is None or not self.base_image:
            return
        note = self.folder / "base-image.json"
        facts = self.base_archive.stat()
        wanted = json.dumps([self.base_image, str(self.base_archive), facts.st_size, facts.st_mtime_ns])
        if note.is_file() and note.read_text() == wanted:
            return
        await progress(f"loading {self.base_image}")
        identity = (await self._run("pull", "--quiet", f"docker-archive:{self.base_archive}")).split()[-1]
        await self._run("tag", identity, self.base_image)
        note.write_text(wanted)

    def _options(self, args: ImageArgs, scratch: Path) -> list[str]:
        raw = args.raw
        dockerfile = args.dockerfile
        if dockerfile is None:
            dockerfile = scratch / "Dockerfile"
            dockerfile.write_text(args.inline)
        options = ["--isolation", "chroot", "--layers", "--force-rm", "--format", "oci", "--file", str(dockerfile)]
        options += ["--network", "none" if raw.get("network") == "none" else "host"]
        for mount in self._mounts(scratch):
            options += ["--volume", mount]
        for flag, values in (("--build-arg", raw.get("buildArgs")), ("--label", raw.get("labels"))):
            options += [text for key, value in (values or {}).items() for text in (flag, f"{key}={value}")]
        for host in raw.get("addHosts") or []:
            options += ["--add-host", str(host)]
        for name, location in args.named_contexts.items():
            options += ["--build-context", f"{name}={location}"]
        for name, value in (raw.get("secrets") or {}).items():
            secret = scratch / f"secret-{name}"
            secret.touch(mode=0o600)
            secret.write_text(str(value))
            options += ["--secret", f"id={name},src={secret}"]
        if raw.get("target"):
            options += ["--target", str(raw["target"])]
        if raw.get("noCache"):
            options.append("--no-cache")
        options.append("--pull-always" if raw.get("pull") and self.base_archive is None else "--pull")
        for tag in args.tags:
            options += ["--tag", tag]
        return [*options, str(args.context)]

    def _mounts(self, scratch: Path) -> list[str]:
        """What the build borrows: certificates, and where Python packages come from."""
        mounts = [f"{CERTIFICATES}:/etc/ssl/certs:ro"] if CERTIFICATES.is_dir() else []
        uv = scratch / "uv.toml"
        uv.write_text(UV_SETTINGS)
        mounts.append(f"{uv}:/etc/uv/uv.toml:ro")
        settings = [
            f"{name.removeprefix('PIP_').lower().replace('_', '-')} = {os.environ[name]}"
            for name in PIP_SETTINGS
            if os.environ.get(name)
        ]
        if settings:
            pip = scratch / "pip.conf"
            pip.write_text("\n".join(["[global]", *settings, ""]))
            mounts.append(f"{pip}:/etc/pip.conf:ro")
        return mounts

    def _confined(self) -> list[str]:
        """How buildah is started: its mounts end with it, and its notes under /var/lib stay in memory.

        containers/storage leaves a bind mount of its folder behind, and containers/image writes a cache of blobs to
        /var/lib/containers whatever the storage's root is.
        """
        start = ["unshare", "--mount", "--propagation", "private"]
        if self.folder.resolve().is_relative_to("/var/lib"):
            return start
        return [*start, "sh", "-c", 'mount -t tmpfs tmpfs /var/lib && exec "$@"', "sh"]

    async def _run(self, command: str, *arguments: str, progress: Progress | None = None) -> str:
        policy = self.folder / "policy.json"
        policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        places = [
            "--root",
            str(self.folder / "root"),
            "--runroot",
            str(self.folder / "run"),
            "--storage-driver",
            "overlay",
        ]
        trust = ["--signature-policy", str(policy)] if command in ("bud", "pull", "push") else []
        process = await asyncio.create_subprocess_exec(
            *self._confined(),
            "buildah",
            *places,
            command,
            *trust,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(self.folder)},
            limit=LONGEST_LINE_BYTES,
        )
        lines: list[str] = []
        try:
            while process.stdout is not None and (raw := await process.stdout.readline()):
                lines.append(raw.decode(errors="replace").rstrip())
                if progress is not None and "STEP " in lines[-1]:
                    await progress(lines[-1])
            code = await process.wait()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        if code:
            shown = "\n".join(lines[-SHOWN_LINES:])
            raise PluginError(f"buildah {command} failed with exit code {code}:\n{shown}")
        return "\n".join(lines)


def _docker_accounts(host: str, account: dict[str, str] | None) -> dict[str, object]:
    if account is None:
        return {"auths": {}}
    pair = f"{account.get('username', '')}:{account.get('password', '')}"
    return {"auths": {host: {"auth": base64.b64encode(pair.encode()).decode()}}}
