"""Whether this machine can hold the sandbox: each refusal is one message with what to do, before anything is changed.

Facts: the figures of disk space were measured on a cold start; the node's processes need the capabilities named here.
"""

import os
import shutil
import sys
from pathlib import Path

from sandbox import images, programs
from sandbox.errors import RefusalError
from sandbox.folders import Folders

NEEDED_CAPABILITIES = {"sys_admin": 21, "net_admin": 12, "sys_chroot": 18, "mknod": 27, "sys_ptrace": 19}
"""Name -> its bit in `CapEff` (linux/capability.h): mounts, network, root file systems, devices, other processes."""
GIB = 1 << 30
COLD_GIB = 16
"""Go modules, Go's build cache, binaries and images while everything is built."""
RUNNING_GIB = 3
"""Images unpacked, volumes and logs of a running sandbox."""


def check_system() -> None:
    """Refuse a machine that cannot hold a node, whatever is installed on it."""
    if sys.platform != "linux":
        raise RefusalError(
            "system", f"the sandbox needs Linux, and this is {sys.platform}", "Start it in a Linux machine."
        )
    check_root()
    missing = missing_capabilities(Path("/proc/self/status").read_text())
    if missing:
        raise RefusalError(
            "privileges", f"this root user lacks the capabilities {', '.join(missing)}",
            "Start the surrounding container with --privileged, or use a virtual machine.",
        )  # fmt: skip
    if not Path("/sys/fs/cgroup/cgroup.procs").exists() and not any(Path("/sys/fs/cgroup").glob("*/cgroup.procs")):
        raise RefusalError(
            "/sys/fs/cgroup", "no control groups are mounted there", "Mount them, as every init system does."
        )
    if "overlay" not in Path("/proc/filesystems").read_text() and not shutil.which("modprobe"):
        raise RefusalError("kernel", "it has no overlay file system", "Use a kernel with CONFIG_OVERLAY_FS.")


def check_root() -> None:
    """Refuse anybody but root: namespaces of the network and control groups are root's."""
    if os.geteuid() != 0:
        raise RefusalError(
            "user", "the sandbox starts a Kubernetes node, which takes root", "Run it as root (sudo make up)."
        )


def missing_capabilities(status: str) -> list[str]:
    """Names of the needed capabilities that the text of `/proc/self/status` does not show as effective."""
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    effective = int(line.split()[1], 16)
    return [name for name, bit in NEEDED_CAPABILITIES.items() if not effective >> bit & 1]


def has_everything(cache: Path) -> bool:
    """Whether every program and every image is in the cache, where nothing is half made."""
    built = not any(family.missing(cache) for family in programs.FAMILIES)
    return built and all(image.archive(cache).exists() for image in images.IMAGES)


def needed_gib(folders: Folders) -> int:
    """Disk space that starting takes from here: much when programs have to be built, little when the cache has all."""
    return RUNNING_GIB if has_everything(folders.cache) else RUNNING_GIB + COLD_GIB


def check_space(folders: Folders) -> None:
    """Refuse to fill the disk."""
    needed = needed_gib(folders)
    for folder in (folders.cache, folders.state_root):
        free = shutil.disk_usage(folder).free / GIB
        if free < needed:
            raise RefusalError(
                str(folder), f"{free:.1f} GiB are free there, and the sandbox needs {needed} GiB",
                "Free some, or choose another disk with --cache-dir and --state-dir.",
            )  # fmt: skip
