"""Asking the sandbox's API server from the host: read only, for waiting and for `status`."""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError
from sandbox.node_files import NodePlan

POLL_SECONDS = 0.4
ANSWER_WITHIN_SECONDS = 5.0


@dataclass
class ApiServer:
    """The API server as its administrator sees it."""

    server: str
    certificates: Path
    _context: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def of(cls, plan: NodePlan) -> "ApiServer":
        """The API server of a node."""
        return cls(plan.api_server, plan.certificates)

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at `path`; nothing when it is absent or the server does not answer."""
        if self._context is None:
            self._context = ssl.create_default_context(cafile=str(self.certificates / "ca.crt"))
            self._context.load_cert_chain(self.certificates / "admin.crt", self.certificates / "admin.key")
        try:
            with urllib.request.urlopen(  # noqa: S310 - the address is our own, always https
                f"{self.server}{path}", timeout=ANSWER_WITHIN_SECONDS, context=self._context
            ) as answer:
                text = answer.read()
        except OSError:
            return None
        if path == "/readyz":
            return {"status": text.decode()}
        document: dict[str, Any] = json.loads(text)
        return document

    def is_ready(self) -> bool:
        """Whether the server says so itself."""
        return self.get("/readyz") is not None


def condition(document: dict[str, Any] | None, kind: str) -> str:
    """The status of a condition: True, False, Unknown, or nothing."""
    for one in ((document or {}).get("status") or {}).get("conditions") or []:
        if one.get("type") == kind:
            return str(one.get("status"))
    return ""


def wait_until(what: str, missing: Callable[[], str], *, seconds: float, log: Path) -> None:
    """Wait until `missing` names nothing any more.

    Raises: SandboxError with what was missing to the end.
    """
    deadline = time.monotonic() + seconds
    while absent := missing():
        if time.monotonic() > deadline:
            raise SandboxError(what, f"not ready after {seconds:.0f} s: {absent}", f"The log is {log}.")
        time.sleep(POLL_SECONDS)
