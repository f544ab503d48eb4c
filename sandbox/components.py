"""The processes of the node: command line, what each waits for, in which order they start.

Invariant: every component listens on the node's own address or on the loopback of its own network namespace.
Facts: kube-controller-manager ends when it starts before the API server has made its roles, so it waits for
`/readyz`; without the `requestheader` and `proxy-client` settings KEDA's metrics API stays unavailable.
"""

import hashlib
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.node_files import NodePlan, configuration_files
from sandbox.standins.node_groups import ZONE_LABEL

ETCD_FOLDER = "etcd"
"""Folder in the node's that holds the cluster."""

PLATFORM_MARK = "platform-applied"
"""File in the node's folder that says the stand-ins' custom resource definitions are in the cluster."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where the operating system's own programs are (iptables, runc, mount)."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One supervised process."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    """The whole environment, nothing is inherited."""
    needs_files: tuple[str, ...] = ()
    """Paths (sockets too) that have to exist before it starts."""
    needs_api: bool = False
    """Whether the API server has to be ready before it starts."""
    stand_in: bool = False

    def as_document(self) -> dict[str, Any]:
        """The component as JSON has it."""
        return asdict(self)


def node_components(plan: NodePlan) -> list[Component]:
    """Every process of the node, stand-ins excluded; a changed configuration file makes a changed component."""
    files = {f"{plan.configuration}/{name}": content for name, content in configuration_files(plan).items()}
    components = []
    for component in _components(plan):
        read = [content for path, content in files.items() if any(path in word for word in component.command)]
        marked = {"FLEET_SANDBOX_CONFIGURATION": hashlib.sha256("".join(read).encode()).hexdigest()[:12]}
        components.append(replace(component, environment=component.environment | (marked if read else {})))
    return components


def _components(plan: NodePlan) -> list[Component]:
    binary = {name: str(path) for name, path in plan.programs.items()}
    node = plan.folders.node
    basic = {"PATH": SYSTEM_PATH, "HOME": str(node), "TMPDIR": str(node / "tmp")}
    return [
        Component(
            name="etcd",
            command=(
                binary["etcd"], f"--data-dir={node}/{ETCD_FOLDER}", "--name=sandbox",
                "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
                "--initial-cluster=sandbox=http://127.0.0.1:2380", "--log-level=warn",
                # The data live as long as the node: a lost machine loses both.
                "--unsafe-no-fsync", "--quota-backend-bytes=2147483648", "--auto-compaction-retention=10m",
            ),
            environment=basic,
        ),
        Component(name="kube-apiserver", command=_api_server(plan), environment=basic),
        Component(
            name="containerd",
            command=(binary["containerd"], "--config", f"{plan.configuration}/containerd.toml", "--log-level", "warn"),
            environment=basic,
        ),
        Component(name="kube-controller-manager", command=_controllers(plan), environment=basic, needs_api=True),
        Component(
            name="kube-scheduler",
            command=(
                binary["kube-scheduler"], f"--kubeconfig={plan.kubeconfig('scheduler')}",
                f"--authentication-kubeconfig={plan.kubeconfig('scheduler')}",
                f"--authorization-kubeconfig={plan.kubeconfig('scheduler')}",
                "--bind-address=127.0.0.1", "--leader-elect=false", "--kube-api-qps=100", "--kube-api-burst=200",
            ),
            environment=basic,
            needs_api=True,
        ),
        Component(
            name="kubelet",
            command=(
                binary["kubelet"], f"--config={plan.configuration}/kubelet.yaml", f"--root-dir={node}/kubelet",
                f"--kubeconfig={plan.kubeconfig('kubelet')}", f"--hostname-override={plan.folders.name}",
                f"--node-ip={plan.addresses.node}", f"--cert-dir={node}/kubelet-certificates",
                f"--node-labels={ZONE_LABEL}={plan.folders.name}",
            ),
            environment=basic,
            needs_files=(str(plan.folders.containerd_socket),),
            needs_api=True,
        ),
        Component(
            name="kube-proxy",
            command=(binary["kube-proxy"], f"--config={plan.configuration}/kube-proxy.yaml"),
            environment=basic,
            needs_api=True,
        ),
        Component(
            name="coredns",
            command=(binary["coredns"], "-conf", f"{plan.configuration}/Corefile"),
            environment=basic,
            needs_api=True,
        ),
    ]  # fmt: skip


def _api_server(plan: NodePlan) -> tuple[str, ...]:
    keys = plan.certificates
    return (
        str(plan.programs["kube-apiserver"]),
        f"--advertise-address={plan.addresses.node}", f"--bind-address={plan.addresses.node}", "--secure-port=6443",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={plan.addresses.services}",
        f"--tls-cert-file={keys}/apiserver.crt", f"--tls-private-key-file={keys}/apiserver.key",
        f"--client-ca-file={keys}/ca.crt",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        f"--kubelet-client-certificate={keys}/apiserver-kubelet.crt",
        f"--kubelet-client-key={keys}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={keys}/service-account.pub",
        f"--service-account-signing-key-file={keys}/service-account.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        "--enable-aggregator-routing=true",
        f"--requestheader-client-ca-file={keys}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={keys}/front-proxy.crt", f"--proxy-client-key-file={keys}/front-proxy.key",
        "--allow-privileged=true", "--profiling=false",
    )  # fmt: skip


def _controllers(plan: NodePlan) -> tuple[str, ...]:
    keys = plan.certificates
    access = plan.kubeconfig("controller-manager")
    # The HPA's sync period keeps its 15 s: figures measured here have to hold on any cluster.
    return (
        str(plan.programs["kube-controller-manager"]),
        f"--kubeconfig={access}", f"--authentication-kubeconfig={access}", f"--authorization-kubeconfig={access}",
        "--bind-address=127.0.0.1", "--leader-elect=false", "--use-service-account-credentials=true",
        f"--root-ca-file={keys}/ca.crt", f"--service-account-private-key-file={keys}/service-account.key",
        f"--cluster-signing-cert-file={keys}/ca.crt", f"--cluster-signing-key-file={keys}/ca.key",
        f"--requestheader-client-ca-file={keys}/front-proxy-ca.crt",
        f"--cluster-cidr={plan.addresses.pods}", f"--service-cluster-ip-range={plan.addresses.services}",
        "--allocate-node-cidrs=false", "--kube-api-qps=100", "--kube-api-burst=200",
    )  # fmt: skip


def stand_in_components(plan: NodePlan) -> list[Component]:
    """The cluster's stand-ins that are part of this checkout, run by this very Python on the host's files."""
    here = Path(__file__).parent
    environment = {
        "PATH": SYSTEM_PATH,
        "HOME": str(plan.folders.node),
        "PYTHONPATH": str(here.parent),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "KUBECONFIG": str(plan.kubeconfig("admin")),
        "FLEET_SANDBOX_VOLUMES": str(plan.folders.volumes),
    }
    return [
        Component(
            name=module.replace("_", "-"),
            command=(sys.executable, "-m", f"sandbox.standins.{module}"),
            # Changed sources are a changed component, which the supervisor starts anew.
            environment=environment | {"FLEET_SANDBOX_SOURCES": _sources_digest(here / "standins", module)},
            needs_files=(str(plan.folders.node / PLATFORM_MARK),),
            needs_api=True,
            stand_in=True,
        )
        for module in ("cert_manager", "rabbitmq_operators", "volume_provisioner")
        if (here / "standins" / module).is_dir() or (here / "standins" / f"{module}.py").exists()
    ]


def _sources_digest(folder: Path, module: str) -> str:
    digest = hashlib.sha256()
    # Single files are shared between the stand-ins; folders belong to one.
    for source in sorted([*folder.glob("*.py"), *folder.glob(f"{module}/**/*.py")]):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
