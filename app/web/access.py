"""Turns away requests that the web layer does not take: without a token (401), too many (429), too large (413).

Invariant: they are turned away before their body is read, and a body is never read beyond its limit. `/healthz` and `/readyz` are the kubelet's, which has
no token and must not be told to wait. Sources: RFC 6750 (bearer tokens), RFC 7617 (passwords), RFC 6585 (429), RFC 9110 (413, Retry-After).
"""

import base64
import math
from typing import Any

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.limits import RateLimiter, WebLimits
from app.web.metrics import Metrics

PAGE_PATHS = frozenset({"/fleet", "/fleet/now"})
"""A browser cannot be told a bearer token, but asks a person for a password: here, and to look alone, the token is taken as one, too. Nowhere else, since
browsers send a password along with whatever another site has them ask for."""

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
CLIENT, LIMITER = "fleet.client", "fleet.limiter"
"""Keys of the scope."""


class Access:
    """ASGI middleware."""

    def __init__(self, inner: ASGIApp, *, limits: WebLimits, metrics: Metrics) -> None:
        self._inner = inner
        self._limits = limits
        self._metrics = metrics
        rate = limits.rate_per_second
        self._limiter = None if rate is None else RateLimiter(rate, limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer it."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._inner(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._inner(scope, self._bounded(receive), send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = dict(scope["headers"])
        by_person = scope["path"] in PAGE_PATHS and scope["method"] in {"GET", "HEAD"}
        client = self._client(headers, by_person=by_person)
        if client is None and by_person:
            ask = {"WWW-Authenticate": 'Basic realm="fleet", charset="UTF-8"'}
            return self._refuse("token", 401, "a token is needed: as password beside any name, or as bearer token", ask)
        if client is None:
            return self._refuse("token", 401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
        scope[CLIENT] = client
        if self._limiter is not None:
            bucket = f"client {client}" if client else f"address {(scope.get('client') or ('',))[0]}"
            scope[LIMITER] = (self._limiter, bucket)
            if seconds := self._limiter.take(bucket):
                wait = {"Retry-After": str(math.ceil(seconds))}
                return self._refuse("rate", 429, f"more than {self._limits.rate_per_second:g} requests a second", wait)
        if _length(headers) > self._limits.max_body_bytes:
            return self._refuse("size", 413, self._too_large(), {"Connection": "close"})
        return None

    def _client(self, headers: dict[bytes, bytes], *, by_person: bool) -> str | None:
        """The client of a request: empty where nobody needs a token, None where this one lacks a good one."""
        if self._limits.tokens is None:
            return ""
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "basic" and by_person:
            return self._limits.tokens.client(_password(token))
        return self._limits.tokens.client(token.strip()) if scheme.lower() == "bearer" else None

    def _refuse(self, reason: str, status: int, detail: str, headers: dict[str, str]) -> JSONResponse:
        self._metrics.turned_away.labels(reason).inc()
        return JSONResponse({"detail": detail}, status_code=status, headers=headers)

    def _too_large(self) -> str:
        return f"the body is larger than {self._limits.max_body_bytes} bytes; keep large data elsewhere and name it in the arguments"

    def _bounded(self, receive: Receive) -> Receive:
        """Counts what comes: a body that is sent in chunks states no length, and a stated one may be untrue."""
        read = 0

        async def receive_bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limits.max_body_bytes:
                self._metrics.turned_away.labels("size").inc()
                raise HTTPException(413, self._too_large(), headers={"Connection": "close"})
            return message

        return receive_bounded


def _password(credentials: str) -> str:
    """Of what a browser sends; empty where it is none."""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _length(headers: dict[bytes, bytes]) -> int:
    text = headers.get(b"content-length", b"0")
    # What is no number is counted as it comes.
    return int(text) if text.isdigit() else 0


def client_of(request: Request) -> str:
    """Whose token the request has; empty where nobody needs one."""
    return str(request.scope.get(CLIENT, ""))


def charge(request: Request, count: int) -> None:
    """Count a request as so many more."""
    found: tuple[Any, str] | None = request.scope.get(LIMITER)
    if found is not None and count > 0:
        found[0].owe(found[1], count)
