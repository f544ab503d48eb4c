"""A Prometheus is asked in a dozen queries, and whatever it answers ends in figures or in words."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import FleetError, UsageError
from fleet.measure.asking import TOKEN_VARIABLE, ask, check_address
from fleet.measure.observation import Arrivals, Look
from fleet.measure.prometheus import look_at_prometheus, step_seconds
from fleet.plan import Plan
from tests.fleet.measure.servers import NOW, Answer, FakePrometheus, histogram, matrix, serving, vector
from tests.fleet.promql import problems
from tests.fleet.strategies import load_from, sample_catalogue

HOUR = 3600.0
MAIL = {"queue": "mail"}
TOLD = {
    **histogram("fleet_task_run_seconds", "mail", {"0.08": 10, "0.4": 990, "5.0": 1000, "+Inf": 1000}, 100.0),
    **histogram("fleet_task_wait_seconds", "mail", {"30.0": 950, "+Inf": 1000}, 9000.0),
    "fleet_worker_peak_resident_bytes": vector((MAIL, 3e8)),
    "quantile fleet_worker_startup_seconds": vector((MAIL, 7.5)),
    "count fleet_worker_startup_seconds": vector((MAIL, 31)),
    "fleet_tasks_finished_total": matrix((MAIL, {NOW - 300: 600.0, NOW: 900.0})),
    "rabbitmq_detailed_queue_messages": matrix(
        ({"queue": "mail-0"}, {NOW - 600: 0, NOW - 300: 100, NOW: 70}),
        ({"queue": "mail-1"}, {NOW - 600: 5, NOW - 300: 25, NOW: 5}),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return load_from(sample_catalogue(shards=2), tmp_path_factory.mktemp("plan"), environment="prod")


@pytest.fixture
def prometheus() -> Iterator[tuple[FakePrometheus, str]]:
    fake = FakePrometheus(TOLD)
    with serving(fake) as address:
        yield fake, address


def look(address: str, plan: Plan, seconds: float = 24 * HOUR) -> Look:
    return look_at_prometheus(address, plan, window_seconds=seconds, now=NOW)


def test_every_figure_of_a_queue_is_read(prometheus: tuple[FakePrometheus, str], plan: Plan) -> None:
    """Arrivals are what ended and by how much the broker's queues grew: 600 + 115 in the first stretch, 900 - 50 in the second."""
    seen = look(prometheus[1], plan).queues["mail"]
    assert seen.runs is not None
    assert seen.waits is not None
    assert (seen.runs.bounds_seconds, seen.runs.counts) == ((0.08, 0.4, 5.0), (10, 980, 10, 0))
    assert seen.runs.mean_seconds == pytest.approx(0.1)
    assert seen.waits.share_within(30.0) == pytest.approx(0.95)
    assert (seen.peak_resident_bytes, seen.startup_seconds, seen.pods) == (3e8, 7.5, 31)
    assert seen.arrivals == (
        Arrivals(ended_at=NOW - 300, seconds=300, tasks=720),
        Arrivals(ended_at=NOW, seconds=300, tasks=850),
    )


def test_the_queries_are_well_formed_few_and_of_this_fleet(prometheus: tuple[FakePrometheus, str], plan: Plan) -> None:
    """Whatever the number of queues; another fleet in the same Prometheus is never looked at."""
    fake, address = prometheus
    look(address, plan)
    assert len(fake.queries) <= 12
    assert [problem for query in fake.queries for problem in problems(query)] == []
    assert all(f'namespace="{plan.fleet}"' in query for query in fake.queries)


def test_a_token_is_sent_and_no_message_holds_it(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "very-secret")
    fake = FakePrometheus(TOLD)
    with serving(fake) as address:
        look(address, plan)
    assert {headers["Authorization"] for headers in fake.headers} == {"Bearer very-secret"}
    with serving(lambda *_: (403, b"no")) as address, pytest.raises(FleetError, match="refuses the token") as refused:
        look(address, plan)
    assert "very-secret" not in str(refused.value)


def test_a_token_does_not_follow_a_redirect() -> None:
    """To whichever host that leads."""
    other = FakePrometheus({})
    with serving(other) as elsewhere, serving(lambda *_: (302, f"{elsewhere}/x".encode())) as address:
        ask(address, token="very-secret")
    assert ["Authorization" in headers for headers in other.headers] == [False]


def without(*words: str) -> dict[str, Answer]:
    return {key: answer for key, answer in TOLD.items() if not any(word in key for word in words)}


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param("rabbitmq", id="no-broker"),
        pytest.param("startup", id="no-start-up"),
        pytest.param("wait_seconds", id="no-waits"),
        pytest.param("finished", id="no-arrivals"),
        pytest.param("count by (queue, le)", id="no-counts-of-series"),
    ],
)
def test_what_is_not_there_is_left_out(missing: str, plan: Plan) -> None:
    """The rest is still told."""
    with serving(FakePrometheus(without(missing))) as address:
        seen = look(address, plan).queues["mail"]
    assert seen.peak_resident_bytes == 3e8


def test_not_a_number_is_nothing(plan: Plan) -> None:
    """Prometheus divides by zero without complaint."""
    nothing = {"fleet_worker_peak_resident_bytes": vector((MAIL, float("nan")))}
    with serving(FakePrometheus({**nothing, **without("peak_resident")})) as address:
        assert look(address, plan).queues["mail"].peak_resident_bytes is None


ANSWERS: list[tuple[str, Answer, str]] = [
    ("a-login-page", (200, b"<html>Sign in</html>"), "answers, but not as a Prometheus does"),
    ("other-json", (200, b'{"hello": 1}'), "answers, but not as a Prometheus does"),
    ("a-list", (200, b"[]"), "answers, but not as a Prometheus does"),
    ("nothing", (200, b""), "answers, but not as a Prometheus does"),
    ("another-kind", matrix(), "answers, but not as a Prometheus does"),
    ("no-value", (200, b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}'), "not as a Prometheus does"),
    ("words-for-values", vector(({"queue": "mail", "le": "soon"}, 1)), "not as a Prometheus does"),
    ("its-own-refusal", (422, b'{"status":"error","errorType":"execution","error":"too many samples"}'), "too many samples"),
    ("unauthorized", (401, b""), "asks for a login"),
    ("not-there", (404, b"404 page not found"), "answers 404 Not Found"),
    ("a-gateway", (502, b""), "answers 502 Bad Gateway"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "problem"), [pytest.param(answer, problem, id=name) for name, answer, problem in ANSWERS]
)
def test_whatever_is_answered_instead_is_told_with_a_cure(answer: Answer, problem: str, plan: Plan) -> None:
    """Place, what is wrong, what to do."""
    with serving(lambda *_: answer) as address, pytest.raises(FleetError, match=re.escape(problem)) as refused:
        look(address, plan)
    assert refused.value.where.startswith(address)
    assert refused.value.fix


def test_a_fleet_that_it_never_heard_of_is_told(plan: Plan) -> None:
    with (
        serving(FakePrometheus({})) as address,
        pytest.raises(FleetError, match="has no series of the fleet celery-fleet in the last 24h"),
    ):
        look(address, plan)


def test_nobody_listens(plan: Plan) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(FleetError, match="does not answer: Connection refused"):
            look(address, plan)


def test_what_breaks_off_is_no_answer(plan: Plan, tmp_path: Path) -> None:
    """Something that speaks no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.recv(100)
            connection.sendall(b"SSH-2.0-OpenSSH\r\n")
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(FleetError, match="does not answer"):
            look(f"http://127.0.0.1:{server.getsockname()[1]}", plan)
        thread.join()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("localhost:9090", id="no-scheme"),
        pytest.param("file:///etc/passwd", id="a-file"),
        pytest.param("http://", id="no-host"),
        pytest.param("http://[::1", id="half-an-address"),
        pytest.param("https://me:hidden@example.org", id="a-password-in-it"),
        pytest.param("", id="nothing"),
    ],
)
def test_an_address_is_checked_before_it_is_asked(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_address(url, "--prometheus")
    assert "hidden" not in str(refused.value)


def test_an_address_may_have_a_path() -> None:
    assert check_address("https://example.org/prometheus/", "--prometheus") == "https://example.org/prometheus"


@pytest.mark.parametrize(
    ("window", "step"),
    [
        pytest.param(86_400, 300, id="a-day-in-five-minutes"),
        pytest.param(1000, 100, id="a-quarter-of-an-hour-in-tenths"),
        pytest.param(600, 60, id="ten-minutes-in-single-ones"),
        pytest.param(60, 60, id="a-minute-as-it-is"),
    ],
)
def test_stretches_fit_the_window(window: float, step: float) -> None:
    assert step_seconds(window) == step
