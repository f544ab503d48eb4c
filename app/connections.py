"""How a pod reaches the broker and the results store: the `FLEET_*` variables, read once.

Invariant: a password is held, never shown; `repr` and every error leave it out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from fleet.errors import FleetError


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A server and its credentials."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)

    def url(self, scheme: str, path: str) -> str:
        """The URL with credentials; for libraries only, never for logs."""
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        return f"{scheme}://{user}{self.host}:{self.port}/{quote(path, safe='')}"


def broker_endpoint(environ: Mapping[str, str]) -> Endpoint:
    """The broker.

    Raises: FleetError naming the variable that is missing or wrong.
    """
    return Endpoint(
        host=_required(environ, "FLEET_BROKER_HOST"),
        port=_port(environ, "FLEET_BROKER_PORT", 5672),
        username=_required(environ, "FLEET_BROKER_USERNAME"),
        password=_required(environ, "FLEET_BROKER_PASSWORD"),
    )


def results_endpoint(environ: Mapping[str, str]) -> Endpoint | None:
    """The results store; None where the pod has none."""
    host = environ.get("FLEET_RESULTS_HOST")
    if not host:
        return None
    return Endpoint(
        host=host, port=_port(environ, "FLEET_RESULTS_PORT", 6379), password=environ.get("FLEET_RESULTS_PASSWORD", "")
    )


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise FleetError(name, "is not set", "The fleet's Deployments set it; outside a pod use `make shell`.")
    return value


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdigit():
        raise FleetError(name, f"is {text!r}, which is no port", f"Write a number such as {default}.")
    return int(text)
