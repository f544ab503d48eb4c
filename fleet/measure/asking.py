"""One HTTP request, for what answers in JSON or text; what goes wrong ends in words.

Invariant: a bearer token goes to the host that it is for and to no other, and no message holds it. Certificates and proxies are those of the machine
(`SSL_CERT_FILE`, `HTTPS_PROXY`).
"""

import http.client
import os
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from fleet.errors import FleetError, UsageError

TOKEN_VARIABLE = "FLEET_PROMETHEUS_TOKEN"  # noqa: S105 - the name of a variable
ANSWER_BYTES_MAX = 64 * 2**20
TIMEOUT_SECONDS = 30.0
HINT_CHARACTERS = 200


def check_address(url: str, option: str) -> str:
    """An address without its last slash.

    Raises: UsageError for anything but http or https, and for one with a password, which would stand in the history of a shell.
    """
    try:
        parts = urlsplit(url)
        host, login = parts.hostname, parts.username or parts.password
    except ValueError:
        host, login, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        shown = url if "@" not in url else "the address"
        raise UsageError(f"{option} {shown}", "is no address", "Write it whole, such as http://localhost:9090.")
    if login:
        raise UsageError(
            f"{option} {parts.scheme}://...@{host}", "has a login in it", f"Put a bearer token into {TOKEN_VARIABLE}."
        )
    return url.rstrip("/")


def ask(url: str, *, token: str | None = None, accept: str = "application/json") -> bytes:
    """What an address answers, errors of HTTP included where they have a body in JSON.

    Raises: FleetError when there is no answer, or one that refuses.
    """
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - the scheme was checked
    if token:
        try:
            token.encode("latin-1")
        except UnicodeEncodeError:
            raise FleetError(TOKEN_VARIABLE, "has characters that no token has", "Set it anew.") from None
        # A header that a redirect does not carry to another host.
        request.add_unredirected_header("Authorization", f"Bearer {token.strip()}")
    where = url.partition("?")[0]
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            body = bytes(answer.read(ANSWER_BYTES_MAX + 1))
    except urllib.error.HTTPError as error:
        with error:
            return _refused(error, where)
    except urllib.error.URLError as error:
        reason = error.reason
        told = getattr(reason, "strerror", None) or str(reason)
        raise FleetError(where, f"does not answer: {told}", _reach(where)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FleetError(where, f"does not answer: {str(error) or type(error).__name__}", _reach(where)) from None
    if len(body) > ANSWER_BYTES_MAX:
        raise FleetError(where, "answers with more than 64 MiB", "Ask for a shorter --window.")
    return body


def token() -> str | None:
    """The bearer token of the environment, if there is one."""
    return os.environ.get(TOKEN_VARIABLE, "").strip() or None


def _refused(error: urllib.error.HTTPError, where: str) -> bytes:
    if error.code in (401, 403):
        problem = "refuses the token" if token() else "asks for a login"
        raise FleetError(where, f"{problem} ({error.code})", f"Put a bearer token that may read into {TOKEN_VARIABLE}.")
    try:
        body = bytes(error.read(HINT_CHARACTERS * 100))
    except (OSError, http.client.HTTPException):
        body = b""
    if body.lstrip().startswith(b"{"):
        return body
    raise FleetError(where, f"answers {error.code} {error.reason}", _reach(where))


def _reach(where: str) -> str:
    forward = "kubectl port-forward"
    return f"See whether something listens there; from outside the cluster, with {forward}. {where} is what was asked."
