"""The operating system's packages that the sandbox builds upon: what is missing, and installing it with apt.

Facts: the names are Debian's (Ubuntu has the same); containerd 1.6 and runc 1.1 of Debian 12 are enough.
"""

import shutil
import subprocess
from pathlib import Path

from sandbox.errors import RefusalError
from sandbox.progress import Progress

PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "iproute2": "ip",
    "mmdebstrap": "mmdebstrap",
    "buildah": "buildah",
    "util-linux": "nsenter",
    "mount": "mount",
}
"""Package -> the program, or the file, that shows it is there."""

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing_packages() -> list[str]:
    """Packages whose program is not there, whoever installed it."""
    return [package for package, shows in PACKAGES.items() if not _is_there(shows)]


def _is_there(shows: str) -> bool:
    return Path(shows).exists() if shows.startswith("/") else shutil.which(shows, path=SEARCHED) is not None


def install_missing(progress: Progress) -> None:
    """Install what is missing, quietly and without its recommendations.

    Raises: RefusalError on a system without apt, or with apt's own words.
    """
    missing = missing_packages()
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise RefusalError(
            "packages", f"{', '.join(missing)} are missing, and this system has no apt-get to install them",
            "Install the programs of these Debian packages by your system's own means.",
        )  # fmt: skip
    with progress.step(f"install {' '.join(missing)}"):
        _apt("update", "-qq")
        _apt("install", "-y", "-qq", "--no-install-recommends", *missing)
    if "containerd" in missing:
        _keep_containerd_off()


def _apt(*arguments: str) -> None:
    environment = {"PATH": SEARCHED, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["apt-get", *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        words = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
        raise RefusalError(
            f"apt-get {arguments[0]}", "; ".join(words[-3:]) or f"exit code {done.returncode}",
            "Mend apt (network, sources.list), then run the same command again.",
        )  # fmt: skip


def _keep_containerd_off() -> None:
    """With systemd the package just installed starts a containerd, which the sandbox does not use."""
    if Path("/run/systemd/system").exists():
        subprocess.run(["systemctl", "disable", "--now", "containerd"], capture_output=True, check=False)
