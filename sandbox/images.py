"""The container images of the sandbox: what is in each, under which public name it is loaded, how it is made.

Invariant: an image is loaded under the very name the Pulumi program and upstream's manifests use, so neither knows
that no registry was asked; Python's without its digest, which only what is published has. The key of an archive is a
hash of its recipe; an archive in the cache is whole.
Facts: names from Docker Hub and from upstream's release manifests; packages from Debian sid and trixie.
"""

import hashlib
import json
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox import programs, rootfs
from sandbox.archive import ImageConfig, new_layer, write_archive
from sandbox.errors import BuildError
from sandbox.programs import Family
from sandbox.progress import Progress

NOBODY = "65532:65532"
"""The user of a static image: upstream's own (distroless `nonroot`)."""
RECIPE_EDITION = "1"
"""Raised when the way archives are written changes."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image and where its files come from: a Debian root file system, or static Go binaries."""

    name: str
    """File name in the cache."""
    reference: str
    """Public name it is loaded under."""
    config: ImageConfig
    debian: rootfs.DebianRootfs | None = None
    family: Family | None = None

    @property
    def key(self) -> str:
        """Twelve hex digits over everything that decides the image."""
        source = self.family.key if self.family else repr(self.debian)
        recipe = json.dumps([RECIPE_EDITION, self.reference, repr(self.config), source, platform.machine()])
        return hashlib.sha256(recipe.encode()).hexdigest()[:12]

    def archive(self, cache: Path) -> Path:
        """The finished docker-archive in the cache."""
        return cache / "images" / f"{self.name}-{self.key}.tar"

    def contents(self, cache: Path) -> Path:
        """Says which version of its package a Debian image holds; the suite decides that, not the recipe."""
        return self.archive(cache).with_suffix(".contents")


_DEBIAN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PAUSE = Image(
    name="pause",
    reference="registry.k8s.io/pause:3.10",
    config=ImageConfig(entrypoint=("/pause",), user="65535:65535"),
    family=programs.PAUSE,
)
KEDA_OPERATOR = Image(
    name="keda",
    reference=f"ghcr.io/kedacore/keda:{programs.KEDA.version[1:]}",
    config=ImageConfig(user=NOBODY),
    family=programs.KEDA,
)
METRICS_SERVER = Image(
    name="metrics-server",
    reference=f"registry.k8s.io/metrics-server/metrics-server:{programs.METRICS_SERVER.version}",
    config=ImageConfig(entrypoint=("/metrics-server",), user=NOBODY),
    family=programs.METRICS_SERVER,
)
RABBITMQ = Image(
    name="rabbitmq",
    reference="docker.io/library/rabbitmq:4.3.6-management",
    config=ImageConfig(
        environment={
            # The plain scripts come before Debian's wrappers, which write to /var/log and want to change user.
            "PATH": f"/usr/lib/rabbitmq/bin:{_DEBIAN_PATH}",
            "HOME": "/var/lib/rabbitmq",
            "RABBITMQ_LOGS": "-",
            "LANG": "C.UTF-8",
        },
        command=("rabbitmq-server",),
        user="999:999",
    ),
    debian=rootfs.RABBITMQ,
)
VALKEY = Image(
    name="valkey",
    reference="docker.io/valkey/valkey:8.1",
    config=ImageConfig(
        environment={"PATH": _DEBIAN_PATH}, command=("valkey-server",), user="999:999", working_dir="/data"
    ),
    debian=rootfs.VALKEY,
)
PYTHON = Image(
    name="python",
    reference="docker.io/library/python:3.13-slim",
    config=ImageConfig(environment={"PATH": _DEBIAN_PATH, "LANG": "C.UTF-8"}, command=("python3",)),
    debian=rootfs.PYTHON,
)

PROMETHEUS = Image(
    name="prometheus",
    reference="quay.io/prometheus/prometheus:v2.53.3",
    config=ImageConfig(environment={"PATH": _DEBIAN_PATH}, command=("prometheus",), user="999:999"),
    debian=rootfs.PROMETHEUS,
)
"""Stands in for the monitoring that users have; made when it is asked for."""

IMAGES = (PAUSE, KEDA_OPERATOR, METRICS_SERVER, RABBITMQ, VALKEY, PYTHON)
ON_THE_NODE = tuple(image for image in IMAGES if image is not PYTHON)
"""What pods run as it is; the Python base is only built upon."""


def announcements(cache: Path) -> list[str]:
    """One line for each image that stands in for a published one."""
    lines = []
    for image in IMAGES:
        if image.debian:
            kept = image.contents(cache)
            made_of = kept.read_text().strip() if kept.exists() else "packages"
            lines.append(f"stand-in: image {image.reference} is made of Debian {image.debian.suite}, {made_of}")
    return lines


def architecture() -> str:
    """The machine's architecture in the words of image configurations."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def make_image(image: Image, cache: Path, progress: Progress) -> None:
    """Make the archive unless the cache has it.

    Raises: BuildError with the packager's words.
    """
    target = image.archive(cache)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    (cache / "logs").mkdir(exist_ok=True)
    work = cache / "unfinished" / f"image-{image.name}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    layer = work / "layer.tar"
    try:
        with progress.step(f"image {image.reference}"):
            make_layer: Callable[[Image, Path, Path], None] = _debian_layer if image.debian else _program_layer
            make_layer(image, layer, cache)
            write_archive(
                target, reference=image.reference, layers=[layer], config=image.config, architecture=architecture()
            )
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _debian_layer(image: Image, layer: Path, cache: Path) -> None:
    assert image.debian is not None  # noqa: S101 - chosen by the caller
    log = cache / "logs" / f"image-{image.name}.log"
    with log.open("w") as said:
        done = subprocess.run(
            image.debian.command(layer), stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False
        )
    if done.returncode != 0:
        lines = [line for line in log.read_text().splitlines() if line.startswith(("E:", "W:"))]
        raise BuildError(f"image {image.reference}", "; ".join(lines[-3:]) or "mmdebstrap failed", log)
    _check_promised_version(image, log, cache)


def _check_promised_version(image: Image, log: Path, cache: Path) -> None:
    """Debian sid moves on: another patch version is accepted and said, another minor version is refused."""
    assert image.debian is not None  # noqa: S101 - chosen by the caller
    package, wanted = image.debian.promises
    found = re.search(rf"^promised {re.escape(package)} (\S+)", log.read_text(), re.MULTILINE)
    version = found.group(1) if found else "nothing"
    if not version.startswith(wanted):
        raise BuildError(
            f"image {image.reference}",
            f"Debian {image.debian.suite} has {package} {version}, and the fleet is made for {wanted}x",
            log,
        )
    image.contents(cache).write_text(f"{package} {version}\n")


def _program_layer(image: Image, layer: Path, cache: Path) -> None:
    assert image.family is not None  # noqa: S101 - chosen by the caller
    with new_layer(layer) as files:
        files.folder("etc")
        files.text("etc/passwd", "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")
        files.folder("tmp", mode=0o1777)
        for name in sorted(image.family.binaries):
            files.program(name, image.family.kept_in(cache) / name)
