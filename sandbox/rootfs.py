"""Debian root file systems for the images no registry serves here: what is installed and what is left out.

Facts: `mmdebstrap` without a mirror argument takes its default mirror; RabbitMQ 4.3 with Erlang 29 is in sid alone
(its release file may be past its date, hence the option); the operator's pods run RabbitMQ as user and group 999.
"""

from dataclasses import dataclass
from pathlib import Path

LEFT_OUT = (
    "/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/lintian/*", "/usr/share/locale/*",
    "/usr/share/bash-completion/*", "/usr/share/zoneinfo/right/*", "/usr/lib/python3/dist-packages/*/tests/*",
)  # fmt: skip
"""Nobody reads a manual in a container; a third of a small root file system is that."""


@dataclass(frozen=True, kw_only=True)
class DebianRootfs:
    """One root file system made by mmdebstrap."""

    suite: str
    packages: tuple[str, ...]
    promises: tuple[str, str]
    """A package, and the beginning of its version that the rest of the project is made for."""
    before_packages: tuple[str, ...] = ()
    """Shell lines run on the host when the essential packages are there; `$1` is the root."""
    after_packages: tuple[str, ...] = ()
    """The same at the end."""
    accept_old_release: bool = False

    def command(self, target: Path) -> list[str]:
        """The mmdebstrap call that writes the root file system to `target` as a tar."""
        package, _ = self.promises
        # Mounts of its own, so that being killed leaves none behind.
        options = [
            "unshare", "--mount", "--fork", "--kill-child", "mmdebstrap", "--variant=minbase", "--format=tar",
            *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
            f"--include={','.join(self.packages)}",
        ]  # fmt: skip
        if self.accept_old_release:
            options.append('--aptopt=Acquire::Check-Valid-Until "false"')
        options += [f"--essential-hook={line}" for line in self.before_packages]
        options += [f"--customize-hook={line}" for line in (*self.after_packages, *_CLEANUP)]
        query = f"chroot \"$1\" dpkg-query -W -f 'promised ${{Package}} ${{Version}}\\n' {package} >&2"
        return [*options, f"--customize-hook={query}", self.suite, str(target)]


_CLEANUP = (
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/* "$1"/usr/share/doc/* "$1"/usr/share/man/*',
    'rm -f "$1"/etc/machine-id "$1"/etc/hostname "$1"/etc/resolv.conf; touch "$1"/etc/resolv.conf',
)


def _system_user(name: str, number: int, home: str) -> tuple[str, ...]:
    """The user with a fixed number, before a package would make it with the next free one."""
    return (
        f"echo '{name}:x:{number}:{number}::{home}:/usr/sbin/nologin' >> \"$1\"/etc/passwd",
        f"echo '{name}:x:{number}:' >> \"$1\"/etc/group",
    )


RABBITMQ = DebianRootfs(
    suite="sid",
    packages=("rabbitmq-server", "ca-certificates"),
    promises=("rabbitmq-server", "4.3."),
    before_packages=_system_user("rabbitmq", 999, "/var/lib/rabbitmq"),
    # A baked cookie would let every node of every fleet join every other.
    after_packages=(
        'rm -f "$1"/var/lib/rabbitmq/.erlang.cookie',
        'install -d -o 999 -g 999 -m 0755 "$1"/var/lib/rabbitmq "$1"/etc/rabbitmq/conf.d "$1"/var/log/rabbitmq',
        'chown -R 999:999 "$1"/etc/rabbitmq',
    ),
    accept_old_release=True,
)
VALKEY = DebianRootfs(
    suite="trixie",
    packages=("valkey-server", "valkey-tools"),
    promises=("valkey-server", "8.1."),
    before_packages=_system_user("valkey", 999, "/data"),
    after_packages=('install -d -o 999 -g 999 -m 0755 "$1"/data',),
)
PROMETHEUS = DebianRootfs(
    suite="trixie",
    packages=("prometheus",),
    promises=("prometheus", "2.53."),
    before_packages=_system_user("prometheus", 999, "/var/lib/prometheus"),
    after_packages=('install -d -o 999 -g 999 -m 0755 "$1"/var/lib/prometheus',),
)
PYTHON = DebianRootfs(
    suite="trixie",
    packages=("python3", "python3-venv", "ca-certificates"),
    promises=("python3", "3.13."),
    # The published image calls it python too.
    after_packages=('ln -sf python3 "$1"/usr/bin/python',),
)
