"""What a node leaves for pods: Karpenter's generated table of instance types (1.14, Amazon Linux 2023), figure by figure."""

import pytest

from fleet.instances import INSTANCE_TYPES

MIB = 2**20


@pytest.mark.parametrize(
    ("name", "cpu_millicores", "memory_mib", "pods"),
    [
        pytest.param("t4g.medium", 1930, 3187, 17),
        pytest.param("t4g.large", 1930, 6778, 35),
        pytest.param("t4g.xlarge", 3920, 14103, 58),
        pytest.param("c7g.large", 1930, 3055, 29),
        pytest.param("c7g.xlarge", 3920, 6525, 58),
        pytest.param("c7g.2xlarge", 7910, 14103, 58),
        pytest.param("c7g.4xlarge", 15890, 27322, 234),
        pytest.param("m7g.large", 1930, 6844, 29),
        pytest.param("m7g.xlarge", 3920, 14103, 58),
        pytest.param("m7g.2xlarge", 7910, 29258, 58),
        pytest.param("m7g.4xlarge", 15890, 57632, 234),
        pytest.param("r7g.large", 1930, 14422, 29),
        pytest.param("r7g.xlarge", 3920, 29258, 58),
        pytest.param("r7g.2xlarge", 7910, 59568, 58),
        pytest.param("r7g.4xlarge", 15890, 118253, 234),
    ],
)
def test_what_is_allocatable_is_what_karpenter_computes(
    name: str, cpu_millicores: int, memory_mib: int, pods: int
) -> None:
    """Before a node exists Karpenter uses these figures too, so both sides plan with the same node."""
    kind = INSTANCE_TYPES[name]
    assert (kind.allocatable_cpu_millicores, kind.allocatable_memory_bytes // MIB, kind.pods_max) == (
        cpu_millicores,
        memory_mib,
        pods,
    )


def test_the_table_has_every_type_that_is_known() -> None:
    """No size is used that was not compared with Karpenter's."""
    assert len(INSTANCE_TYPES) == 15


def test_daemons_are_taken_off() -> None:
    """CNI, kube-proxy, EBS, Pod Identity and a log agent: 230m and 220Mi in five pods."""
    kind = INSTANCE_TYPES["c7g.xlarge"]
    assert (kind.free_cpu_millicores, kind.free_memory_bytes // MIB, kind.free_pods) == (3690, 6305, 53)


@pytest.mark.parametrize(
    ("cpu_millicores", "memory_mib", "fit"),
    [
        pytest.param(1000, 352, 3, id="three-whole-cores"),
        pytest.param(100, 2101, 3, id="three-by-memory-to-the-last-byte"),
        pytest.param(100, 2102, 2, id="a-mebibyte-more-and-only-two"),
        pytest.param(1, 1, 53, id="as-many-small-ones-as-there-are-addresses"),
        pytest.param(3690, 6305, 1, id="one-that-takes-all"),
        pytest.param(3691, 100, 0, id="one-that-is-too-large"),
    ],
)
def test_pods_of_one_size_on_a_c7g_xlarge(cpu_millicores: int, memory_mib: int, fit: int) -> None:
    """CPU, memory or addresses, whichever ends first."""
    assert INSTANCE_TYPES["c7g.xlarge"].pods_that_fit(cpu_millicores, memory_mib * MIB) == fit
