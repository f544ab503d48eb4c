"""Which addresses a sandbox takes."""

import ipaddress
import json

import pytest

from sandbox.errors import RefusalError
from sandbox.network import BLOCKS, Addresses, choose_block, link_name, parse_taken

FIRST = BLOCKS[0]


def net(text: str) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(text)


def test_a_free_machine_gives_the_first_block() -> None:
    """The same addresses at every start where nothing is in the way."""
    assert choose_block([]) == FIRST


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        pytest.param(str(FIRST), "10.232.0.0/20", id="a-second-sandbox-takes-the-next"),
        pytest.param("10.231.3.7/32", "10.232.0.0/20", id="one-address-inside-is-enough"),
        pytest.param("10.0.0.0/8", "172.18.240.0/20", id="a-network-around-all-of-10"),
    ],
)
def test_taken_addresses_are_left_alone(taken: str, chosen: str) -> None:
    """No block overlaps what the machine uses."""
    assert choose_block([net(taken)]) == net(chosen)


def test_no_free_block_is_refused_with_the_alternative() -> None:
    """A machine whose routes claim everything is told so."""
    with pytest.raises(RefusalError, match="make up CONTEXT="):
        choose_block([net("10.0.0.0/8"), net("172.16.0.0/12"), net("198.18.0.0/15")])


def test_parts_of_a_block_do_not_overlap() -> None:
    """Link, pods and services share the block and no address."""
    for block in BLOCKS:
        addresses = Addresses(block=block)
        parts = [addresses.link, addresses.pods, addresses.services]
        assert all(part.subnet_of(block) for part in parts)
        assert not any(one.overlaps(other) for one in parts for other in parts if one is not other)
        assert net(f"{addresses.node}/32").subnet_of(addresses.link)
        assert addresses.host != addresses.node


def test_routes_and_addresses_of_the_machine_are_read() -> None:
    """The default route and a VPN's two halves claim nothing; everything narrower does; IPv6 is not ours."""
    addresses = [{"addr_info": [{"family": "inet", "local": "192.168.1.7", "prefixlen": 24}, {"family": "inet6"}]}]
    routes = [
        {"dst": "default"}, {"dst": "0.0.0.0/1"}, {"dst": "128.0.0.0/1"},
        {"dst": "10.8.0.0/16"}, {"dst": "10.9.9.9"}, {"dst": "fd00::/64"},
    ]  # fmt: skip
    taken = parse_taken(json.dumps(addresses), json.dumps(routes))
    assert taken == [net("192.168.1.0/24"), net("10.8.0.0/16"), net("10.9.9.9/32")]


def test_link_names_fit_the_kernel_and_differ() -> None:
    """Fifteen characters is the kernel's limit, and long names that begin alike must not meet."""
    names = {link_name("a-very-long-name-of-a-sandbox-1"), link_name("a-very-long-name-of-a-sandbox-2")}
    assert len(names) == 2
    assert all(len(name) <= 15 for name in names)
