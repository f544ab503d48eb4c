"""The executable `pulumi-resource-docker-build` of the sandbox."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sandbox.standins.docker_build.buildah import Buildah
from sandbox.standins.docker_build.containerd import Containerd
from sandbox.standins.docker_build.provider import DockerBuildProvider
from sandbox.standins.plugin_server import EngineLog, engine_address
from sandbox.standins.resource_plugin import serve_resources


def cache_folder() -> Path:
    """Where builds keep their layers: under the project's cache folder."""
    stated = os.environ.get("FLEET_CACHE_DIR")
    if stated:
        return Path(stated) / "buildah"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "celery-fleet" / "buildah"


def main() -> None:
    """Serve one provider to the engine whose address is the first argument."""
    archive, socket = os.environ.get("FLEET_SANDBOX_BASE_ARCHIVE"), os.environ.get("FLEET_SANDBOX_CONTAINERD")
    provider = DockerBuildProvider(
        EngineLog(engine_address(sys.argv[1:])),
        Buildah(cache_folder(), os.environ.get("FLEET_BASE_IMAGE", ""), Path(archive) if archive else None),
        Containerd(Path(socket)) if socket else None,
    )
    serve_resources(provider.calls())


if __name__ == "__main__":
    main()
