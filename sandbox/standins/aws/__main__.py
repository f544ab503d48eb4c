"""The executable `pulumi-resource-aws` of the sandbox."""

from __future__ import annotations

import asyncio
import sys

from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.standins.aws.provider import AwsProvider
from sandbox.standins.plugin_server import EngineLog, engine_address, serve_plugin, servicer


def main() -> None:
    """Serve one provider to the engine whose address is the first argument."""
    provider = AwsProvider(EngineLog(engine_address(sys.argv[1:])))
    implementation = servicer(provider_pb2_grpc.ResourceProviderServicer, provider.calls())
    asyncio.run(
        serve_plugin(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(implementation, server))
    )


if __name__ == "__main__":
    main()
