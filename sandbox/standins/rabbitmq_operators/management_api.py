"""The broker's management API: one call at a time, and the errors that it answers with.

Invariant: a refusal reaches the resource's status in the broker's own words; names travel percent-encoded, so that
vhost `/` and a routing key with a hash mark stay one path segment each.
Facts from: RabbitMQ 4.3 HTTP API reference; error texts as github.com/michaelklishin/rabbit-hole v3 `error.go` forms.
"""

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=5)
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_FIRST_ERROR: Final = 400


class BrokerError(Exception):
    """The broker refused a call or could not be reached; the text is fit for a condition's message."""


class BrokerUnreachableError(BrokerError):
    """No answer came; the call may be repeated."""


class BrokerNotFoundError(BrokerError):
    """What the call names does not exist on the broker."""


@dataclass(frozen=True)
class Call:
    """One request: method, path segments below `/api` (not yet encoded), JSON body, query."""

    method: str
    path: tuple[str, ...]
    body: Mapping[str, Any] | None = None
    query: tuple[tuple[str, str], ...] = ()

    @property
    def target(self) -> str:
        """Path and query as sent."""
        path = "/api/" + "/".join(quote(segment, safe="") for segment in self.path)
        return path + ("?" + "&".join(f"{key}={quote(value)}" for key, value in self.query) if self.query else "")


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where a broker's management API is, and who may use it."""

    url: str
    """Scheme, address, port and path prefix; the address is an IP where the caller has no cluster DNS."""

    username: str
    password: str
    server_name: str | None = None
    """Name on the broker's certificate, when it is not the address in `url`."""

    authorities: str | None = None
    """Certificates to trust beside the machine's own, in PEM."""

    def tls(self) -> ssl.SSLContext | bool:
        """How aiohttp verifies the broker; True for a plain connection."""
        if not self.url.startswith("https:"):
            return True
        context = ssl.create_default_context()
        if self.authorities is not None:
            context.load_verify_locations(cadata=self.authorities)
        return context


class ManagementApi:
    """Calls to one broker over a shared session."""

    def __init__(self, session: aiohttp.ClientSession, connection: Connection) -> None:
        self._session = session
        self._connection = connection

    async def send(self, call: Call) -> Any:
        """The decoded answer, None where the broker answers with no content.

        Raises: BrokerNotFoundError, BrokerUnreachableError, BrokerError.
        """
        connection = self._connection
        tls = connection.tls()
        try:
            async with self._session.request(
                call.method,
                URL(connection.url.rstrip("/") + call.target, encoded=True),
                data=None if call.body is None else json.dumps(call.body),
                headers={
                    "Content-Type": "application/json",
                    "Authorization": aiohttp.encode_basic_auth(connection.username, connection.password),
                },
                timeout=_TIMEOUT,
                ssl=tls,
                server_hostname=None if tls is True else connection.server_name,
            ) as response:
                text = await response.text()
                if response.status >= _FIRST_ERROR:
                    raise _refusal(response.status, text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            where = f"{call.method} {connection.url}{call.target}"
            raise BrokerUnreachableError(f"{where}: {_unreachable_reason(error)}") from None
        return json.loads(text) if text else None


def _unreachable_reason(error: Exception) -> str:
    """Why no answer came, in the system's words where it has any."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return os.strerror(error.os_error.errno)
    return str(error) or "timed out"


def _refusal(status: int, text: str) -> BrokerError:
    if status == _UNAUTHORIZED:
        return BrokerError("Error: API responded with a 401 Unauthorized")
    try:
        content = json.loads(text)
        message = f"Error {status} ({content.get('error', '')}): {content.get('reason', '')}"
    except (ValueError, AttributeError):
        message = f"Error {status} from RabbitMQ: {text.strip()[:200]}"
    return BrokerNotFoundError(message) if status == _NOT_FOUND else BrokerError(message)
