"""The executable `pulumi-resource-kubernetes` of the sandbox."""

from __future__ import annotations

import sys

from sandbox.standins.kubernetes.provider import KubernetesProvider
from sandbox.standins.plugin_server import EngineLog, engine_address
from sandbox.standins.resource_plugin import serve_resources


def main() -> None:
    """Serve one provider to the engine whose address is the first argument."""
    provider = KubernetesProvider(EngineLog(engine_address(sys.argv[1:])))
    serve_resources(provider.calls())


if __name__ == "__main__":
    main()
