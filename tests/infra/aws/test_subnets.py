"""How a VPC is divided."""

import re
from ipaddress import IPv4Network, collapse_addresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import FleetError
from infra.aws.subnets import SubnetPlan, plan_subnets

CIDR = "celery-fleet:aws.network.cidr"
ZONES = "celery-fleet:environment.cloud.zones"

vpcs = st.builds(
    lambda network, prefix: str(IPv4Network(network).supernet(new_prefix=prefix)),
    st.sampled_from(["10.20.0.0/20", "172.16.32.0/20", "192.168.16.0/20", "100.64.240.0/20"]),
    st.integers(16, 20),
)
zones = st.integers(2, 6)


def every_network(plan: SubnetPlan) -> list[IPv4Network]:
    return [*plan.public, *plan.private, *plan.intra]


def test_a_wide_vpc_has_room_for_four_thousand_addresses_a_zone() -> None:
    """The division of the default network, as one reads it in the console."""
    plan = plan_subnets("10.0.0.0/16", 3)
    assert [str(network) for network in plan.private] == ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"]
    assert [str(network) for network in plan.public] == ["10.0.128.0/24", "10.0.129.0/24", "10.0.130.0/24"]
    assert [str(network) for network in plan.intra] == ["10.0.144.0/28", "10.0.144.16/28", "10.0.144.32/28"]
    assert plan.pods_max == 3068


def test_a_narrow_vpc_is_divided_the_same_way() -> None:
    """Load balancers keep the /27 that they need."""
    plan = plan_subnets("10.20.16.0/20", 2)
    assert [str(network) for network in plan.private] == ["10.20.16.0/24", "10.20.17.0/24"]
    assert [str(network) for network in plan.public] == ["10.20.24.0/27", "10.20.24.32/27"]
    assert [str(network) for network in plan.intra] == ["10.20.25.0/28", "10.20.25.16/28"]


@given(vpcs, zones)
def test_subnets_are_parts_of_the_vpc_and_none_is_in_another(cidr: str, count: int) -> None:
    """AWS refuses anything else."""
    networks = every_network(plan_subnets(cidr, count))
    assert all(network.subnet_of(IPv4Network(cidr)) for network in networks)
    joined = sum(network.num_addresses for network in collapse_addresses(networks))
    assert joined == sum(network.num_addresses for network in networks)


@given(vpcs, zones)
def test_every_kind_has_a_subnet_in_every_zone(cidr: str, count: int) -> None:
    """And each holds what stands in it: load balancers want a /27, a VPC takes nothing smaller than a /28."""
    plan = plan_subnets(cidr, count)
    assert (len(plan.public), len(plan.private), len(plan.intra)) == (count, count, count)
    assert all(network.prefixlen <= 27 for network in plan.public)
    assert all(network.prefixlen == 28 for network in plan.intra)


@given(vpcs, st.integers(2, 5))
def test_a_further_zone_moves_no_subnet(cidr: str, count: int) -> None:
    """Nodes stay where they are."""
    fewer, more = plan_subnets(cidr, count), plan_subnets(cidr, count + 1)
    assert more.private[:count] == fewer.private
    assert more.public[:count] == fewer.public
    assert more.intra[:count] == fewer.intra


@given(vpcs, zones, st.floats(0, 1))
def test_the_private_subnets_hold_the_pods(cidr: str, count: int, share: float) -> None:
    """A node with few pods holds four addresses for each of them; AWS keeps five of a subnet."""
    pods = int(plan_subnets(cidr, count).pods_max * share)
    plan = plan_subnets(cidr, count, pods=pods)
    assert sum(network.num_addresses - 5 for network in plan.private) >= 4 * pods


@given(vpcs, zones, st.integers(1, 5000))
def test_more_pods_than_fit_are_refused_with_a_network_that_holds_them(cidr: str, count: int, more: int) -> None:
    """Where not even the widest would, there is none to propose."""
    pods = plan_subnets(cidr, count).pods_max + more
    with pytest.raises(FleetError) as refused:
        plan_subnets(cidr, count, pods=pods)
    assert refused.value.where == CIDR
    proposed = re.search(r"write (\S+)\.", refused.value.fix)
    if pods > 4091 * count / 4:
        assert proposed is None
    else:
        assert proposed is not None
        assert plan_subnets(proposed[1], count, pods=pods).pods_max >= pods


@pytest.mark.parametrize(
    ("cidr", "count", "where", "fix"),
    [
        pytest.param("10.0.0.0", 3, CIDR, "10.0.0.0/16", id="an address without a length is no network of a VPC"),
        pytest.param("ten", 3, CIDR, "10.0.0.0/16", id="text is no network"),
        pytest.param("fd00::/48", 3, CIDR, "10.0.0.0/16", id="IPv6 is no IPv4 network"),
        pytest.param("10.0.7.0/16", 3, CIDR, "10.0.0.0/16", id="an address in a network is told from the network"),
        pytest.param("10.0.0.0/8", 3, CIDR, "/16", id="AWS has no VPC as wide as a /8"),
        pytest.param("10.0.0.0/24", 3, CIDR, "/20", id="a /24 leaves a zone fifteen addresses"),
        pytest.param("52.95.0.0/16", 3, CIDR, "10.0.0.0/8", id="addresses of others stay reachable"),
        pytest.param("172.32.0.0/16", 3, CIDR, "172.16.0.0/12", id="172.32 is not private, though it looks like it"),
        pytest.param("10.0.0.0/16", 1, ZONES, "2", id="EKS wants two zones"),
        pytest.param("10.0.0.0/16", 7, ZONES, "6", id="no region has seven zones"),
    ],
)
def test_what_cannot_be_a_network_is_refused_with_what_could(cidr: str, count: int, where: str, fix: str) -> None:
    """A wrong number in a settings file is told with the right one."""
    with pytest.raises(FleetError) as refused:
        plan_subnets(cidr, count)
    assert refused.value.where == where
    assert fix in refused.value.fix


def test_a_vpc_too_small_for_its_pods_is_refused_with_one_that_holds_them() -> None:
    """Two zones of a /20 hold 125 pods; 400 need four times the addresses."""
    with pytest.raises(FleetError) as refused:
        plan_subnets("10.20.16.0/20", 2, pods=400)
    assert "10.20.0.0/18" in refused.value.fix
