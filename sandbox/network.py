"""The addresses of a sandbox and its place in the host's network: one network namespace, one veth pair, two routes.

Invariant: the sandbox takes only addresses that no route or interface of the machine claims, and listens on nothing of
the machine's own. Deleting the namespace takes the pair, the routes and every rule of the node with it.
"""

import hashlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.commands import run, succeeds
from sandbox.errors import RefusalError

Network = ipaddress.IPv4Network

BLOCKS = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        *(f"10.{number}.0.0/20" for number in range(231, 251)),
        *(f"172.{number}.240.0/20" for number in range(18, 32)),
        "198.18.0.0/20",
    )
)
"""Tried in this order. Far from what home routers, clouds and container engines take by themselves."""


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Who has which address in one sandbox; a block of /20 holds them all."""

    block: Network

    @property
    def link(self) -> Network:
        """Between host and node."""
        return next(self.block.subnets(new_prefix=24))

    @property
    def host(self) -> str:
        """The host's end of the pair."""
        return str(self.link[1])

    @property
    def node(self) -> str:
        """The node's end: API server, kubelet, DNS."""
        return str(self.link[2])

    @property
    def pods(self) -> Network:
        """One /24, because there is one node."""
        return list(self.block.subnets(new_prefix=24))[4]

    @property
    def services(self) -> Network:
        """Cluster addresses of Services."""
        return list(self.block.subnets(new_prefix=22))[2]

    @property
    def api_service(self) -> str:
        """The `kubernetes` Service: by rule the first address of the range."""
        return str(self.services[1])


def choose_block(taken: Iterable[Network]) -> Network:
    """The first block that overlaps nothing taken.

    Raises: RefusalError when all are taken, as behind a VPN that claims all private addresses.
    """
    claimed = list(taken)
    for block in BLOCKS:
        if not any(block.overlaps(other) for other in claimed):
            return block
    raise RefusalError(
        "network", f"every address block the sandbox could take is taken ({BLOCKS[0]} … {BLOCKS[-1]})",
        "Leave the VPN that routes all private addresses, or free one of them (ip route).",
    )  # fmt: skip


def parse_taken(addresses: str, routes: str) -> list[Network]:
    """The networks that `ip -json address` and `ip -json route show table all` name; the default route takes none."""
    taken: list[Network] = []
    for link in json.loads(addresses or "[]"):
        for one in link.get("addr_info", []):
            if one.get("family") == "inet":
                taken.append(ipaddress.IPv4Network(f"{one['local']}/{one['prefixlen']}", strict=False))
    for route in json.loads(routes or "[]"):
        destination = route.get("dst", "default")
        if destination == "default" or ":" in destination:
            continue
        network = ipaddress.IPv4Network(destination, strict=False)
        # Halves of the whole, the way a VPN overrides the default route, claim no address in particular.
        if network.prefixlen > 1:
            taken.append(network)
    return taken


def taken_networks() -> list[Network]:
    """What this machine's interfaces and routes claim."""
    return parse_taken(run(["ip", "-json", "address"]), run(["ip", "-json", "route", "show", "table", "all"]))


def link_name(name: str) -> str:
    """The host's end of the pair; 15 characters at most, so a hash stands for the name."""
    return f"fleet-{hashlib.sha256(name.encode()).hexdigest()[:7]}"


def namespace_file(name: str) -> Path:
    """Where iproute2 keeps the namespace."""
    return Path("/run/netns") / name


def create(name: str, addresses: Addresses) -> None:
    """Make the namespace and the pair; whatever an interrupted start left is made anew."""
    if _is_whole(name, addresses):
        return
    remove(name)
    if any(addresses.block.overlaps(other) for other in taken_networks()):
        raise RefusalError(
            "network",
            f"the addresses of this sandbox, {addresses.block}, were taken by something else since it was made",
            "Free them (ip route), or let it choose others: make down, then make up.",
        )
    host_end, node_end = link_name(name), "node0"
    inside = ["ip", "-netns", name]
    run(["ip", "netns", "add", name])
    run(["ip", "link", "add", host_end, "type", "veth", "peer", "name", node_end, "netns", name])
    run([*inside, "link", "set", "lo", "up"])
    run([*inside, "address", "add", f"{addresses.node}/{addresses.link.prefixlen}", "dev", node_end])
    run([*inside, "link", "set", node_end, "up"])
    run(["ip", "address", "add", f"{addresses.host}/{addresses.link.prefixlen}", "dev", host_end])
    run(["ip", "link", "set", host_end, "up"])
    # Service addresses need some route before kube-proxy can rewrite them; the host forwards none of it.
    run([*inside, "route", "add", "default", "via", addresses.host])
    for network in (addresses.pods, addresses.services):
        run(["ip", "route", "add", str(network), "via", addresses.node, "dev", host_end])


def _is_whole(name: str, addresses: Addresses) -> bool:
    if not namespace_file(name).exists():
        return False
    # The service route is the last thing `create` makes.
    routes = json.loads(run(["ip", "-json", "route"]))
    return any(route.get("dst") == str(addresses.services) and route.get("dev") == link_name(name) for route in routes)


def remove(name: str) -> None:
    """Take the namespace away, and with it the pair, the routes and the rules."""
    if namespace_file(name).exists():
        run(["ip", "netns", "delete", name], fix=f"Run it by hand: ip netns delete {name}")
    # The kernel frees a namespace later than it forgets its name; the host's end must not be met again meanwhile.
    if succeeds(["ip", "link", "show", link_name(name)]):
        succeeds(["ip", "link", "delete", link_name(name)])
