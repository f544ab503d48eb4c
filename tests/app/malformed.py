"""Messages and requests that nobody should send, from a seed: what publishers that are wrong, old or hostile would.

Each has a kind, which reads as what is wrong with it; none of them is a task that a worker may run. The same seed gives the same ones.
"""

import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

NAMES = (
    "os.system", "builtins.eval", "__import__('os').system", "../../etc/passwd", "celery.contrib.rdb", "app.worker.running.run_worker",
    "pools.mark; DROP TABLE tasks", "pools.mark ", "POOLS.MARK", "pools.*", "#", "%s%n", "{0.__class__}", "pools.mark\x00", "задача", "💥", "x" * 4000,
)  # fmt: skip
"""Tasks that no application registers."""

ODDITIES: tuple[Any, ...] = (
    0,
    -1,
    2**62,
    True,
    1.5,
    "",
    "x",
    "x" * 300,
    [],
    ["x"],
    [[]],
    {},
    {"a": 1},
    [None, "x"],
    b"\xff\xfe",
)
"""Values of every type that a header can have."""

TEXTS = tuple(value for value in ODDITIES if isinstance(value, str))


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """One message."""

    kind: str
    body: bytes = b"[[], {}, {}]"
    headers: dict[str, Any] | None
    properties: dict[str, Any] = field(
        default_factory=lambda: {"content_type": "application/json", "content_encoding": "utf-8"}
    )


def malformed_messages(seed: int, count: int, *, task: str) -> Iterator[Malformed]:
    """So many messages; `task` is one that is registered, so that nothing but what is wrong with them keeps them from running."""
    draw = random.Random(seed)  # noqa: S311 -- cases of a test
    makers = (*_BODIES.items(), *_HEADERS.items())
    for number in range(count):
        kind, make = makers[number % len(makers)]
        headers: dict[str, Any] = {"lang": "py", "task": task, "id": f"malformed-{seed}-{number}"}
        yield make(draw, kind, headers)


def _with_body(make: Callable[[random.Random], Any]) -> Callable[[random.Random, str, dict[str, Any]], Malformed]:
    def message(draw: random.Random, kind: str, headers: dict[str, Any]) -> Malformed:
        made = make(draw)
        body = made if isinstance(made, bytes) else json.dumps(made).encode()
        return Malformed(kind=kind, body=body, headers=headers)

    return message


def _with_headers(
    change: Callable[[random.Random, dict[str, Any]], dict[str, Any] | None],
) -> Callable[[random.Random, str, dict[str, Any]], Malformed]:
    def message(draw: random.Random, kind: str, headers: dict[str, Any]) -> Malformed:
        return Malformed(kind=kind, headers=change(draw, headers))

    return message


def _with_properties(**properties: Any) -> Callable[[random.Random, str, dict[str, Any]], Malformed]:
    def message(draw: random.Random, kind: str, headers: dict[str, Any]) -> Malformed:
        return Malformed(kind=kind, headers=headers, properties=properties)

    return message


def _wrong(name: str, *right: type) -> Callable[[random.Random, dict[str, Any]], dict[str, Any]]:
    """The header with a value of another type than those."""
    values = [value for value in ODDITIES if not (isinstance(value, right) and not isinstance(value, bool))]
    return lambda draw, headers: {**headers, name: draw.choice(values)}


def _bytes(draw: random.Random) -> bytes:
    return b"\xff" + draw.randbytes(draw.randrange(0, 200))


def _cut(draw: random.Random) -> bytes:
    whole = json.dumps([[{"a": [1, 2]}, "text"], {"key": "value"}, {}]).encode()
    return whole[: draw.randrange(0, len(whole))]


def _nested(draw: random.Random) -> bytes:
    depth = draw.randrange(2000, 200_000)
    return b"[" * depth + b"]" * depth


def _huge(draw: random.Random) -> dict[str, str]:
    return {"payload": "x" * draw.randrange(100_000, 1_000_000)}


def _scalar(draw: random.Random) -> Any:
    return draw.choice([None, True, 0, -1.5, "", "args", {}, {"args": 1}, {"a": {"b": []}}, []])


def _list(draw: random.Random) -> list[Any]:
    return [[], {}, {}, {}, {}][: draw.choice([1, 2, 4, 5])]


_BODIES: dict[str, Callable[[random.Random, str, dict[str, Any]], Malformed]] = {
    "a body that is no JSON": _with_body(_bytes),
    "a body that ends too early": _with_body(_cut),
    "a body of a million brackets": _with_body(_nested),
    "a body that is no list": _with_body(_scalar),
    "a body of another length": _with_body(_list),
    "a large body of no shape": _with_body(_huge),
    "arguments that are no list": _with_body(lambda draw: [draw.choice([1, "x", {}, {"a": 1}, None, True]), {}, {}]),
    "keyword arguments that are no object": _with_body(lambda draw: [[], draw.choice([1, "x", [], [1], None]), {}]),
    "embedded what is no object": _with_body(lambda draw: [[], {}, draw.choice([1, "x", [], [{}], True])]),
    "embedded an id": _with_body(lambda draw: [[], {}, {"id": draw.choice(["x", 1])}]),
    "embedded a flag": _with_body(lambda draw: [[], {}, {draw.choice(["is_eager", "called_directly", "task"]): True}]),
    "callbacks that are no signatures": _with_body(lambda draw: [[], {}, {"callbacks": draw.choice([1, ["x"], [{}], {}])}]),
    "a chain that is no list": _with_body(lambda draw: [[], {}, {"chain": draw.choice([1, "x", {"task": "x"}, [[]]])}]),
    "a chord that is no signature": _with_body(lambda draw: [[], {}, {"chord": draw.choice([1, "x", [], {}])}]),
    "protocol 1": lambda draw, kind, headers: Malformed(
        kind=kind, headers=None, body=json.dumps({"task": headers["task"], "id": headers["id"], "args": [], "kwargs": {}}).encode()
    ),
    "protocol 1 and 2 at once": _with_body(lambda draw: {"args": [], "kwargs": {}, "task": "pools.mark", "id": "x"}),
    "a pickle": lambda draw, kind, headers: Malformed(
        kind=kind, headers=headers, body=b"cos\nsystem\n(S'true'\ntR.",
        properties={"content_type": "application/x-python-serialize", "content_encoding": "binary"}
    ),
    "YAML": _with_properties(content_type="application/x-yaml", content_encoding="utf-8"),
    "a content type of nobody's": _with_properties(content_type="application/of-nobody", content_encoding="utf-8"),
    "no content type": _with_properties(),
}  # fmt: skip

_HEADERS: dict[str, Callable[[random.Random, str, dict[str, Any]], Malformed]] = {
    "no headers": _with_headers(lambda draw, headers: None),
    "no task": _with_headers(lambda draw, headers: {name: value for name, value in headers.items() if name != "task"}),
    "a task that is no text": _with_headers(_wrong("task", str)),
    "a task that nobody registered": _with_headers(lambda draw, headers: {**headers, "task": draw.choice(NAMES)}),
    "a task of random letters": _with_headers(
        lambda draw, headers: {**headers, "task": "".join(draw.choices(string.printable, k=draw.randrange(1, 200)))}
    ),
    "no id": _with_headers(lambda draw, headers: {name: value for name, value in headers.items() if name != "id"}),
    "an id that is no text": _with_headers(_wrong("id", str)),
    "an id that is too long": _with_headers(lambda draw, headers: {**headers, "id": "x" * draw.randrange(256, 5000)}),
    "limits that are none": _with_headers(
        lambda draw, headers: {**headers, "timelimit": draw.choice([1, "x", [1], [1, 2, 3], ["x", 1], [-1, 1], [0, 0]])}
    ),
    "retries that are no number": _with_headers(_wrong("retries", int)),
    "retries below zero": _with_headers(lambda draw, headers: {**headers, "retries": -draw.randrange(1, 2**31)}),
    "an eta that is no time": _with_headers(
        lambda draw, headers: {**headers, "eta": draw.choice([1, 1.5, True, [], {}, "x", "tomorrow", "2020-13-45"])}
    ),
    "an expiry that is no time": _with_headers(
        lambda draw, headers: {**headers, "expires": draw.choice([1, 1.5, True, [], {}, "x", "never", "10000-01-01"])}
    ),
    "a root that is no text": _with_headers(_wrong("root_id", str)),
    "a parent that is no text": _with_headers(_wrong("parent_id", str)),
    "a group that is no text": _with_headers(_wrong("group", str)),
    "a shadow that is no text": _with_headers(_wrong("shadow", str)),
    "stamps that are no list": _with_headers(_wrong("stamped_headers", list)),
    "stamps that are no table": _with_headers(lambda draw, headers: {**headers, "stamps": draw.choice([1, "x", [1]])}),
    "an embedded field as a header": _with_headers(
        lambda draw, headers: {**headers, draw.choice(["callbacks", "errbacks", "chain", "chord"]): draw.choice([1, "x", ["x"]])}
    ),
    "a due time that is no number": _with_headers(_wrong("fleet_due_at", int, float)),
    "a compression of nobody's": _with_headers(lambda draw, headers: {**headers, "compression": draw.choice(["x", 1, "application/x-of-nobody"])}),
    "a compression that it does not have": _with_headers(lambda draw, headers: {**headers, "compression": "application/x-gzip"}),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BadRequest:
    """One HTTP request."""

    kind: str
    method: str = "POST"
    path: str
    content: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


def bad_requests(seed: int, count: int, *, task: str, call: dict[str, Any], body_bytes: int) -> Iterator[BadRequest]:
    """So many requests to a web layer that takes `call` for `task` and bodies of `body_bytes` at most."""
    draw = random.Random(seed)  # noqa: S311 -- cases of a test
    kinds = [*_WHOLE_BODIES, *_FIELDS, "a body that is too large", "a task that there is not", *_OTHERS]
    for number in range(count):
        kind = kinds[number % len(kinds)]
        in_batch = draw.random() < 0.5
        path = "/tasks" if in_batch else f"/tasks/{task}"
        if kind in _WHOLE_BODIES:
            yield BadRequest(kind=kind, path=path, content=_WHOLE_BODIES[kind](draw))
        elif kind in _FIELDS:
            name, values = _FIELDS[kind]
            wrong = {**call, name: draw.choice(values)}
            content = {"tasks": [{"name": task, **call}, {"name": task, **wrong}]} if in_batch else wrong
            yield BadRequest(kind=kind, path=path, content=json.dumps(content).encode())
        elif kind == "a body that is too large":
            yield BadRequest(kind=kind, path=path, content=json.dumps({"args": ["x" * body_bytes]}).encode())
        elif kind == "a task that there is not":
            name = draw.choice(NAMES)
            content = {"tasks": [{"name": name, **call}]} if in_batch else call
            path = "/tasks" if in_batch else f"/tasks/{quote(name, safe='')}"
            yield BadRequest(kind=kind, path=path, content=json.dumps(content).encode())
        else:
            yield _OTHERS[kind](draw, task, call)


_WHOLE_BODIES: dict[str, Callable[[random.Random], bytes]] = {
    "bytes that are no JSON": _bytes,
    "JSON that ends too early": lambda draw: _cut(draw)[:-1] or b"{",
    "brackets without an end": _nested,
    "a body that is no object": lambda draw: json.dumps(draw.choice([True, 1, "x", [1], [{}]])).encode(),
    "a key that there is not": lambda draw: json.dumps({draw.choice(["arg", "queue", "exchange", "__class__"]): 1}).encode(),
}  # fmt: skip

_FIELDS: dict[str, tuple[str, list[Any]]] = {
    "arguments that are no list": ("args", [1, "x", {}, {"a": 1}, True]),
    "arguments that do not fit": ("args", [[1] * 20, ["x"] * 7]),
    "keyword arguments that are no object": ("kwargs", [1, "x", [], [1], True]),
    "keyword arguments that do not fit": ("kwargs", [{"of_nobody": 1}, {"self": 1}, {"__class__": "x"}]),
    "a countdown that is none": ("countdown", ["1", True, [], {}, -1, 0, 0.5, 1e300, float("nan"), float("inf")]),
    "a priority that there is not": ("priority", [-1, 32, 10**30, "1", 1.5, True, [], {}]),
}

_OTHERS: dict[str, Callable[[random.Random, str, dict[str, Any]], BadRequest]] = {
    "no task in a batch": lambda draw, task, call: BadRequest(kind="no task in a batch", path="/tasks", content=b'{"tasks": []}'),
    "a batch that is too long": lambda draw, task, call: BadRequest(
        kind="a batch that is too long", path="/tasks", content=json.dumps({"tasks": [{"name": task}] * 1001}).encode()
    ),
    "a key for repeats that is none": lambda draw, task, call: BadRequest(
        kind="a key for repeats that is none", path=f"/tasks/{task}", content=json.dumps(call).encode(),
        headers={"content-type": "application/json", "idempotency-key": draw.choice(["", " ", "x" * 300, "a b"])},
    ),
    "another method": lambda draw, task, call: BadRequest(
        kind="another method", method=draw.choice(["PUT", "PATCH", "TRACE", "DELETE"]), path="/tasks"
    ),
    "an id that was never given out": lambda draw, task, call: BadRequest(
        kind="an id that was never given out", method=draw.choice(["GET", "DELETE"]), path=f"/tasks/{quote(draw.choice(NAMES), safe='')}", content=b""
    ),
    "a path that leads nowhere": lambda draw, task, call: BadRequest(
        kind="a path that leads nowhere", method=draw.choice(["GET", "POST"]), path=draw.choice(["/task", "/tasks/a/b/c", "/admin", "/tasks/%2e%2e/x", "/.env"])
    ),
}  # fmt: skip
