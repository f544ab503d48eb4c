"""The fleet that runs, switched to a broker that speaks TLS and back: real RabbitMQ, real KEDA, an authority of the sandbox's own.

Invariant: what is switched here is switched back, whatever fails in between.
"""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from kombu.exceptions import OperationalError

from app.broker import connect_broker
from app.connections import read_connections
from tests.app.certificates import self_signed
from tests.cluster.program_changes import settings_with
from tests.cluster.running_fleet import RunningFleet, eventually
from tests.cluster.sample_tasks import TASK_OF_QUEUE, arguments

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]

UP_SECONDS = 540.0
"""RabbitMQ starts again, and every pod of the fleet is rolled once."""

SERVER_NAME = "broker.celery-fleet.svc"
PLAIN, ENCRYPTED = (5672, 15672, 15692), (5671, 15671, 15691)


def _up(fleet: RunningFleet, settings: Path | None = None) -> None:
    chosen = ("--config-file", str(settings)) if settings else ()
    done = fleet.pulumi("up", "--yes", "--skip-preview", *chosen, timeout=UP_SECONDS)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-4000:]
    # The forwarded port leads to a pod of before; one that is stopping would be found again.
    eventually(lambda: _settled(fleet), within_seconds=120, waiting_for="the web layer's pods of before to be gone")
    fleet.close()


def _settled(fleet: RunningFleet) -> bool | None:
    """True once no pod of the web layer is stopping; otherwise None."""
    pods = [pod["metadata"] for pod in fleet.objects("pods") if pod["metadata"]["name"].startswith("web-")]
    return not any("deletionTimestamp" in pod for pod in pods) or None


@pytest.fixture(scope="module")
def switched_back() -> list[bool]:
    """Not empty once a test has done it."""
    return []


@pytest.fixture(scope="module")
def encrypted(
    fleet: RunningFleet, switched_back: list[bool], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningFleet]:
    """The fleet, with one key of its stack changed."""
    try:
        _up(fleet, settings_with(tmp_path_factory.mktemp("tls"), broker={"tls": True}))
        yield fleet
    finally:
        if not switched_back:
            _up(fleet)


def _address(fleet: RunningFleet) -> str:
    """Of the broker's only pod, which answers on every port that it has open."""
    return fleet.kubectl("get", "pod", "broker-server-0", "-o", "jsonpath={.status.podIP}")


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=5):
            return True
    except OSError:
        return False


def _variables(fleet: RunningFleet, authority: Path | None, **more: str) -> dict[str, str]:
    """Those of a pod, for a client on the node's host: it reaches the pod by its address and knows it by its name."""
    login = fleet.secret("producer-user-credentials")
    return {
        "FLEET_BROKER_HOST": _address(fleet),
        "FLEET_BROKER_USERNAME": login["username"],
        "FLEET_BROKER_PASSWORD": login["password"],
        "FLEET_BROKER_TLS": "true",
        "FLEET_BROKER_SERVER_NAME": SERVER_NAME,
        **({} if authority is None else {"FLEET_BROKER_CA": str(authority)}),
        **more,
    }


def _connect(variables: dict[str, str]) -> None:
    with connect_broker(read_connections(variables), "celery-fleet", name="test") as connection:
        connection.ensure_connection(max_retries=1, interval_start=0.1)


@pytest.fixture
def authority(encrypted: RunningFleet, tmp_path: Path) -> Path:
    """The certificate that clients have to believe."""
    path = tmp_path / "ca.crt"
    path.write_text(encrypted.secret("broker-tls")["ca.crt"])
    return path


def _do_a_report(fleet: RunningFleet, mark: str) -> None:
    task = fleet.enqueue(TASK_OF_QUEUE["reports"], kwargs=arguments("reports", mark))
    assert fleet.result(task, within_seconds=180)["state"] == "SUCCESS"


def test_a_task_to_a_queue_at_zero_is_done_over_tls(encrypted: RunningFleet) -> None:
    """The web layer publishes it, KEDA sees it, a worker that was not there takes it: three clients that believe the broker."""
    encrypted.wait_until_at_minimum()
    assert encrypted.replicas()["worker-reports"] == 0
    _do_a_report(encrypted, "over-tls")
    scaled = {item["metadata"]["name"]: item for item in encrypted.objects("scaledobjects.keda.sh")}
    triggers = scaled["worker-reports"]["spec"]["triggers"]
    assert {trigger["metadata"]["host"] for trigger in triggers} == {"https://broker.celery-fleet.svc:15671"}


def test_nothing_listens_in_clear(encrypted: RunningFleet) -> None:
    """AMQP, management and metrics alike, on the pod itself, whatever a policy lets through."""
    address = _address(encrypted)
    assert {port: _listens(address, port) for port in (*PLAIN, *ENCRYPTED)} == {
        **dict.fromkeys(PLAIN, False), **dict.fromkeys(ENCRYPTED, True),
    }  # fmt: skip


def test_a_client_that_believes_the_authority_is_let_in(encrypted: RunningFleet, authority: Path) -> None:
    """So the refusals below are for what differs from this."""
    _connect(_variables(encrypted, authority))


def test_a_client_refuses_a_broker_that_it_has_no_reason_to_believe(
    encrypted: RunningFleet, authority: Path, tmp_path: Path
) -> None:
    """Without the authority, with another one, and under another name than the certificate's."""
    another = self_signed(tmp_path, x509.DNSName(SERVER_NAME), name="another")
    for variables in (
        _variables(encrypted, None),
        _variables(encrypted, another),
        _variables(encrypted, authority, FLEET_BROKER_SERVER_NAME="broker.other-fleet.svc"),
    ):
        with pytest.raises((OperationalError, OSError), match="certificate verify failed"):
            _connect(variables)


def test_the_operators_go_on_over_tls(encrypted: RunningFleet) -> None:
    """The cluster operator asks each node, the topology operator declares: a new queue becomes ready."""
    [cluster] = encrypted.objects("rabbitmqclusters.rabbitmq.com")
    conditions = {entry["type"]: entry["status"] for entry in cluster["status"]["conditions"]}
    assert (conditions["ReconcileSuccess"], conditions["AllReplicasReady"]) == ("True", "True")
    assert cluster["status"]["quorumStatus"] == "ok"
    spec = {"name": "of-a-test", "vhost": "celery-fleet", "type": "quorum", "durable": True}
    queue = {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": "Queue",
        "metadata": {"name": "of-a-test"},
        "spec": {**spec, "rabbitmqClusterReference": {"name": "broker"}},
    }
    encrypted.kubectl("apply", "-f", "-", stdin=json.dumps(queue))
    try:
        encrypted.kubectl("wait", "--for=condition=Ready", "queues.rabbitmq.com/of-a-test", "--timeout=60s", timeout=90)
    finally:
        encrypted.kubectl("delete", "queues.rabbitmq.com/of-a-test")


@contextmanager
def _believing(fleet: RunningFleet, authority: Path, port: int) -> Iterator[ssl.SSLSocket]:
    """A connection to a port of the broker's pod, by the name that stands on its certificate."""
    context = ssl.create_default_context(cafile=str(authority))
    with (
        socket.create_connection((_address(fleet), port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=SERVER_NAME) as connection,
    ):
        yield connection


def test_the_metrics_are_read_over_tls(encrypted: RunningFleet, authority: Path) -> None:
    """By the name that stands on the certificate, as a scraper's `serverName`."""
    with _believing(encrypted, authority, 15691) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\nHost: broker\r\n\r\n")
        assert b"200" in connection.recv(64)


def _serial(fleet: RunningFleet, authority: Path) -> int:
    """Of the certificate that the broker shows now."""
    with _believing(fleet, authority, 5671) as connection:
        shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


def _restarts(fleet: RunningFleet) -> dict[str, Any]:
    return {
        item["metadata"]["name"]: item["status"]["containerStatuses"][0]["restartCount"]
        for item in fleet.objects("pods", "-l", "app.kubernetes.io/name in (broker, web)")
    }


def test_a_renewed_certificate_is_shown_without_a_restart(encrypted: RunningFleet, authority: Path) -> None:
    """The kubelet writes it into the pod, Erlang reads it again within two minutes, and clients believe it as they believed the first."""
    before, pods = _serial(encrypted, authority), _restarts(encrypted)
    encrypted.kubectl("delete", "secret", "broker-tls")
    eventually(
        lambda: True if _serial(encrypted, authority) != before else None,
        within_seconds=300, waiting_for="the broker to show the certificate that was signed anew", every_seconds=5,
    )  # fmt: skip
    _do_a_report(encrypted, "after-a-renewal")
    assert _restarts(encrypted) == pods


def test_switching_it_off_again_gives_the_fleet_as_it_was(encrypted: RunningFleet, switched_back: list[bool]) -> None:
    """Plain ports are open, TLS ports closed, and tasks are done."""
    _up(encrypted)
    switched_back.append(True)
    address = _address(encrypted)
    assert {port: _listens(address, port) for port in (*PLAIN, *ENCRYPTED)} == {
        **dict.fromkeys(PLAIN, True), **dict.fromkeys(ENCRYPTED, False),
    }  # fmt: skip
    _do_a_report(encrypted, "in-clear-again")
