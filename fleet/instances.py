"""What an EC2 instance is to Kubernetes: how much of it pods get, and how many of them.

The invariant: what is allocatable here is never more than the kubelet offers. The formulas are EKS's own for Amazon Linux 2023 (nodeadm, and
Karpenter 1.14 `pkg/providers/instancetype/types.go`, which computes the same before a node exists); sizes are those of `DescribeInstanceTypes`.
"""

import math

from fleet.records import Record

_MIB = 2**20

HYPERVISOR_MEMORY_SHARE = 0.075
"""What the hypervisor and the firmware take of the memory on the label: Karpenter's `vm-memory-overhead-percent`, which covers every type."""

GRAVITON_RESERVED_MIB = 64
"""Contiguous memory that Graviton's kernel keeps (Karpenter 1.14, `memory()`)."""

KUBELET_BASE_MIB = 255
KUBELET_POD_MIB = 11
"""kube-reserved memory: 255 MiB and 11 MiB for each pod that the instance has addresses for (amazon-eks-ami, nodeadm)."""

EVICTION_MIB = 100
"""evictionHard `memory.available` of EKS nodes."""

KUBELET_CPU_SHARES = ((1000, 0.06), (1000, 0.01), (2000, 0.005))
"""kube-reserved CPU: 6 % of the first core, 1 % of the second, 0.5 % of the third and fourth (amazon-eks-ami, nodeadm) ..."""

KUBELET_CPU_SHARE_REST = 0.0025
"""... and 0.25 % of every further one."""


class Daemon(Record, frozen=True, kw_only=True):
    """A pod that runs on every node."""

    name: str
    cpu_millicores: int
    memory_mib: int


DAEMONS = (
    Daemon(name="aws-node", cpu_millicores=50, memory_mib=0),
    Daemon(name="kube-proxy", cpu_millicores=100, memory_mib=0),
    Daemon(name="ebs-csi-node", cpu_millicores=30, memory_mib=120),
    Daemon(name="eks-pod-identity-agent", cpu_millicores=0, memory_mib=0),
    Daemon(name="log-agent", cpu_millicores=50, memory_mib=100),
)
"""Requests as the EKS add-ons ship them (VPC CNI with its policy agent, kube-proxy, EBS CSI, Pod Identity), and room for one log agent."""


class InstanceType(Record, frozen=True, kw_only=True):
    """One size of EC2 instance; all that are known here are Graviton (arm64)."""

    name: str
    vcpus: int
    memory_mib: int
    network_interfaces: int
    addresses_an_interface: int
    """IPv4 addresses of each network interface."""

    @property
    def pods_max(self) -> int:
        """Pods that get an address: interfaces x (addresses - 1) + 2 on the host's network (amazon-eks-ami, `eni-max-pods.txt`)."""
        return self.network_interfaces * (self.addresses_an_interface - 1) + 2

    @property
    def allocatable_cpu_millicores(self) -> int:
        """CPU that the kubelet offers to pods, daemons included."""
        reserved, rest = 0, self.vcpus * 1000
        for width, share in KUBELET_CPU_SHARES:
            part = min(width, rest)
            reserved += int(part * share)
            rest -= part
        return self.vcpus * 1000 - reserved - int(rest * KUBELET_CPU_SHARE_REST)

    @property
    def allocatable_memory_bytes(self) -> int:
        """Memory that the kubelet offers to pods, daemons included."""
        usable = self.memory_mib - GRAVITON_RESERVED_MIB
        usable -= math.ceil(usable * HYPERVISOR_MEMORY_SHARE)
        return (usable - KUBELET_BASE_MIB - KUBELET_POD_MIB * self.pods_max - EVICTION_MIB) * _MIB

    @property
    def free_cpu_millicores(self) -> int:
        """CPU left for the fleet when every daemon runs."""
        return self.allocatable_cpu_millicores - sum(daemon.cpu_millicores for daemon in DAEMONS)

    @property
    def free_memory_bytes(self) -> int:
        """Memory left for the fleet when every daemon runs."""
        return self.allocatable_memory_bytes - sum(daemon.memory_mib for daemon in DAEMONS) * _MIB

    @property
    def free_pods(self) -> int:
        """Pods left for the fleet when every daemon runs."""
        return self.pods_max - len(DAEMONS)

    def pods_that_fit(self, cpu_millicores: int, memory_bytes: int) -> int:
        """Pods of one size that a node of this type holds beside the daemons; 0 when not one fits."""
        by_cpu = self.free_cpu_millicores // max(1, cpu_millicores)
        by_memory = self.free_memory_bytes // max(1, memory_bytes)
        return max(0, min(by_cpu, by_memory, self.free_pods))

    def share_of(self, cpu_millicores: int, memory_bytes: int) -> float:
        """Share of a node that a pod takes: of its CPU, its memory or its addresses, whichever is most."""
        return max(cpu_millicores / self.free_cpu_millicores, memory_bytes / self.free_memory_bytes, 1 / self.free_pods)


def _type(name: str, vcpus: int, memory_gib: int, interfaces: int, addresses: int) -> tuple[str, InstanceType]:
    return name, InstanceType(
        name=name,
        vcpus=vcpus,
        memory_mib=memory_gib * 1024,
        network_interfaces=interfaces,
        addresses_an_interface=addresses,
    )


INSTANCE_TYPES: dict[str, InstanceType] = dict(
    (
        _type("t4g.medium", 2, 4, 3, 6),
        _type("t4g.large", 2, 8, 3, 12),
        _type("t4g.xlarge", 4, 16, 4, 15),
        _type("c7g.large", 2, 4, 3, 10),
        _type("c7g.xlarge", 4, 8, 4, 15),
        _type("c7g.2xlarge", 8, 16, 4, 15),
        _type("c7g.4xlarge", 16, 32, 8, 30),
        _type("m7g.large", 2, 8, 3, 10),
        _type("m7g.xlarge", 4, 16, 4, 15),
        _type("m7g.2xlarge", 8, 32, 4, 15),
        _type("m7g.4xlarge", 16, 64, 8, 30),
        _type("r7g.large", 2, 16, 3, 10),
        _type("r7g.xlarge", 4, 32, 4, 15),
        _type("r7g.2xlarge", 8, 64, 4, 15),
        _type("r7g.4xlarge", 16, 128, 8, 30),
    )
)
"""Name -> type: the sizes that the price table knows too."""
