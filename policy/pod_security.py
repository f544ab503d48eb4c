"""The restricted Pod Security Standard, as a check of one pod.

Source: Kubernetes docs, "Pod Security Standards" (1.36), the baseline controls and those that restricted adds; Windows and the ephemeral
containers of a debugger apart.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from policy.graph import UNKNOWN, at, items, section
from policy.pods import Manifest, containers

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}

SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}  # fmt: skip

SELINUX_TYPES = {"container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
CONFINED = {"RuntimeDefault", "Localhost"}


def restricted_errors(pod: Manifest) -> list[str]:
    """Every control of the profile that the pod does not meet."""
    return [*_pod_errors(pod), *(error for _, item in containers(pod) for error in _container_errors(item, pod))]


def _pod_errors(pod: Manifest) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if at(pod, name) not in (None, False, UNKNOWN):
            yield name
    for volume in items(pod, "volumes"):
        if isinstance(volume, Mapping) and (kinds := volume.keys() - {"name"} - VOLUMES):
            yield f"volume {volume.get('name')}: {', '.join(sorted(kinds))}"
    for sysctl in items(pod, "securityContext.sysctls"):
        if at(sysctl, "name") not in (*SAFE_SYSCTLS, UNKNOWN):
            yield f"sysctl {at(sysctl, 'name')}"
    yield from _context_errors("pod", section(pod, "securityContext"))


def _container_errors(container: Manifest, pod: Manifest) -> Iterator[str]:
    name, context = at(container, "name"), section(container, "securityContext")
    if at(context, "privileged") not in (None, False, UNKNOWN):
        yield f"{name}: privileged"
    if at(container, "securityContext.allowPrivilegeEscalation") not in (False, UNKNOWN):
        yield f"{name}: allowPrivilegeEscalation"
    dropped = "securityContext.capabilities.drop"
    if at(container, dropped) != UNKNOWN and "ALL" not in items(container, dropped):
        yield f"{name}: keeps capabilities"
    if any(added not in ("NET_BIND_SERVICE", UNKNOWN) for added in items(context, "capabilities.add")):
        yield f"{name}: adds capabilities"
    if at(context, "procMount") not in (None, "Default", UNKNOWN):
        yield f"{name}: procMount"
    if _effective(container, pod, "runAsNonRoot") not in (True, UNKNOWN):
        yield f"{name}: runAsNonRoot"
    if _effective(container, pod, "seccompProfile.type") not in (*CONFINED, UNKNOWN):
        yield f"{name}: seccompProfile"
    handlers = [at(container, probe) for probe in PROBES] + list(section(container, "lifecycle").values())
    if any(_names_a_host(handler) for handler in handlers):
        yield f"{name}: probe or hook of another host"
    if any(at(port, "hostPort") is not None for port in items(container, "ports")):
        yield f"{name}: hostPort"
    yield from _context_errors(name, context)


def _effective(container: Manifest, pod: Manifest, path: str) -> Any:
    """What holds for a container: its own word, else its pod's."""
    own = at(container, f"securityContext.{path}")
    return at(pod, f"securityContext.{path}") if own is None else own


def _context_errors(where: str, context: Manifest) -> Iterator[str]:
    """What may be said of a pod as of a container."""
    if at(context, "runAsUser") == 0:
        yield f"{where}: runAsUser 0"
    if at(context, "seccompProfile.type") not in (None, *CONFINED, UNKNOWN):
        yield f"{where}: seccompProfile"
    if at(context, "appArmorProfile.type") not in (None, *CONFINED, UNKNOWN):
        yield f"{where}: appArmorProfile"
    linux = section(context, "seLinuxOptions")
    if linux.keys() & {"user", "role"} or at(linux, "type") not in (None, *SELINUX_TYPES, UNKNOWN):
        yield f"{where}: seLinuxOptions"


def _names_a_host(handler: Any) -> bool:
    return any(at(handler, f"{kind}.host") is not None for kind in ("httpGet", "tcpSocket"))
