"""The configuration files of the node's components, as pure functions of the folders and the addresses.

Invariant: no component writes outside the node's folder, its private mounts or its network namespace, and none changes
a setting of the machine. Facts: tried on cgroup v1 and containerd 1.6; each unusual setting has its reason beside it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.certificates import CLUSTER_DOMAIN
from sandbox.folders import Folders
from sandbox.network import Addresses

MAX_PODS = 110
CERTIFICATES = "certificates"
"""Folder of keys and certificates, in the node's folder."""
CONTAINERD_GROUP = "k8s.io"
"""Namespace of containerd in which its Kubernetes plugin looks for images."""


@dataclass(frozen=True, kw_only=True)
class NodePlan:
    """Everything that decides the node's files and command lines."""

    folders: Folders
    addresses: Addresses
    unified_cgroups: bool
    """Whether the machine has the single v2 tree."""
    pause_image: str
    programs: dict[str, Path]
    """Name of a program -> its binary."""

    @property
    def certificates(self) -> Path:
        """Folder of keys and certificates."""
        return self.folders.node / CERTIFICATES

    @property
    def configuration(self) -> Path:
        """Folder of the files made here."""
        return self.folders.node / "configuration"

    @property
    def api_server(self) -> str:
        """Address of the API server for everyone, the host included."""
        return f"https://{self.addresses.node}:6443"

    def kubeconfig(self, identity: str) -> Path:
        """The kubeconfig of a component."""
        return self.configuration / f"{identity}.kubeconfig"


def configuration_files(plan: NodePlan) -> dict[str, str]:
    """File name in the configuration folder -> content."""
    return {
        "containerd.toml": containerd_configuration(plan),
        "cni/10-sandbox.conflist": json.dumps(cni_configuration(plan), indent=2),
        "kubelet.yaml": yaml.safe_dump(kubelet_configuration(plan), sort_keys=False),
        "kube-proxy.yaml": yaml.safe_dump(kube_proxy_configuration(plan), sort_keys=False),
        "Corefile": corefile(plan),
        "resolv.conf": f"nameserver {plan.addresses.node}\nsearch svc.{CLUSTER_DOMAIN} {CLUSTER_DOMAIN}\n",
        "pods-resolv.conf": f"nameserver {plan.addresses.node}\n",
    }


def containerd_configuration(plan: NodePlan) -> str:
    """containerd with its Kubernetes plugin, as TOML."""
    node = plan.folders.node
    return f"""version = 2
root = "{node}/containerd"
state = "/run/containerd"
temp = "{node}/containerd-temp"
# Without CAP_SYS_RESOURCE the kernel refuses a lower score than the own one.
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing"]

[grpc]
  address = "{plan.folders.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{node}/containerd-opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{plan.pause_image}"
  restrict_oom_score_adj = true
  # A loaded AppArmor profile would outlive the node.
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true
  max_concurrent_downloads = 4
  netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{plan.configuration}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def cni_configuration(plan: NodePlan) -> dict[str, Any]:
    """One routed pair a pod.

    Not a bridge: pods on one bridge answer each other without passing the rules that turn Service addresses back,
    unless a kernel module that not every machine has makes them.
    """
    return {
        "cniVersion": "1.0.0",
        "name": "sandbox",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    # In /run, because after a restart of the node no pod has kept its address.
                    "dataDir": "/run/cni-addresses",
                    "ranges": [[{"subnet": str(plan.addresses.pods)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def kubelet_configuration(plan: NodePlan) -> dict[str, Any]:
    """KubeletConfiguration; limits of events and pulls are lifted because there is one node and one user."""
    certificates = plan.certificates
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": plan.addresses.node,
        "healthzBindAddress": "127.0.0.1",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{certificates}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{certificates}/kubelet.crt",
        "tlsPrivateKeyFile": f"{certificates}/kubelet.key",
        "clusterDomain": CLUSTER_DOMAIN,
        "clusterDNS": [plan.addresses.node],
        "resolvConf": f"{plan.configuration}/pods-resolv.conf",
        "containerRuntimeEndpoint": f"unix://{plan.folders.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{plan.folders.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "maxPods": MAX_PODS,
        "podLogsDir": f"{plan.folders.node}/pod-logs",
        "volumePluginDir": f"{plan.folders.node}/volume-plugins",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
        # The cache is shared with builds: a full disk is refused at the start, not by evicting pods later.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Never collect an image: no registry would give it back.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "shutdownGracePeriod": "0s",
        "crashLoopBackOff": {"maxContainerRestartPeriod": "30s"},
        "logging": {"verbosity": 1},
    }


def kube_proxy_configuration(plan: NodePlan) -> dict[str, Any]:
    """KubeProxyConfiguration; connection tracking keeps the kernel's values, which a namespace may not change."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(plan.kubeconfig("kube-proxy"))},
        "clusterCIDR": str(plan.addresses.pods),
        "hostnameOverride": plan.folders.name,
        "bindAddress": plan.addresses.node,
        "nodePortAddresses": ["primary"],
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "iptables": {"minSyncPeriod": "200ms", "syncPeriod": "30s"},
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def corefile(plan: NodePlan) -> str:
    """CoreDNS as a process of the node: one thing less to wait for than a pod, and the stand-ins can ask it too."""
    return f"""{CLUSTER_DOMAIN} in-addr.arpa {{
    bind {plan.addresses.node}
    errors
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
        kubeconfig {plan.kubeconfig("coredns")}
        pods insecure
        ttl 5
    }}
    loadbalance
}}
. {{
    bind {plan.addresses.node}
    errors
    health 127.0.0.1:8085
    # The sandbox has no way out, so an outside name is answered at once instead of after a timeout.
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
