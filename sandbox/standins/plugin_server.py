"""What every Pulumi plugin of the sandbox shares: the gRPC server, the way back to the engine, and errors with a state.

A plugin is an executable that is started with the engine's address, listens on a loopback port, and prints that port as
its first line; it then lives as long as the engine does. The invariant: whatever goes wrong inside a plugin reaches
the user as a sentence in the engine's display, never as a traceback of the plugin.

Source: pulumi v3.259 `sdk/proto/pulumi/provider.proto` and `sdk/go/common/util/rpcutil/serve.go`; the packing of a
half-created resource follows `sdk/go/common/util/rpcutil/rpcerror`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import grpc
import grpc.aio
from google.protobuf import any_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, status_pb2

MAX_MESSAGE_BYTES = 400 * 1024 * 1024
"""The engine's own limit: a state with many large ConfigMaps passes through in one message."""

PARENT_CHECK_SECONDS = 2.0
"""How soon a plugin notices that the engine is gone; an orphan would hold its port and its connections."""

CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]

Message: TypeAlias = Any
"""A generated protobuf message."""

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

Servicer: TypeAlias = Any
"""An instance of a generated servicer class."""

Call: TypeAlias = Callable[[Message], Awaitable[Message]]
Stream: TypeAlias = Callable[[Message, Context], AsyncIterator[Message]]


class PluginError(Exception):
    """Something the user has to know; its text is shown as it stands."""


class InitFailedError(PluginError):
    """The resource exists but did not become ready; the engine keeps it in its state and continues it next time."""

    def __init__(
        self, message: str, *, resource_id: str, state: Message, reasons: list[str], inputs: Message = None
    ) -> None:
        super().__init__(message)
        self.resource_id = resource_id
        self.state = state
        self.reasons = reasons
        self.inputs = inputs

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """The `grpc-status-details-bin` entry in which the engine looks for `ErrorResourceInitFailed`."""
        detail = provider_pb2.ErrorResourceInitFailed(
            id=self.resource_id, properties=self.state, reasons=self.reasons, inputs=self.inputs
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(self), details=[packed])
        return (("grpc-status-details-bin", status.SerializeToString()),)


class Log(Protocol):
    """Where a resource's progress and warnings are shown."""

    async def status(self, urn: str, message: str) -> None:
        """Show `message` beside the resource until the next one replaces it."""

    async def warn(self, urn: str, message: str) -> None:
        """Keep `message` in the output of the run."""


@dataclass
class EngineLog:
    """Progress and warnings of a resource, shown by the engine in its own display."""

    address: str
    _last_status: dict[str, str] = field(default_factory=dict)
    _stub: Message = None

    async def status(self, urn: str, message: str) -> None:
        """Show `message` beside the resource until the next one replaces it; repeats are dropped."""
        if self._last_status.get(urn, "") != message:
            self._last_status[urn] = message
            await self._log(engine_pb2.INFO, urn, message, ephemeral=True)

    async def warn(self, urn: str, message: str) -> None:
        """Keep `message` as a warning in the output of the run."""
        await self._log(engine_pb2.WARNING, urn, message, ephemeral=False)

    async def _log(self, severity: Message, urn: str, message: str, *, ephemeral: bool) -> None:
        if not self.address:
            return
        if self._stub is None:
            channel = grpc.aio.insecure_channel(self.address, options=CHANNEL_OPTIONS)
            self._stub = engine_pb2_grpc.EngineStub(channel)
        try:
            await self._stub.Log(
                engine_pb2.LogRequest(severity=severity, urn=urn, message=message, ephemeral=ephemeral)
            )
        except grpc.aio.AioRpcError:
            # An engine that no longer listens is about to stop the plugin; a lost progress line is no failure.
            return


def servicer(base: type[Any], calls: Mapping[str, Call], streams: Mapping[str, Stream] | None = None) -> Servicer:
    """An instance of a generated servicer class that answers each named RPC by the call given for it.

    A call takes the request and returns the response. What it raises arrives at the engine as its message, with the
    state it carries; a stream yields its responses; an RPC with neither stays unimplemented.
    """

    def answering(call: Call) -> Callable[[Any, Message, Context], Awaitable[Message]]:
        async def answer(_self: Any, request: Message, context: Context) -> Message:
            try:
                return await call(request)
            except InitFailedError as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error), error.trailing_metadata())
            except PluginError as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise AssertionError("abort always raises")

        return answer

    def streaming(stream: Stream) -> Callable[[Any, Message, Context], AsyncIterator[Message]]:
        async def answer(_self: Any, request: Message, context: Context) -> AsyncIterator[Message]:
            async for response in stream(request, context):
                yield response

        return answer

    methods: dict[str, object] = {name: answering(call) for name, call in calls.items()}
    methods.update({name: streaming(stream) for name, stream in (streams or {}).items()})
    return type(base.__name__, (base,), methods)()


def engine_address(arguments: list[str]) -> str:
    """The engine's address among the command-line arguments: the first that is not a flag, or nothing."""
    return next((argument for argument in arguments if not argument.startswith("-")), "")


async def serve_plugin(register: Callable[[grpc.aio.Server], None]) -> None:
    """Serve until the engine ends: listen on loopback, print the port as the first line, then wait."""
    # The engine ends a plugin by SIGINT to the plugin's own process group and kills what is still there five seconds later; a person's
    # Ctrl-C reaches the engine alone (pulumi `sdk/go/common/util/cmdutil/child_unix.go`).
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    parent = os.getppid()
    while os.getppid() == parent and not ended.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), PARENT_CHECK_SECONDS)
    await server.stop(None)
