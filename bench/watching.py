"""When things happened in the cluster, to the hundredth of a second: Kubernetes' own timestamps are whole seconds.

Invariant: a moment is that of a watch event's arrival on this machine, whose clock the pods share.
"""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, cast


@dataclass
class Seen:
    """One state of one object, and when it arrived (seconds since the epoch)."""

    at: float
    object: dict[str, Any]


@dataclass
class Watch:
    """Everything that a watch has reported so far."""

    seen: list[Seen] = field(default_factory=list)

    def first(self, holds: Callable[[dict[str, Any]], bool], *, after: float) -> Seen | None:
        """The first state after a moment for which something holds."""
        return next((one for one in list(self.seen) if one.at >= after and holds(one.object)), None)


def _documents(read: Callable[[int], str]) -> Iterator[Any]:
    """The JSON documents of a stream that has nothing but white space between them."""
    decoder = json.JSONDecoder()
    pending = ""
    while chunk := read(65536):
        pending = (pending + chunk).lstrip()
        while pending:
            try:
                document, end = decoder.raw_decode(pending)
            except json.JSONDecodeError:
                break  # The rest of the document has not arrived.
            yield document
            pending = pending[end:].lstrip()


@contextmanager
def watching(environment: Mapping[str, str], namespace: str, kind: str) -> Iterator[Watch]:
    """A watch over all objects of a kind in a namespace for as long as the block runs."""
    command = ["kubectl", "--namespace", namespace, "get", kind, "--watch", "--output-watch-events", "-o", "json"]
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, bufsize=0)
    stream = cast("IO[bytes]", process.stdout)
    watch = Watch()

    def follow() -> None:
        # An unbuffered read returns what is there; a text reader would wait for a full chunk.
        for event in _documents(lambda size: stream.read(size).decode()):
            watch.seen.append(Seen(time.time(), event["object"]))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        process.kill()
        process.wait()
        thread.join()
        stream.close()
