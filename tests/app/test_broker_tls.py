"""The broker over TLS: one on loopback that speaks it, and clients that believe it or do not."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from amqp.exceptions import AMQPError
from celery import Celery
from cryptography import x509
from kombu.exceptions import OperationalError

from app.broker import connect_broker
from app.connections import read_connections
from app.settings import configure
from fleet.errors import FleetError
from tests.app.amqp_broker import AmqpBroker, amqp_broker
from tests.app.certificates import self_signed
from tests.app.documents import ENVIRONMENT, PRODUCER

REFUSED = (OperationalError, AMQPError, OSError)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The broker's, for a name that is not its address."""
    return self_signed(tmp_path_factory.mktemp("certificate"), x509.DNSName("localhost"), name="broker")


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an authority that has nothing to do with the broker."""
    return self_signed(tmp_path_factory.mktemp("another"), x509.DNSName("localhost"), name="another")


@contextmanager
def broker_with(certificate: Path) -> Iterator[AmqpBroker]:
    """A broker that speaks TLS with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with amqp_broker(tls=context) as broker:
        yield broker


def environment(broker: AmqpBroker, authority: Path | None, **more: str) -> dict[str, str]:
    """The variables of a pod whose broker speaks TLS."""
    trusted = {} if authority is None else {"FLEET_BROKER_CA": str(authority)}
    place = {"FLEET_BROKER_HOST": "localhost", "FLEET_BROKER_PORT": str(broker.port), "FLEET_BROKER_TLS": "true"}
    return {**ENVIRONMENT, **place, **trusted, **more}


def publish(environ: Mapping[str, str]) -> None:
    """One task by Celery, as the web layer, a worker and beat enqueue it."""
    app: Any = Celery("user", set_as_current=False)
    configure(app, PRODUCER, environ)
    try:
        app.send_task("app.tasks.orders.confirm", retry=False)
    finally:
        app.close()


def connect(environ: Mapping[str, str]) -> None:
    """A connection as the Job of the delays and `fleet dlq` make it."""
    with connect_broker(read_connections(environ), "shop", name="test") as connection:
        connection.ensure_connection(max_retries=1, interval_start=0.01)


each_client = pytest.mark.parametrize("client", [pytest.param(publish, id="celery"), pytest.param(connect, id="kombu")])


@each_client
def test_a_broker_that_the_authority_vouches_for_is_reached(client: Any, certificate: Path) -> None:
    """Through a connection that was verified, name and all."""
    with broker_with(certificate) as broker:
        client(environment(broker, certificate))
        if client is publish:
            assert [message.routing_key for message in broker.published] == ["high"]


@each_client
def test_a_broker_that_nobody_vouches_for_is_refused(client: Any, certificate: Path) -> None:
    """The system's authorities do not know it; the password is not sent."""
    with broker_with(certificate) as broker:
        with pytest.raises(REFUSED, match="certificate verify failed"):
            client(environment(broker, None))
        assert broker.published == []


@each_client
def test_the_word_of_another_authority_is_worth_nothing(client: Any, certificate: Path, another: Path) -> None:
    """Only the one that was named counts."""
    with broker_with(certificate) as broker, pytest.raises(REFUSED, match="certificate verify failed"):
        client(environment(broker, another))


@each_client
def test_a_certificate_for_another_name_is_refused(client: Any, certificate: Path) -> None:
    """Whoever has some certificate of the authority is not the broker yet."""
    with broker_with(certificate) as broker, pytest.raises(REFUSED, match=r"IP address mismatch|Hostname mismatch"):
        client(environment(broker, certificate, FLEET_BROKER_HOST="127.0.0.1"))


@each_client
def test_a_forwarded_broker_is_verified_by_its_own_name(client: Any, certificate: Path) -> None:
    """Behind a forwarded port or a load balancer the address is not the name on the certificate."""
    with broker_with(certificate) as broker:
        client(environment(broker, certificate, FLEET_BROKER_HOST="127.0.0.1", FLEET_BROKER_SERVER_NAME="localhost"))


@each_client
def test_a_broker_that_speaks_no_tls_is_sent_nothing(client: Any, certificate: Path) -> None:
    """A client that was told to speak TLS does not fall back to plain AMQP."""
    with amqp_broker() as broker:
        with pytest.raises(REFUSED):
            client(environment(broker, certificate))
        assert broker.published == []


def test_an_authority_that_is_replaced_counts_from_the_next_connection(
    certificate: Path, another: Path, tmp_path: Path
) -> None:
    """The mounted file follows its Secret, and no process starts again for it."""
    mounted = tmp_path / "ca.crt"
    with broker_with(certificate) as broker:
        mounted.write_bytes(another.read_bytes())
        environ = environment(broker, mounted)
        connections = read_connections(environ)
        with connect_broker(connections, "shop", name="test") as connection:
            with pytest.raises(REFUSED):
                connection.ensure_connection(max_retries=1, interval_start=0.01)
            mounted.write_bytes(certificate.read_bytes())
            connection.ensure_connection(max_retries=1, interval_start=0.01)
            assert connection.connected


@pytest.mark.parametrize(
    ("said", "port"),
    [
        pytest.param({}, 5672, id="in-clear"),
        pytest.param({"FLEET_BROKER_TLS": "false"}, 5672, id="said-not-to"),
        pytest.param({"FLEET_BROKER_TLS": "true"}, 5671, id="by-the-systems-authorities"),
    ],
)
def test_the_port_follows_the_protocol_where_none_is_named(said: dict[str, str], port: int) -> None:
    """RabbitMQ's own: 5671 for AMQPS."""
    without_port = {name: value for name, value in ENVIRONMENT.items() if name != "FLEET_BROKER_PORT"}
    found = read_connections({**without_port, **said}).broker
    assert found.port == port
    assert (found.tls is not None) == (port == 5671)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        pytest.param({"FLEET_BROKER_TLS": "yes"}, "FLEET_BROKER_TLS is 'yes'", id="a-word-that-is-no-switch"),
        pytest.param({"FLEET_BROKER_CA": __file__}, "FLEET_BROKER_TLS is not true", id="an-authority-without-tls"),
        pytest.param(
            {"FLEET_BROKER_TLS": "true", "FLEET_BROKER_CA": "/nowhere/ca.crt"}, "which is no file", id="no-such-file"
        ),
    ],
)
def test_a_mistake_in_the_environment_is_told_before_anything_is_sent(said: dict[str, str], problem: str) -> None:
    """With the variable to correct."""
    with pytest.raises(FleetError, match=problem):
        read_connections({**ENVIRONMENT, **said})
