"""What goes wrong in a plugin reaches the engine as the engine understands it.

Source of the behaviour: pulumi v3.259 `sdk/go/common/util/rpcutil/rpcerror` and `proto/pulumi/provider.proto`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.standins.plugin_server import InitFailedError, PluginError, engine_address, servicer
from sandbox.standins.property_values import marshal, unmarshal


def ask(rpc: str, request: Any, **calls: Any) -> Any:
    """The answer of a served plugin to one request, over a real connection."""

    async def run() -> Any:
        server = grpc.aio.server()
        implementation = servicer(provider_pb2_grpc.ResourceProviderServicer, calls)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(implementation, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
                return await getattr(stub, rpc)(request)
        finally:
            await server.stop(None)

    return asyncio.run(run())


def test_a_call_is_answered() -> None:
    """The plain case."""

    async def plugin_info(_request: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.2.3")

    assert ask("GetPluginInfo", empty_pb2.Empty(), GetPluginInfo=plugin_info).version == "1.2.3"


def test_an_error_is_its_message_alone() -> None:
    """No traceback of a plugin is ever shown to a user."""

    async def check(_request: Any) -> Any:
        raise PluginError("kubeconfig has no context 'prod'")

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        ask("Check", provider_pb2.CheckRequest(), Check=check)
    assert failed.value.details() == "kubeconfig has no context 'prod'"


def test_a_half_created_resource_travels_with_its_error() -> None:
    """The engine keeps it in its state, so that the next run continues."""

    async def create(_request: Any) -> Any:
        raise InitFailedError(
            "not ready", resource_id="fleet/web", state=marshal({"kind": "Deployment"}), reasons=["no pods"]
        )

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        ask("Create", provider_pb2.CreateRequest(), Create=create)
    metadata = dict(failed.value.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons)) == ("fleet/web", ["no pods"])
    assert unmarshal(detail.properties) == {"kind": "Deployment"}


def test_a_call_that_is_not_there_is_unimplemented() -> None:
    """The engine falls back to what every provider has."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        ask("Parameterize", provider_pb2.ParameterizeRequest())
    assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_engines_address_is_the_first_argument_that_is_no_flag() -> None:
    """Flags may stand before it."""
    assert engine_address(["--logtostderr", "127.0.0.1:7"]) == "127.0.0.1:7"
    assert engine_address([]) == ""
