"""The restricted Pod Security Standard, as a check of one pod.

Source: Kubernetes docs, "Pod Security Standards" (1.36), the baseline controls and those that restricted adds; Windows and the ephemeral
containers of a debugger apart.
"""

from collections.abc import Iterator, Mapping
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}

SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}  # fmt: skip

SELINUX_TYPES = {"container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
CONFINED = {"RuntimeDefault", "Localhost"}


def pod_of(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pod spec in a workload's template (in a CronJob, its job's); None for an object that makes no pods."""
    spec = manifest.get("spec") or {}
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template", {})
    found: Mapping[str, Any] | None = template.get("spec") if isinstance(template, Mapping) else None
    return found if found and "containers" in found else None


def restricted_errors(pod: Mapping[str, Any]) -> list[str]:
    """Every control of the profile that the pod does not meet."""
    return [*_pod_errors(pod), *(error for item in _containers(pod) for error in _container_errors(item, pod))]


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def _pod_errors(pod: Mapping[str, Any]) -> Iterator[str]:
    context = pod.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name
    for volume in pod.get("volumes", []):
        if kinds := volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']}: {', '.join(sorted(kinds))}"
    for sysctl in context.get("sysctls", []):
        if sysctl["name"] not in SAFE_SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    yield from _context_errors("pod", context)


def _container_errors(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    name, context, shared = container["name"], container.get("securityContext", {}), pod.get("securityContext", {})
    if context.get("privileged"):
        yield f"{name}: privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield f"{name}: keeps capabilities"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{name}: adds capabilities"
    if context.get("procMount", "Default") != "Default":
        yield f"{name}: procMount"
    if context.get("runAsNonRoot", shared.get("runAsNonRoot")) is not True:
        yield f"{name}: runAsNonRoot"
    if context.get("seccompProfile", shared.get("seccompProfile", {})).get("type") not in CONFINED:
        yield f"{name}: seccompProfile"
    if any(_names_a_host(container.get(probe, {})) for probe in PROBES) or any(
        _names_a_host(hook) for hook in container.get("lifecycle", {}).values()
    ):
        yield f"{name}: probe or hook of another host"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield f"{name}: hostPort"
    yield from _context_errors(name, context)


def _context_errors(where: str, context: Mapping[str, Any]) -> Iterator[str]:
    """What may be said of a pod as of a container."""
    if context.get("runAsUser") == 0:
        yield f"{where}: runAsUser 0"
    if context.get("seccompProfile", {}).get("type", "RuntimeDefault") not in CONFINED:
        yield f"{where}: seccompProfile"
    if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in CONFINED:
        yield f"{where}: appArmorProfile"
    linux = context.get("seLinuxOptions", {})
    if linux.keys() & {"user", "role"} or linux.get("type", "container_t") not in SELINUX_TYPES:
        yield f"{where}: seLinuxOptions"


def _names_a_host(handler: Mapping[str, Any]) -> bool:
    return any("host" in handler.get(kind, {}) for kind in ("httpGet", "tcpSocket"))
