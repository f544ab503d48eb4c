"""A Prometheus on the loopback that answers with what a test gives it, in the form of the real one."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, bytes]

Respond = Callable[[str, Mapping[str, str], Mapping[str, str]], Answer]
"""Path, query and headers of a request -> status and body."""

NOW = 1_700_000_000.0


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """The address of a server for as long as the body runs."""

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # head and body in one packet: two would wait for each other

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, body = respond(parts.path, dict(parse_qsl(parts.query)), dict(self.headers.items()))
            self.send_response(status)
            if status // 100 == 3:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def vector(*items: tuple[Mapping[str, str], float]) -> Answer:
    """An instant answer."""
    result = [{"metric": labels, "value": [NOW, _text(value)]} for labels, value in items]
    return _success("vector", result)


def matrix(*items: tuple[Mapping[str, str], Mapping[float, float]]) -> Answer:
    """An answer over time."""
    result = [
        {"metric": labels, "values": [[moment, _text(value)] for moment, value in values.items()]}
        for labels, values in items
    ]
    return _success("matrix", result)


def _success(kind: str, result: list[dict[str, Any]]) -> Answer:
    return 200, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def _text(value: float) -> str:
    return {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(value, repr(value).replace("nan", "NaN"))


class FakePrometheus:
    """Answers by the first of its words that a query has; whatever it was not told of has no series."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = answers
        self.queries: list[str] = []
        self.headers: list[Mapping[str, str]] = []

    def __call__(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        expression = query.get("query", "")
        self.queries.append(expression)
        self.headers.append(headers)
        for words, answer in self.answers.items():
            if all(word in expression for word in words.split()):
                return answer
        return matrix() if path.endswith("query_range") else vector()


def histogram(metric: str, queue: str, counts: Mapping[str, float], total: float) -> dict[str, Answer]:
    """What is asked of a histogram: cumulative counts by bound, twelve series with each bound, the sum."""
    return {
        f"sum(le) {metric}_bucket": vector(),
        f"sum by (queue, le) (increase({metric}_bucket": vector(
            *(({"queue": queue, "le": bound}, count) for bound, count in counts.items())
        ),
        f"count by (queue, le) (increase({metric}_bucket": vector(
            *(({"queue": queue, "le": bound}, 12) for bound in counts)
        ),
        f"sum by (queue) (increase({metric}_sum": vector(({"queue": queue}, total)),
    }
