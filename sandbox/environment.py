"""The variables that let a shell work against the sandbox with the literal `pulumi` and `kubectl`.

Invariant: the printed lines are safe to evaluate whatever the paths and passwords contain.
Source: Pulumi docs, "Environment variables"; the ones that keep it off the network are needed where there is none.
"""

import os
import shlex
from collections.abc import Mapping

from sandbox import images
from sandbox.credentials import NAMES, load_credentials
from sandbox.folders import Folders
from sandbox.standins import cert_manager
from sandbox.standins import variables as stand_ins

STAND_INS_ALONE = "FLEET_SANDBOX_"
"""Beginning of the variables that only stand-ins read; the programs of the fleet know none of them."""

PASSPHRASE = "celery-fleet-local"  # noqa: S105 -- public, see below
"""Fits the `encryptionsalt` of a committed stack file, because `pulumi stack init` writes another salt into it otherwise.

It protects nothing: that file holds no secret, and the state lies in a folder that only its user can read.
"""


def variables(folders: Folders, inherited: Mapping[str, str]) -> dict[str, str]:
    """Every variable of a shell that works against this sandbox."""
    path = [str(folders.bin), *inherited.get("PATH", os.defpath).split(":")]
    return {
        "PATH": ":".join(dict.fromkeys(path)),
        "KUBECONFIG": str(folders.kubeconfig),
        "PULUMI_HOME": str(folders.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{folders.pulumi_backend}",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "FLEET_STATE_DIR": str(folders.state_root),
        "FLEET_CACHE_DIR": str(folders.cache),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "FLEET_IMAGES": "local",
        "FLEET_BASE_IMAGE": images.PYTHON.reference,
        "FLEET_BROKER_ISSUER": cert_manager.AUTHORITY,
        f"{STAND_INS_ALONE}NAME": folders.name,
        f"{STAND_INS_ALONE}CONTAINERD": str(folders.containerd_socket),
        f"{STAND_INS_ALONE}BASE_ARCHIVE": str(images.PYTHON.archive(folders.cache)),
        # A cluster of EKS that is stood in for is this one.
        stand_ins.EKS_KUBECONFIG: str(folders.kubeconfig),
        **{name: secret for name, secret in load_credentials(folders).items() if name in NAMES},
    }


def export_lines(exported: Mapping[str, str]) -> str:
    """Lines for `eval` in any POSIX shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in exported.items())
