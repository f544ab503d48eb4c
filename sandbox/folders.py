"""Where the sandbox keeps its files: one state folder and one cache folder, nothing anywhere else.

Invariant: `down` may remove a sandbox's state and `clean` the cache without asking what lies in them. The cache is
shared by all sandboxes of a user; the state is one folder a sandbox, so that two can run side by side.
Source: the XDG base directory specification; `FLEET_STATE_DIR` and `FLEET_CACHE_DIR` override it.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

DEFAULT_NAME = "celery-fleet"
NAME_PATTERN = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
SOCKET_PATH_LIMIT = 107
"""Longest path of a unix socket on Linux (`sun_path` less its end mark)."""


@dataclass(frozen=True, kw_only=True)
class Folders:
    """The folders of one sandbox; nothing is created before `create`."""

    name: str
    """Name of the sandbox: of its network namespace, its node and its cgroup."""
    state_root: Path
    """Shared by all sandboxes of this user; holds one folder for each."""
    cache: Path
    """Binaries and images, keyed by what they are made from."""

    @property
    def state(self) -> Path:
        """Everything of this one sandbox that is not in the cache."""
        return self.state_root / "sandbox" / self.name

    @property
    def node(self) -> Path:
        """The node's own files: certificates, configuration, etcd, containerd, kubelet, logs."""
        return self.state / "node"

    @property
    def logs(self) -> Path:
        """One log a component."""
        return self.node / "logs"

    @property
    def volumes(self) -> Path:
        """Data of persistent volume claims."""
        return self.node / "volumes"

    @property
    def containerd_socket(self) -> Path:
        """Where the host reaches the node's containerd."""
        return self.node / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        """Administrator's access from the host."""
        return self.state / "kubeconfig"

    @property
    def bin(self) -> Path:
        """Programs for the PATH of a person: pulumi, kubectl and what stands beside them."""
        return self.state / "bin"

    @property
    def pulumi_home(self) -> Path:
        """`PULUMI_HOME`: plugins and credentials of the local backend."""
        return self.state / "pulumi-home"

    @property
    def pulumi_backend(self) -> Path:
        """Pulumi's own state of the stacks deployed to this sandbox."""
        return self.state / "pulumi"

    @property
    def credentials(self) -> Path:
        """Passphrase and passwords made once; they outlive `down`."""
        return self.state / "credentials.json"

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops this sandbox."""
        return self.state_root / "sandbox" / f"{self.name}.lock"

    def create(self) -> None:
        """Make the folders, readable by their owner alone."""
        for folder in (self.state_root, self.cache):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.state, self.node, self.logs, self.volumes, self.bin, self.pulumi_home, self.pulumi_backend):
            folder.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        # Pods run under many users and reach their volumes and logs through these.
        self.node.chmod(0o711)
        self.volumes.chmod(0o711)


def _xdg(override: str, variable: str, fallback: str) -> Path:
    if chosen := os.environ.get(override):
        return Path(chosen).absolute()
    base = os.environ.get(variable, "")
    # The specification says that a relative path is to be ignored.
    root = Path(base) if base.startswith("/") else Path.home() / fallback
    return root / "celery-fleet"


def find_folders(name: str = DEFAULT_NAME, *, state: Path | None = None, cache: Path | None = None) -> Folders:
    """The folders of the sandbox called `name`, from the arguments, the environment or the XDG defaults.

    Raises: SandboxError when the name is no name, or the state folder is too long to hold a socket.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise SandboxError(
            f"--name {name}",
            "a sandbox is named by lower-case letters, digits and inner hyphens, at most 32",
            f"Write for example --name {DEFAULT_NAME}.",
        )
    folders = Folders(
        name=name,
        state_root=state.absolute() if state else _xdg("FLEET_STATE_DIR", "XDG_STATE_HOME", ".local/state"),
        cache=cache.absolute() if cache else _xdg("FLEET_CACHE_DIR", "XDG_CACHE_HOME", ".cache"),
    )
    # containerd opens a second socket beside the first, with this suffix.
    if len(f"{folders.containerd_socket}.ttrpc") > SOCKET_PATH_LIMIT:
        raise SandboxError(
            str(folders.state_root),
            f"the path is too long for a socket below it ({SOCKET_PATH_LIMIT} characters at most)",
            "Choose a shorter one with --state-dir or FLEET_STATE_DIR.",
        )
    return folders
