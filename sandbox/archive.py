"""Writing a docker-archive: the tar that `ctr images import` and `buildah` read, made from root file system layers.

Invariant: the same layers and configuration give the same bytes, so an image's identity depends on its content alone.
Source: the image tarball format of the Docker image specification v1.2 (manifest.json, one configuration, one tar a
layer); containerd and buildah both still read it.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

EPOCH = "1970-01-01T00:00:00Z"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """What a container of the image starts with."""

    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    """Numeric, so that Kubernetes can check `runAsNonRoot` without reading the image's passwd."""
    working_dir: str = "/"
    labels: dict[str, str] = field(default_factory=dict)


def image_configuration(config: ImageConfig, layer_digests: Sequence[str], architecture: str) -> dict[str, object]:
    """The configuration document of an image with these uncompressed layers."""
    container = {
        "Env": [f"{name}={value}" for name, value in config.environment.items()],
        "Entrypoint": list(config.entrypoint) or None,
        "Cmd": list(config.command) or None,
        "User": config.user,
        "WorkingDir": config.working_dir,
        "Labels": dict(config.labels),
    }
    return {
        "created": EPOCH,
        "architecture": architecture,
        "os": "linux",
        "config": {name: value for name, value in container.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in layer_digests]},
        "history": [{"created": EPOCH, "created_by": "celery-fleet sandbox"} for _ in layer_digests],
    }


def write_archive(
    target: Path, *, reference: str, layers: Sequence[Path], config: ImageConfig, architecture: str
) -> None:
    """Write the image `reference` to `target`, by one rename once it is whole."""
    digests = [file_digest(layer) for layer in layers]
    document = json.dumps(image_configuration(config, digests, architecture), sort_keys=True).encode()
    config_name = f"{hashlib.sha256(document).hexdigest()}.json"
    names = [f"{digest}/layer.tar" for digest in digests]
    manifest = [{"Config": config_name, "RepoTags": [reference], "Layers": names}]
    unfinished = target.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, layer in zip(names, layers, strict=True):
            _add(archive, name, layer)
        _add(archive, config_name, document)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    unfinished.rename(target)


def _add(archive: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        return
    entry.size = content.stat().st_size
    with content.open("rb") as stream:
        archive.addfile(entry, stream)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


class Layer:
    """A layer made of single files, for images that hold nothing but a static binary."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def folder(self, name: str, *, mode: int = 0o755) -> None:
        """A folder owned by root."""
        entry = tarfile.TarInfo(name)
        entry.type = tarfile.DIRTYPE
        entry.mode = mode
        self._archive.addfile(entry)

    def program(self, name: str, source: Path) -> None:
        """An executable owned by root."""
        entry = tarfile.TarInfo(name)
        entry.mode = 0o755
        entry.size = source.stat().st_size
        with source.open("rb") as stream:
            self._archive.addfile(entry, stream)

    def text(self, name: str, content: str) -> None:
        """A file everybody may read."""
        entry = tarfile.TarInfo(name)
        entry.mode = 0o644
        data = content.encode()
        entry.size = len(data)
        self._archive.addfile(entry, io.BytesIO(data))


@contextmanager
def new_layer(target: Path) -> Iterator[Layer]:
    """Write a layer to `target`; without times, so that the same files give the same digest."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        yield Layer(archive)
