"""How the web layer says no: `{"detail": ...}`, whatever the request held.

FastAPI repeats a wrong value in its answer; one that JSON cannot hold (NaN, half of a surrogate pair), which Python reads from a body all the same, would
make a 500 of the 422 (FastAPI 0.13x, Starlette 1.10, `JSONResponse.render`). Here the value is left out, which also keeps large ones from coming back, and
text is escaped.
"""

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

SHOWN = ("type", "loc", "msg")
"""Of what pydantic knows about a wrong value."""


class EscapedJsonResponse(JSONResponse):
    """JSON in ASCII."""

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def add_refusals(api: FastAPI) -> None:
    """Answer every refusal in this form."""

    @api.exception_handler(RequestValidationError)
    async def refuse_body(_: Request, error: RequestValidationError) -> JSONResponse:
        detail = [{name: found[name] for name in SHOWN} for found in error.errors()]
        return EscapedJsonResponse({"detail": detail}, status_code=422)

    @api.exception_handler(HTTPException)
    async def refuse(_: Request, error: HTTPException) -> JSONResponse:
        return EscapedJsonResponse({"detail": error.detail}, status_code=error.status_code, headers=error.headers)
