"""What a worker answers over HTTP, and that it works where it cannot."""

import socket
from collections.abc import Iterator
from wsgiref.simple_server import WSGIServer

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.worker.metrics import WorkerMetrics
from app.worker.serving import metrics_port, serve
from fleet.errors import FleetError
from tests.app.documents import worker_document

DOCUMENT = worker_document("high", "high-1")


def started(port: int) -> WSGIServer | None:
    return serve(WorkerMetrics(DOCUMENT, ["app.tasks.orders.confirm"]), DOCUMENT, pod="pod-1", port=port)


@pytest.fixture(scope="module")
def port() -> int:
    """One that is free."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def address(port: int) -> Iterator[str]:
    """Of a worker that serves."""
    server = started(port)
    assert server is not None
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    server.server_close()


def test_prometheus_is_served(address: str) -> None:
    """In the format it reads."""
    answer = httpx.get(f"{address}/metrics")
    families = {family.name for family in text_string_to_metric_families(answer.text)}
    assert answer.status_code == 200
    assert families == {
        "fleet_task_wait_seconds", "fleet_task_run_seconds", "fleet_tasks_finished", "fleet_task_retries", "fleet_task_redeliveries",
        "fleet_worker_busy_slots", "fleet_worker_slots", "fleet_worker_peak_resident_bytes", "fleet_worker_startup_seconds",
    }  # fmt: skip


def test_busy_slots_are_served_as_json(address: str) -> None:
    busy = {"queue": "high", "shard": "high-1", "pod": "pod-1", "busy": 0, "slots": 8}
    assert httpx.get(f"{address}/busy").json() == busy


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/", 404, id="another-path"),
        pytest.param("POST", "/metrics", 405, id="another-method"),
        pytest.param("GET", "/metrics?name[]=x", 200, id="a-selection"),
    ],
)
def test_anything_else_is_answered_in_words(address: str, method: str, path: str, status: int) -> None:
    assert httpx.request(method, address + path).status_code == status


def test_a_client_that_says_nothing_keeps_no_other_waiting(address: str, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        assert httpx.get(f"{address}/busy", timeout=2).status_code == 200


def test_a_port_that_is_taken_stops_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    """It works unseen, and says so."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = int(other.getsockname()[1])
        assert started(taken) is None
    assert str(taken) in caplog.text


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        pytest.param({}, 9464, id="in-a-pod"),
        pytest.param({"FLEET_METRICS_PORT": "9500"}, 9500, id="as-stated"),
        pytest.param({"FLEET_METRICS_PORT": "off"}, None, id="nowhere"),
    ],
)
def test_the_port_is_the_variables(environ: dict[str, str], port: int | None) -> None:
    assert metrics_port(environ) == port


@pytest.mark.parametrize("stated", ["none", "0", "65536", "-1", "²"])
def test_a_port_that_is_none_is_refused(stated: str) -> None:
    with pytest.raises(FleetError, match="Write a number from 1 to 65535, or off"):
        metrics_port({"FLEET_METRICS_PORT": stated})
