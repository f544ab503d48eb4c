"""How the fleet's broker is spoken to from this machine: which of its ports are open, and whom to believe.

Invariant: a forwarded port leads to the broker under an address that stands on no certificate, so it is verified by its name inside the cluster; what is
verified is never left out. Facts: the ports of the Service `broker` are those that the cluster operator opens; the Secret is `infra.manifests.tls`'.
"""

import base64
import json
import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from ops import forwarding
from ops.target import Target

BROKER_SERVICE = "broker"
AUTHORITY_SECRET = "broker-tls"  # noqa: S105 - the name of a Secret, not its content
AUTHORITY_KEY = "ca.crt"
HTTP_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class BrokerAccess:
    """The ports of the Service, and the authority of its certificate."""

    amqp_port: int
    management_port: int
    authority: str | None = None
    """Certificate in PEM; None where the broker speaks in clear."""

    def management(self, local_port: int, login: tuple[str, str]) -> httpx.Client:
        """A client of the management API behind a forwarded port."""
        address = f"{forwarding.LOOPBACK}:{local_port}"
        if self.authority is None:
            return httpx.Client(base_url=f"http://{address}", auth=login, timeout=HTTP_SECONDS)
        context = ssl.create_default_context(cadata=self.authority)
        return httpx.Client(
            base_url=f"https://{address}", auth=login, timeout=HTTP_SECONDS, verify=context,
            event_hooks={"request": [_named]},
        )  # fmt: skip


def _named(request: httpx.Request) -> None:
    """httpx compares the certificate with this name instead of the address (httpx docs, "Extensions", `sni_hostname`)."""
    request.extensions["sni_hostname"] = BROKER_SERVICE


def broker_access(target: Target) -> BrokerAccess:
    """What the cluster says.

    Raises: FleetError when there is no broker, or its Secret is missing.
    """
    ports = _ports(_get(target, "service", BROKER_SERVICE))
    if "amqps" not in ports:
        return BrokerAccess(amqp_port=ports["amqp"], management_port=ports["management"])
    encoded = _get(target, "secret", AUTHORITY_SECRET)["data"][AUTHORITY_KEY]
    return BrokerAccess(
        amqp_port=ports["amqps"],
        management_port=ports["management-tls"],
        authority=base64.b64decode(encoded).decode(),
    )


def _ports(service: dict[str, Any]) -> dict[str, int]:
    return {port["name"]: int(port["port"]) for port in service["spec"]["ports"]}


def _get(target: Target, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(target.kubectl("get", kind, name, "--namespace", target.namespace, "-o", "json"))
    return found
