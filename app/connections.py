"""Where the broker and the results store are, read from the pod's environment.

Invariant: a password is a `Secret`, which no representation, log line or traceback with locals shows. The variables are the only source of
connection facts; documents carry none. Who speaks TLS is verified, certificate and host name, or not spoken to.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleet.errors import FleetError

BROKER_VARIABLES = ("FLEET_BROKER_HOST", "FLEET_BROKER_USERNAME", "FLEET_BROKER_PASSWORD")

VERIFIED_TLS: Final[Mapping[str, Any]] = {
    "ssl_cert_reqs": ssl.CERT_REQUIRED,
    "ssl_check_hostname": True,
    "ssl_min_version": ssl.TLSVersion.TLSv1_2,
}
"""What is asked of a store that speaks TLS, in the words of redis-py, which Celery hands on as they are.

Said although the first two are redis-py's own defaults (8.1, `SSLConnection`): Celery has no default, and elsewhere verifying nothing is one.
"""


class Secret(str):
    """A string that libraries can use and people cannot read."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**'"


@dataclass(frozen=True, kw_only=True)
class BrokerTls:
    """How RabbitMQ is verified where it speaks TLS."""

    server_name: str
    """Name that its certificate has to be for."""
    authority: str | None = None
    """File with the certificates that may vouch for it, in PEM; None takes the system's authorities."""

    def options(self) -> dict[str, Any]:
        """What is asked of the broker, in the words of py-amqp, which Celery and kombu hand on as they are.

        py-amqp (5.4, `SSLTransport._wrap_socket_sni`) compares no host name unless it is given one. The file is read anew for each connection, so an
        authority that is replaced in it counts from the next one on.
        """
        found: dict[str, Any] = {
            "cert_reqs": ssl.CERT_REQUIRED,
            "server_hostname": self.server_name,
            "tls_minimum_version": ssl.TLSVersion.TLSv1_2,
        }
        return found if self.authority is None else {**found, "ca_certs": self.authority}


@dataclass(frozen=True, kw_only=True)
class BrokerAddress:
    """Where RabbitMQ is and who we are there."""

    host: str
    port: int
    username: str
    password: Secret
    tls: BrokerTls | None = None
    """None where it speaks AMQP in clear."""

    @property
    def ssl_options(self) -> dict[str, Any] | bool:
        """What kombu calls `ssl` and Celery `broker_use_ssl`."""
        return False if self.tls is None else self.tls.options()


@dataclass(frozen=True, kw_only=True)
class ResultsAddress:
    """Where the results store (Valkey or Redis) is."""

    host: str
    port: int
    password: Secret | None
    """None where the store asks for none."""
    tls: bool = False
    """Whether it speaks TLS; its certificate is then verified against the system's authorities, and has to be for `host`."""


@dataclass(frozen=True, kw_only=True)
class Connections:
    """All that a process of a fleet connects to."""

    broker: BrokerAddress
    results: ResultsAddress | None
    """None in the Job that declares the delayed-delivery tree: it stores nothing."""

    pod: str
    """Name of the pod, shown by the broker beside its connections."""


def read_connections(environ: Mapping[str, str]) -> Connections:
    """The connections that the `FLEET_*` variables describe.

    Raises: FleetError with every variable that is missing, or with one that has no such meaning or names no file.
    """
    missing = [name for name in BROKER_VARIABLES if not environ.get(name)]
    if missing:
        raise FleetError(
            "environment",
            f"{', '.join(missing)} not set",
            "The pod's manifest sets them from the broker user's Secret.",
        )
    results = None
    if environ.get("FLEET_RESULTS_HOST"):
        password = environ.get("FLEET_RESULTS_PASSWORD")
        results = ResultsAddress(
            host=environ["FLEET_RESULTS_HOST"],
            port=_port(environ, "FLEET_RESULTS_PORT", 6379),
            password=Secret(password) if password else None,
            tls=_boolean(environ, "FLEET_RESULTS_TLS"),
        )
    tls = _broker_tls(environ)
    return Connections(
        broker=BrokerAddress(
            host=environ["FLEET_BROKER_HOST"],
            port=_port(environ, "FLEET_BROKER_PORT", 5672 if tls is None else 5671),
            username=environ["FLEET_BROKER_USERNAME"],
            password=Secret(environ["FLEET_BROKER_PASSWORD"]),
            tls=tls,
        ),
        results=results,
        pod=environ.get("FLEET_POD_NAME") or "local",
    )


def _broker_tls(environ: Mapping[str, str]) -> BrokerTls | None:
    authority = environ.get("FLEET_BROKER_CA") or None
    if not _boolean(environ, "FLEET_BROKER_TLS"):
        if authority is None:
            return None
        # Whoever names an authority means to be protected by it.
        raise FleetError(
            "environment",
            "FLEET_BROKER_CA is set, but FLEET_BROKER_TLS is not true",
            "The password would be sent in clear: set FLEET_BROKER_TLS=true, or take FLEET_BROKER_CA away.",
        )
    if authority is not None and not Path(authority).is_file():
        raise FleetError(
            "environment",
            f"FLEET_BROKER_CA is {authority!r}, which is no file",
            "Name a file with the certificate of the broker's authority, in PEM (`ca.crt` of the Secret `broker-tls`).",
        )
    return BrokerTls(
        server_name=environ.get("FLEET_BROKER_SERVER_NAME") or environ["FLEET_BROKER_HOST"], authority=authority
    )


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise FleetError("environment", f"{name} is {text!r}, no port", "Write a number from 1 to 65535.")


def _boolean(environ: Mapping[str, str], name: str) -> bool:
    """Whether the variable says `true`; it does not when it is absent."""
    text = environ.get(name) or "false"
    if text in {"true", "false"}:
        return text == "true"
    # A guess would send a password in clear half of the times.
    raise FleetError("environment", f"{name} is {text!r}", "Write true or false.")
