"""Who may ask the web layer, how often and how much at once, read from the pod's environment.

Invariant: a token is a `Secret` until it is a digest, and no message shows one.
"""

import hashlib
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.connections import Secret
from fleet.errors import FleetError
from fleet.web import MAX_BODY_BYTES, TOKEN_FORM, TOKEN_PATTERN, split_tokens

CLIENTS_AT_MOST = 10_000
"""Buckets that are kept; the one that was used longest ago goes first, and it is the fullest."""

TOKENS_VARIABLE = "FLEET_WEB_TOKENS"


@dataclass(frozen=True)
class Tokens:
    """Which token is whose. Several may be one client's, so that a new one is handed out before the old one goes."""

    _clients: Mapping[bytes, str] = field(repr=False)
    """Digest -> client; digests have one length, so comparing them says nothing about a token's."""

    def client(self, token: str) -> str | None:
        """Whose token it is; None where it is nobody's. It takes as long whichever of them matches, and however much of it."""
        asked, found = _digest(token), None
        for digest, client in self._clients.items():
            if hmac.compare_digest(digest, asked):
                found = client
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True, kw_only=True)
class WebLimits:
    """What the web layer takes, and from whom."""

    max_body_bytes: int = MAX_BODY_BYTES
    tokens: Tokens | None = None
    """None where anybody who reaches it may ask."""
    rate_per_second: float | None = None
    """Requests, and further tasks of batches, of one client in each pod; None for any number."""
    burst: int = 1
    """So many at once after a pause."""


DEFAULTS = WebLimits()
"""A bounded body, and nobody's token is asked for."""


def read_limits(environ: Mapping[str, str]) -> WebLimits:
    """The limits that the `FLEET_WEB_*` variables state, and the defaults of the others.

    Raises: FleetError for a value that has no such meaning; a token is not shown.
    """
    rate = _number(environ, "FLEET_WEB_RATE_PER_SECOND")
    burst = _number(environ, "FLEET_WEB_BURST")
    size = _number(environ, "FLEET_WEB_MAX_BODY_BYTES")
    return WebLimits(
        max_body_bytes=MAX_BODY_BYTES if size is None else max(1, int(size)),
        tokens=_tokens(Secret(environ.get(TOKENS_VARIABLE, ""))),
        rate_per_second=rate,
        # A second's worth, where nothing is said.
        burst=max(1, math.ceil(rate or 1)) if burst is None else max(1, int(burst)),
    )


def _tokens(stated: Secret) -> Tokens | None:
    clients: dict[bytes, str] = {}
    for number, entry in enumerate(split_tokens(stated), start=1):
        parts = TOKEN_PATTERN.fullmatch(entry)
        if parts is None:
            raise FleetError(
                "environment",
                f"entry {number} of {TOKENS_VARIABLE} is no token of a client",
                f"Write {TOKEN_FORM}.",
            )
        clients[_digest(parts["token"])] = parts["client"]
    return Tokens(clients) if clients else None


def _number(environ: Mapping[str, str], name: str) -> float | None:
    text = environ.get(name)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise FleetError("environment", f"{name} is {text!r}", "Write a number above 0, or leave it out.")
    return number


class RateLimiter:
    """A token bucket for each client, in this process alone.

    In the process and not in the results store: that store may be away without refusing a task, and asking it would cost each request a round trip.
    What a client gets in all is the rate times the number of pods.
    """

    def __init__(self, rate_per_second: float, burst: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate_per_second
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Client -> what was left, and when."""

    def take(self, client: str) -> float:
        """Take one; 0 where there was one, otherwise the seconds until there is."""
        left, now = self._left(client)
        waiting = 0.0 if left >= 1 else (1 - left) / self._rate
        self._put(client, left if waiting else left - 1, now)
        return waiting

    def owe(self, client: str, count: int) -> None:
        """Take so many more, whether they are there or not; what is missing is waited for before the next request."""
        left, now = self._left(client)
        self._put(client, left - count, now)

    def _left(self, client: str) -> tuple[float, float]:
        now = self._clock()
        left, since = self._buckets.get(client, (self._burst, now))
        return min(self._burst, left + (now - since) * self._rate), now

    def _put(self, client: str, left: float, now: float) -> None:
        self._buckets[client] = (left, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > CLIENTS_AT_MOST:
            self._buckets.popitem(last=False)
