"""What every resource plugin of the sandbox answers alike, and how each is served.

The invariant: a plugin says which package it stands in for, has nothing that code generation or a converter asks for, and
needs no second way to the engine, whose address came by the command line.

Source: pulumi v3.259 `proto/pulumi/provider.proto`.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Mapping

from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from sandbox.standins.plugin_server import Call, Message, serve_plugin, servicer


def common_calls(package: str) -> dict[str, Call]:
    """What answers the RPCs in which no two plugins differ; `Cancel` of a plugin that waits for nothing among them."""

    async def plugin_info(_request: Message) -> Message:
        return plugin_pb2.PluginInfo(version=importlib.metadata.version(package))

    async def schema(_request: Message) -> Message:
        return provider_pb2.GetSchemaResponse(schema="{}")

    async def mapping(_request: Message) -> Message:
        return provider_pb2.GetMappingResponse()

    async def mappings(_request: Message) -> Message:
        return provider_pb2.GetMappingsResponse()

    async def nothing(_request: Message) -> Message:
        return empty_pb2.Empty()

    return {
        "GetPluginInfo": plugin_info,
        "GetSchema": schema,
        "GetMapping": mapping,
        "GetMappings": mappings,
        "Attach": nothing,
        "Cancel": nothing,
    }


def serve_resources(calls: Mapping[str, Call]) -> None:
    """Serve one provider until the engine ends."""
    implementation = servicer(provider_pb2_grpc.ResourceProviderServicer, calls)
    asyncio.run(
        serve_plugin(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(implementation, server))
    )
