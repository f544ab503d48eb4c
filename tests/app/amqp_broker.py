"""A broker that speaks AMQP 0-9-1 to one publisher after the other and answers each message as a test says, and who asks for the depth of a queue.

The client side is real: py-amqp, kombu and Celery. Frames and methods are from the AMQP 0-9-1 specification; confirms, and a return that comes before
its ack, from RabbitMQ's documentation ("Consumer Acknowledgements and Publisher Confirms").
"""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from amqp.basic_message import Message
from amqp.serialization import dumps, loads

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_MAX = 131072


class Answer(Enum):
    """What the broker does about one message."""

    ACK = auto()
    ACK_ALL = auto()
    """One ack for it and for all before it (`multiple`)."""
    NACK = auto()
    RETURN = auto()
    """Returned, then acknowledged, as what no queue takes."""
    LATE = auto()
    """Acknowledged only when the next message has come."""
    SILENCE = auto()
    BLOCK = auto()
    """Nothing is read or answered any more, as RabbitMQ does to who publishes during a memory or disk alarm."""
    CLOSE_CHANNEL = auto()
    HANG_UP = auto()


@dataclass(kw_only=True)
class Published:
    """One message as it came in."""

    exchange: str
    routing_key: str
    mandatory: bool
    properties: dict[str, Any]
    header_frame: bytes
    body: bytes

    @property
    def id(self) -> str:
        """Of the task."""
        return str(self.properties.get("correlation_id"))


Decide = Callable[[int, Published], Answer]
"""From the number of the message (from 0, over all connections) and the message."""


@dataclass(kw_only=True)
class AmqpBroker:
    """What a test sees of it."""

    port: int
    decide: Decide
    published: list[Published] = field(default_factory=list)
    depths: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Queue -> messages and consumers, for those who ask passively."""
    asked: list[tuple[float, str]] = field(default_factory=list)
    """When who asked about which queue, by the monotonic clock."""
    connections: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when the test is over."""

    @property
    def ids(self) -> list[str]:
        """Ids of the tasks that came in, in order."""
        return [message.id for message in self.published]


class _EndedError(Exception):
    """The client is gone, or was hung up on."""


class _Conversation:
    """One connection."""

    def __init__(self, broker: AmqpBroker, client: socket.socket) -> None:
        self._broker = broker
        self._client = client
        self._file = client.makefile("rb")
        self._tags: dict[int, int] = {}
        self._late: list[tuple[int, int]] = []

    def hold(self) -> None:
        """Answer until either side ends it."""
        self._read(8)
        self._send(0, (10, 10), "ooFSS", (0, 9, {}, "PLAIN AMQPLAIN", "en_US"))
        while True:
            self._answer(*self._frame())

    def _read(self, size: int) -> bytes:
        found = self._file.read(size)
        if len(found) < size:
            raise _EndedError
        return found

    def _frame(self) -> tuple[int, int, bytes]:
        kind, channel, size = struct.unpack(">BHI", self._read(7))
        payload = self._read(size)
        self._read(1)
        return kind, channel, payload

    def _write(self, kind: int, channel: int, payload: bytes) -> None:
        self._client.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce")

    def _send(self, channel: int, method: tuple[int, int], form: str = "", values: tuple[Any, ...] = ()) -> None:
        self._write(METHOD, channel, struct.pack(">HH", *method) + (dumps(form, values) if form else b""))

    def _answer(self, kind: int, channel: int, payload: bytes) -> None:
        if kind != METHOD:
            return
        method = struct.unpack(">HH", payload[:4])
        if method == (10, 11):
            self._send(0, (10, 30), "BlB", (2047, FRAME_MAX, 0))
        elif method == (10, 40):
            self._send(0, (10, 41), "s", ("",))
        elif method == (20, 10):
            self._tags[channel] = 0
            self._send(channel, (20, 11), "S", ("",))
        elif method == (85, 10):
            self._send(channel, (85, 11))
        elif method == (20, 40):
            self._send(channel, (20, 41))
        elif method == (40, 10):
            self._send(channel, (40, 11))
        elif method == (50, 10):
            self._tell_depth(channel, payload)
        elif method == (10, 50):
            self._send(0, (10, 51))
            raise _EndedError
        elif method == (60, 40):
            self._take(channel, self._message(payload))

    def _tell_depth(self, channel: int, method: bytes) -> None:
        (_, queue, _), _ = loads("Bsb", method, 4)
        self._broker.asked.append((time.monotonic(), queue))
        if queue in self._broker.depths:
            self._send(channel, (50, 11), "sll", (queue, *self._broker.depths[queue]))
        else:
            self._send(channel, (20, 40), "BsBB", (404, "NOT_FOUND", 50, 10))

    def _message(self, method: bytes) -> Published:
        (_, exchange, routing_key, mandatory, _), _ = loads("Bssbb", method, 4)
        _, _, header = self._frame()
        (size,) = struct.unpack(">Q", header[4:12])
        body = b""
        while len(body) < size:
            body += self._frame()[2]
        content = Message()
        content._load_properties(60, header, 12)
        return Published(
            exchange=exchange, routing_key=routing_key, mandatory=mandatory, properties=content.properties,
            header_frame=header, body=body,
        )  # fmt: skip

    def _take(self, channel: int, message: Published) -> None:
        self._tags[channel] += 1
        tag = self._tags[channel]
        answer = self._broker.decide(len(self._broker.published), message)
        self._broker.published.append(message)
        for late_channel, late_tag in self._late:
            self._send(late_channel, (60, 80), "Lb", (late_tag, False))
        self._late.clear()
        if answer is Answer.RETURN:
            self._send(channel, (60, 50), "Bsss", (312, "NO_ROUTE", message.exchange, message.routing_key))
            self._write(HEADER, channel, message.header_frame)
            self._write(BODY, channel, message.body)
        if answer is Answer.LATE:
            self._late.append((channel, tag))
        elif answer in {Answer.ACK, Answer.ACK_ALL, Answer.RETURN}:
            self._send(channel, (60, 80), "Lb", (tag, answer is Answer.ACK_ALL))
        elif answer is Answer.NACK:
            self._send(channel, (60, 120), "Lb", (tag, False))
        elif answer is Answer.CLOSE_CHANNEL:
            self._send(channel, (20, 40), "BsBB", (406, "PRECONDITION_FAILED", 60, 40))
        elif answer is Answer.BLOCK:
            self._broker.ended.wait()
            raise _EndedError
        elif answer is Answer.HANG_UP:
            raise _EndedError


@contextmanager
def amqp_broker(
    decide: Decide = lambda number, message: Answer.ACK,
    *,
    tls: ssl.SSLContext | None = None,
    depths: dict[str, tuple[int, int]] | None = None,
) -> Iterator[AmqpBroker]:
    """A broker on a port of its own, until the block ends; with `tls` it speaks nothing else."""
    listener = socket.create_server(("127.0.0.1", 0))
    broker = AmqpBroker(port=listener.getsockname()[1], decide=decide, depths=depths or {})
    clients: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def talk(accepted: socket.socket) -> None:
        try:
            client = accepted if tls is None else tls.wrap_socket(accepted, server_side=True)
        except OSError:
            # It does not believe the certificate, or speaks no TLS.
            accepted.close()
            return
        clients.append(client)
        conversation = _Conversation(broker, client)
        try:
            conversation.hold()
        except (_EndedError, OSError, ValueError):
            pass
        finally:
            conversation._file.close()
            client.close()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            broker.connections += 1
            clients.append(client)
            threads.append(threading.Thread(target=talk, args=(client,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield broker
    finally:
        broker.ended.set()
        # A thread that waits in accept() is woken by a shutdown only.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for client in clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        accepting.join(5)
        for thread in threads:
            thread.join(5)
