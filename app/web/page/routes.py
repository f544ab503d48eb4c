"""`GET /fleet`, the page, and `GET /fleet/now`, its content alone."""

import time
from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from app.web.page.collecting import Collector
from app.web.page.rendering import HEADERS, render_now, render_page
from app.web.page.view import PageView, view_page
from fleet.documents import WebDocument

HELD_SECONDS = 1.0
CORE_SHARE = 0.05


class _Rendered:
    """What was rendered last: those who look at nearly the same time are shown the same, so that looking costs a bounded share of a core."""

    def __init__(self, render: Callable[[PageView], str]) -> None:
        self._render = render
        self._until = 0.0
        self._text = ""

    def text(self, document: WebDocument, collector: Collector) -> str:
        begin = time.monotonic()
        if begin >= self._until:
            self._text = self._render(view_page(document, collector.snapshot, now=time.time()))
            end = time.monotonic()
            self._until = end + max(HELD_SECONDS, (end - begin) / CORE_SHARE)
        return self._text


def add_page(api: FastAPI, document: WebDocument, collector: Collector) -> None:
    """The page of a fleet."""
    page, content = _Rendered(render_page), _Rendered(render_now)

    # Coroutines: they answer even while every thread waits for the broker.
    @api.get("/fleet", include_in_schema=False)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(page.text(document, collector), headers=HEADERS)

    @api.get("/fleet/now", include_in_schema=False)
    async def show_now() -> HTMLResponse:
        return HTMLResponse(content.text(document, collector), headers=HEADERS)
