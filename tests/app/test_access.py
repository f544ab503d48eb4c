"""What the web layer turns away: requests without a token, too many, too large."""

import base64
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.limits import RateLimiter, WebLimits, read_limits
from fleet.errors import FleetError
from tests.app.amqp_broker import AmqpBroker, amqp_broker
from tests.app.web_layer import CALL, TASK, Client, Store, chunked, publishing_to, serving

OLD, NEW = "the-old-token-of-shop", "the-new-token-of-shop"
TOKENS = {"FLEET_WEB_TOKENS": f"shop:{OLD},\n shop:{NEW} till:0123456789abcdef"}
PATH = f"/tasks/{TASK}"


@contextmanager
def limited(**variables: str) -> Iterator[tuple[Client, AmqpBroker]]:
    """A web layer with the limits of its environment."""
    with (
        amqp_broker() as broker,
        publishing_to(broker.port) as app,
        serving(app, Store(), limits=read_limits(variables)) as client,
    ):
        yield client, broker


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[Client, AmqpBroker]]:
    """One that asks for tokens, for requests that are to change nothing in it."""
    with limited(**TOKENS) as made:
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# Tokens


@pytest.mark.parametrize("token", [OLD, NEW, "0123456789abcdef"])
def test_every_token_that_is_stated_opens(token: str) -> None:
    """The old one of a client as well as its new one, so that none has to change at the same moment."""
    with limited(**TOKENS) as (client, _):
        assert client.post(PATH, CALL, bearer(token)).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param(bearer("the-old-token-of-sho"), id="the-beginning-of-one"),
        pytest.param(bearer(OLD + "x"), id="one-and-more"),
        pytest.param(bearer(""), id="an-empty-one"),
        pytest.param(bearer(f"shop:{OLD}"), id="with-its-name"),
        pytest.param({"Authorization": f"Basic {OLD}"}, id="another-scheme"),
        pytest.param({"Authorization": OLD}, id="no-scheme"),
        pytest.param({"Authorization": b"Bearer \xff\xfe"}, id="no-text"),
    ],
)
@pytest.mark.parametrize("path", ["/tasks", PATH, "/tasks/1", "/queues", "/metrics", "/docs", "/openapi.json", "/none"])
def test_without_a_token_nothing_is_told(
    headers: dict[str, Any], path: str, guarded: tuple[Client, AmqpBroker]
) -> None:
    client, broker = guarded
    answer = client.ask("GET" if path != PATH else "POST", path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json() == {"detail": "a bearer token is needed"}
    assert broker.published == []


def password(token: str, name: str = "anybody") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{token}'.encode()).decode()}"}


@pytest.mark.parametrize("path", ["/fleet", "/fleet/now"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param(bearer(NEW), 200, id="by-a-program"),
        pytest.param(password(NEW), 200, id="by-a-browser"),
        pytest.param(password(OLD, ""), 200, id="without-a-name"),
        pytest.param({}, 401, id="without"),
        pytest.param(password(NEW[:-1]), 401, id="with-the-beginning-of-one"),
        pytest.param(password("", NEW), 401, id="as-the-name"),
        pytest.param({"Authorization": f"Basic {NEW}"}, 401, id="not-encoded"),
        pytest.param({"Authorization": b"Basic \xff\xfe"}, 401, id="no-text"),
    ],
)
def test_a_browser_is_asked_for_a_token_where_there_is_a_page(
    path: str, headers: dict[str, Any], code: int, guarded: tuple[Client, AmqpBroker]
) -> None:
    client, _ = guarded
    answer = client.ask("GET", path, headers=headers)
    assert answer.status_code == code
    if code == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert "shop" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", PATH, id="to-enqueue"),
        pytest.param("DELETE", "/tasks/1", id="to-cancel"),
        pytest.param("GET", "/queues", id="to-read-the-api"),
        pytest.param("POST", "/fleet", id="another-method"),
        pytest.param("GET", "/fleet/", id="another-path"),
    ],
)
def test_a_password_opens_nothing_else(method: str, path: str) -> None:
    """A browser sends it along with what another site has it ask for."""
    with limited(**TOKENS) as (client, broker):
        answer = client.ask(method, path, headers=password(NEW), json=CALL)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert broker.published == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_kubelet_needs_no_token_and_never_waits(path: str) -> None:
    with limited(**TOKENS, FLEET_WEB_RATE_PER_SECOND="0.001") as (client, _):
        assert {client.get(path).status_code for _ in range(5)} == {200}


def test_a_token_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    limits = read_limits(TOKENS)
    with caplog.at_level(logging.DEBUG), limited(**TOKENS) as (client, _):
        answers = [client.post(PATH, CALL, bearer(OLD)), client.post(PATH, CALL, bearer(NEW[:-1]))]
        metrics = client.get("/metrics", bearer(NEW)).text
    shown = repr(limits) + caplog.text + metrics + "".join(answer.text for answer in answers)
    assert OLD not in shown
    assert NEW[:-1] not in shown


@pytest.mark.parametrize(
    "stated",
    [
        pytest.param(f"{OLD}", id="without-a-client"),
        pytest.param("shop:short", id="too-short"),
        pytest.param(f"Shop:{OLD}", id="a-name-in-capitals"),
        pytest.param(f"shop:{OLD},till:with space 0123456789", id="with-a-space"),
    ],
)
def test_a_list_of_tokens_that_is_none_stops_the_pod_and_is_not_shown(stated: str) -> None:
    with pytest.raises(FleetError, match="FLEET_WEB_TOKENS is no token of a client") as raised:
        read_limits({"FLEET_WEB_TOKENS": stated})
    assert stated.rsplit(":", maxsplit=1)[-1] not in str(raised.value)


@pytest.mark.parametrize("stated", ["", " ", "\n"])
def test_without_tokens_nobody_is_asked_for_one(stated: str) -> None:
    with limited(FLEET_WEB_TOKENS=stated) as (client, _):
        assert client.post(PATH, CALL).status_code == 202


# Size


def body_of(size: int) -> bytes:
    """A good body of so many bytes."""
    frame = b'{"kwargs": {"order_id": "%b", "total_cents": 1}}'
    return frame % (b"x" * (size - len(frame) + 2))


@pytest.mark.parametrize(
    ("size", "code"), [pytest.param(300, 202, id="at-the-limit"), pytest.param(301, 413, id="over-it")]
)
@pytest.mark.parametrize("stated", [pytest.param(True, id="length-stated"), pytest.param(False, id="in-chunks")])
def test_a_body_has_a_limit(size: int, code: int, stated: bool) -> None:
    whole = body_of(size)
    assert len(whole) == size
    with limited(FLEET_WEB_MAX_BODY_BYTES="300") as (client, broker):
        content: Any = whole if stated else chunked(whole[:200], whole[200:])
        answer = client.ask("POST", PATH, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == code
    assert len(broker.published) == (1 if code == 202 else 0)


def test_what_is_over_the_limit_is_not_read() -> None:
    """The rest of an endless body stays with whoever sends it."""
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 1000:
            sent += 1
            yield b" " * 100

    with limited(FLEET_WEB_MAX_BODY_BYTES="300") as (client, _):
        answer = client.ask("POST", PATH, content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert sent <= 5


@pytest.mark.parametrize("length", ["-1", "many", "1e9", "٣"])
def test_a_length_that_is_no_number_is_not_believed(length: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": length.encode()}
    with limited(FLEET_WEB_MAX_BODY_BYTES="300") as (client, _):
        assert client.ask("POST", PATH, content=chunked(body_of(400)), headers=headers).status_code == 413


def test_a_mebibyte_is_the_limit_where_nothing_is_said() -> None:
    with limited() as (client, _):
        headers = {"Content-Type": "application/json"}
        assert client.ask("POST", PATH, content=body_of(2**20), headers=headers).status_code == 202
        assert client.ask("POST", PATH, content=body_of(2**20 + 1), headers=headers).status_code == 413


# Rate


def test_a_client_that_asks_too_often_is_told_when_to_ask_again() -> None:
    with limited(FLEET_WEB_RATE_PER_SECOND="0.1", FLEET_WEB_BURST="2") as (client, broker):
        answers = [client.post(PATH, CALL) for _ in range(3)]
        metrics = client.ask("GET", "/metrics", address="10.0.0.9").text
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].headers["Retry-After"] == "10"
    assert len(broker.published) == 2
    assert 'fleet_requests_turned_away_total{reason="rate"} 1.0' in metrics


def test_another_address_has_a_bucket_of_its_own() -> None:
    with limited(FLEET_WEB_RATE_PER_SECOND="0.1") as (client, _):
        codes = [
            client.ask("GET", "/queues", address=address).status_code
            for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2")
        ]
    assert codes == [200, 429, 200]


def test_a_client_is_its_token_and_not_its_address() -> None:
    """Nor which of its tokens it uses."""
    with limited(**TOKENS, FLEET_WEB_RATE_PER_SECOND="0.1") as (client, _):
        asked = [(OLD, "10.0.0.1"), (NEW, "10.0.0.2"), ("0123456789abcdef", "10.0.0.1")]
        codes = [
            client.ask("GET", "/queues", address=address, headers=bearer(token)).status_code for token, address in asked
        ]
    assert codes == [200, 429, 200]


def test_a_wrong_token_takes_nothing_from_anybody() -> None:
    with limited(**TOKENS, FLEET_WEB_RATE_PER_SECOND="0.1") as (client, _):
        assert {client.get("/queues", bearer("wrong")).status_code for _ in range(4)} == {401}
        assert client.get("/queues", bearer(OLD)).status_code == 200


def test_a_batch_counts_as_many_as_it_has_tasks() -> None:
    """It is taken whole, and what it took too much is waited for."""
    tasks = {"tasks": [{"name": TASK, **CALL}] * 10}
    with limited(FLEET_WEB_RATE_PER_SECOND="1", FLEET_WEB_BURST="2") as (client, _):
        assert client.post("/tasks", tasks).status_code == 202
        later = client.post(PATH, CALL)
    assert later.status_code == 429
    assert 8 <= int(later.headers["Retry-After"]) <= 9


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=60),
)
def test_no_client_gets_more_than_the_burst_and_the_rate(rate: float, burst: int, pauses: list[float]) -> None:
    now = 0.0
    limiter = RateLimiter(rate, burst, clock=lambda: now)
    taken = 0
    for pause in pauses:
        now += pause
        taken += limiter.take("one") == 0
        assert taken <= burst + now * rate + 1e-6


@given(rate=st.floats(0.1, 100), burst=st.integers(1, 20), owed=st.integers(0, 50))
def test_whoever_waits_as_long_as_told_is_let_in(rate: float, burst: int, owed: int) -> None:
    now = 0.0
    limiter = RateLimiter(rate, burst, clock=lambda: now)
    limiter.owe("one", burst + owed)
    seconds = limiter.take("one")
    assert seconds > 0
    now += seconds * (1 + 1e-9) + 1e-9
    assert limiter.take("one") == 0


def test_buckets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses are many; what is forgotten first was used longest ago."""
    monkeypatch.setattr("app.web.limits.CLIENTS_AT_MOST", 3)
    limiter = RateLimiter(0.001, 1, clock=lambda: 0.0)
    assert [limiter.take(name) for name in ("a", "b", "c", "d")] == [0, 0, 0, 0]
    assert limiter.take("d") > 0
    assert limiter.take("a") == 0


@pytest.mark.parametrize("text", ["0", "-1", "many", "inf", "nan"])
@pytest.mark.parametrize("name", ["FLEET_WEB_RATE_PER_SECOND", "FLEET_WEB_BURST", "FLEET_WEB_MAX_BODY_BYTES"])
def test_a_limit_that_is_none_stops_the_pod(name: str, text: str) -> None:
    with pytest.raises(FleetError, match=f"{name} is '{text}'"):
        read_limits({name: text})


@pytest.mark.parametrize(
    ("rate", "burst"),
    [
        pytest.param("50", 50, id="a-second"),
        pytest.param("0.2", 1, id="one-at-least"),
        pytest.param("2.5", 3, id="rounded-up"),
    ],
)
def test_a_burst_is_a_seconds_worth_where_nothing_is_said(rate: str, burst: int) -> None:
    found = read_limits({"FLEET_WEB_RATE_PER_SECOND": rate})
    assert found == WebLimits(rate_per_second=float(rate), burst=burst)
