"""Calls to a broker are verified, encoded, and answered in the broker's words.

Upstream: michaelklishin/rabbit-hole v3 `client.go`, `error.go`; rabbitmq/messaging-topology-operator v1.20.1
`rabbitmqclient/rabbitmq_client_factory.go`.
"""

import asyncio
import datetime
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.standins.rabbitmq_operators.cluster_reference import resolve
from sandbox.standins.rabbitmq_operators.management_api import (
    BrokerError,
    BrokerNotFoundError,
    BrokerUnreachableError,
    Call,
    Connection,
    ManagementApi,
)
from sandbox.standins.secret_data import encode_data
from tests.sandbox.standins.rabbitmq_fakes import InMemoryApiServer

OVERVIEW = Call("GET", ("overview",))


def ask(status: int, text: str) -> Any:
    """What a call gives to a broker that answers everything like this."""

    async def run() -> Any:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=status, text=text)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        connection = Connection(url=f"http://{host}:{port}", username="u", password="p")
        try:
            async with aiohttp.ClientSession() as session:
                return await ManagementApi(session, connection).send(OVERVIEW)
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def test_an_answer_is_decoded() -> None:
    """No content is None."""
    assert ask(200, '{"rabbitmq_version": "4.3.6"}') == {"rabbitmq_version": "4.3.6"}
    assert ask(201, "") is None


@pytest.mark.parametrize(
    ("status", "text", "error", "message"),
    [
        pytest.param(
            400,
            '{"error": "bad_request", "reason": "no"}',
            BrokerError,
            r"^Error 400 \(bad_request\): no$",
            id="refusal",
        ),
        pytest.param(
            404, '{"error": "Object Not Found", "reason": "Not Found"}', BrokerNotFoundError, "Not Found$", id="missing"
        ),
        pytest.param(401, "{}", BrokerError, "^Error: API responded with a 401 Unauthorized$", id="wrong-password"),
        pytest.param(500, "oops", BrokerError, "^Error 500 from RabbitMQ: oops$", id="no-json"),
    ],
)
def test_a_refusal_is_quoted(status: int, text: str, error: type[BrokerError], message: str) -> None:
    """In the form that the real operator writes into conditions."""
    with pytest.raises(error, match=message):
        ask(status, text)


def test_nobody_there_is_said_plainly() -> None:
    """Method, address and reason, without a library's jargon."""

    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            await ManagementApi(session, Connection(url="http://127.0.0.1:9", username="u", password="p")).send(
                OVERVIEW
            )

    with pytest.raises(BrokerUnreachableError, match=r"^GET http://127\.0\.0\.1:9/api/overview: Connection refused$"):
        asyncio.run(run())


def test_names_are_one_path_segment_each() -> None:
    """Whatever is in them."""
    call = Call("GET", ("queues", "/", "a b/ü?#%"), query=(("if-empty", "true"),))
    assert call.target == "/api/queues/%2F/a%20b%2F%C3%BC%3F%23%25?if-empty=true"


def certificate(folder: Path, name: str) -> tuple[Path, str]:
    """A self-signed certificate for `name`: file with it and its key, and the certificate as text."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = built.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    path = folder / "tls.pem"
    path.write_text(private + text)
    return path, text


@pytest.mark.parametrize(
    ("server_name", "trusted", "accepted"),
    [
        pytest.param("broker.fleet.svc", True, True, id="the-service-it-is-for"),
        pytest.param("other.fleet.svc", True, False, id="another-service"),
        pytest.param("broker.fleet.svc", False, False, id="an-unknown-authority"),
    ],
)
def test_a_certificate_is_checked_against_the_services_name(
    tmp_path: Path, server_name: str, *, trusted: bool, accepted: bool
) -> None:
    """Although the Service is called by its address."""
    path, text = certificate(tmp_path, "broker.fleet.svc")

    async def run() -> Any:
        async def answer(_: web.Request) -> web.Response:
            return web.json_response({"ok": True})

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        application = web.Application()
        application.router.add_get("/api/overview", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        port = runner.addresses[0][1]
        connection = Connection(
            url=f"https://127.0.0.1:{port}",
            username="u",
            password="p",
            server_name=server_name,
            authorities=text if trusted else None,
        )
        try:
            async with aiohttp.ClientSession() as session:
                return await ManagementApi(session, connection).send(OVERVIEW)
        finally:
            await runner.cleanup()

    if accepted:
        assert asyncio.run(run()) == {"ok": True}
    else:
        with pytest.raises(BrokerUnreachableError, match=r"certificate verify failed|[Cc]ertificate"):
            asyncio.run(run())


@pytest.mark.parametrize(
    ("uri", "namespace", "believed"),
    [
        pytest.param("https://broker:15671", "rabbitmq-system", "of-the-fleet", id="mounted-beside-the-operator"),
        pytest.param("https://broker:15671", "fleet", None, id="beside-the-broker-it-is-not-mounted"),
        pytest.param("http://broker:15672", "rabbitmq-system", None, id="in-clear-nobody-has-to-be-believed"),
    ],
)
def test_the_operator_believes_what_is_mounted_beside_it(uri: str, namespace: str, believed: str | None) -> None:
    """Upstream reads /etc/ssl/certs of its pod; a broker cannot bring an authority of its own."""
    api = InMemoryApiServer()
    login = {"uri": uri, "username": "admin", "password": "secret"}
    api.add(
        {"kind": "Secret", "metadata": {"name": "login", "namespace": "fleet"}, "data": encode_data(login)},
    )
    authority = encode_data({"ca.crt": "of-the-fleet", "tls.key": "never-read"})
    api.add({"kind": "Secret", "metadata": {"name": "authority", "namespace": namespace}, "data": authority})
    found = asyncio.run(resolve(api, {"connectionSecret": {"name": "login"}}, "fleet"))
    assert found.authorities == believed
