"""The results store over TLS: a server on loopback that speaks it, and clients that believe it or do not."""

import contextlib
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from cryptography import x509

from app.connections import ResultsAddress, Secret, read_connections
from app.settings import configure
from app.store import StoreError, connect_store
from tests.app.certificates import self_signed
from tests.app.documents import ENVIRONMENT, PRODUCER

PASSWORD = "results-secret"


class Valkey(socketserver.StreamRequestHandler):
    """As much of the protocol as a `SET` needs: every command is fine, `HELLO` has an answer of its own."""

    def setup(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)  # type: ignore[attr-defined]  # the server below has one
        super().setup()

    def handle(self) -> None:
        while line := self.rfile.readline():
            parts = [self._part() for _ in range(int(line[1:]))]
            self.server.heard.append(parts)  # type: ignore[attr-defined]  # the server below has one
            self.wfile.write(b"%1\r\n+proto\r\n:3\r\n" if parts[0].upper() == "HELLO" else b"+OK\r\n")

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def _part(self) -> str:
        length = int(self.rfile.readline()[1:])
        return self.rfile.read(length + 2)[:length].decode()


class TlsServer(socketserver.ThreadingTCPServer):
    """Listens on a free port of the loopback interface and remembers what it was told."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Valkey)
        self.context = context
        self.heard: list[list[str]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not believe the certificate hangs up: that is what is tested."""


@contextlib.contextmanager
def serving(certificate: Path) -> Iterator[TlsServer]:
    """A server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with TlsServer(context) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the host name and not for the address."""
    return self_signed(tmp_path_factory.mktemp("certificate"), x509.DNSName("localhost"))


@pytest.fixture
def believed(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, as one of the system's authorities."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


def address(server: TlsServer, host: str = "localhost") -> ResultsAddress:
    """Where the server is."""
    return ResultsAddress(host=host, port=server.server_address[1], password=Secret(PASSWORD), tls=True)


def test_the_web_layers_store_is_reached_over_tls(believed: Path) -> None:
    """The password and the marker arrive, through a connection that was verified."""
    with serving(believed) as server, connect_store(address(server)) as store:
        assert store.set("key", "value")
    assert any(PASSWORD in command for command in server.heard)
    assert ["SET", "key", "value"] in server.heard


def test_celerys_backend_is_reached_over_tls(believed: Path) -> None:
    """Workers write results by Celery's own client, which has settings of its own."""
    app: Any = Celery("user", set_as_current=False)
    with serving(believed) as server:
        place = {"FLEET_RESULTS_HOST": "localhost", "FLEET_RESULTS_PORT": str(server.server_address[1])}
        configure(app, PRODUCER, {**ENVIRONMENT, **place, "FLEET_RESULTS_TLS": "true"})
        assert app.backend.client.set("key", "value")
        app.backend.client.close()
        app.backend.client.connection_pool.disconnect()
    assert ["SET", "key", "value"] in server.heard


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    """Before the password is sent."""
    with serving(certificate) as server, connect_store(address(server)) as store, pytest.raises(StoreError):
        store.set("key", "value")
    assert server.heard == []


def test_a_certificate_for_another_host_is_refused(believed: Path) -> None:
    """Whoever has some certificate is not the store yet."""
    with serving(believed) as server, connect_store(address(server, "127.0.0.1")) as store, pytest.raises(StoreError):
        store.set("key", "value")
    assert server.heard == []


def test_an_address_counts_as_a_host_where_the_certificate_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the test above fails for the name alone."""
    own = self_signed(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    with serving(own) as server, connect_store(address(server, "127.0.0.1")) as store:
        assert store.set("key", "value")


@pytest.mark.parametrize(
    ("said", "tls"),
    [
        pytest.param({}, False, id="a-store-in-the-cluster"),
        pytest.param({"FLEET_RESULTS_TLS": "false"}, False, id="said-not-to"),
        pytest.param({"FLEET_RESULTS_TLS": "true"}, True, id="a-managed-store"),
    ],
)
def test_the_environment_says_whether_the_store_speaks_tls(said: dict[str, str], tls: bool) -> None:
    """Both clients follow it, and verify where they do."""
    found = read_connections({**ENVIRONMENT, **said}).results
    assert found is not None
    assert found.tls is tls
    app: Any = Celery("user", set_as_current=False)
    configure(app, PRODUCER, {**ENVIRONMENT, **said})
    asked = app.backend.connparams
    assert (asked.get("ssl_cert_reqs"), asked.get("ssl_check_hostname")) == (
        (ssl.CERT_REQUIRED, True) if tls else (None, None)
    )
