"""Variables in which the literal `pulumi` works on a machine that has neither a cluster nor an account: everything behind it is imagined.

Invariant: nothing is written outside the given folder and the cache of programs, and no plugin of the machine is used. The CLI is the machine's own
where there is one, else the sandbox's build.
Source: Pulumi docs, "Environment variables"; where the CLI looks for language hosts, pulumi v3.259 `sdk/go/common/workspace/plugins.go`.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from sandbox import programs
from sandbox.building import provide_programs
from sandbox.environment import PASSPHRASE
from sandbox.progress import Progress
from sandbox.standins import install
from sandbox.standins import variables as stand_ins

SERVER = f"https://{'0' * 32}.gr7.us-east-1.eks.amazonaws.com"
"""An address of EKS's form, which nobody has; the Kubernetes stand-in imagines what is behind it."""


def imagined_variables(folder: Path, cache: Path, inherited: Mapping[str, str], progress: Progress) -> dict[str, str]:
    """What such a shell needs beside what it has; its files are made in `folder`, which has to be empty.

    Raises: RefusalError, BuildError when there is no CLI and none can be built.
    """
    programs_folder, home, backend = folder / "bin", folder / "home", folder / "state"
    for made in (programs_folder, home, backend):
        made.mkdir(parents=True)
    own = shutil.which("pulumi", path=inherited.get("PATH", os.defpath))
    if own is None:
        provide_programs((programs.PULUMI,), cache, progress)
        _put(programs.program(cache, "pulumi"), programs_folder / "pulumi")
        for line in install.install_plugins(home, programs_folder):
            progress.say(line)
    else:
        # Its language host lies beside it; the stand-in for one must not be found first.
        for line in install.install_resource_plugins(home, programs_folder):
            progress.say(line)
    progress.say(install.install_program(programs_folder, install.IMAGINED_KUBECTL))
    path = [str(programs_folder), *inherited.get("PATH", os.defpath).split(os.pathsep)]
    return {
        "PATH": os.pathsep.join(path),
        "KUBECONFIG": str(_kubeconfig(folder)),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        # Hundreds of resources: writing the whole state after each of them takes longer than all the rest.
        "PULUMI_SKIP_CHECKPOINTS": "true",
        "FLEET_IMAGES": "local",
        stand_ins.IMAGINED: "true",
        stand_ins.IMAGINED_IMAGES: "true",
    }


def _put(source: Path, target: Path) -> None:
    """A program under another path: a real file, because the CLI looks beside what its path leads to."""
    try:
        os.link(source, target)
    except OSError:  # Another file system.
        shutil.copy2(source, target)


def _kubeconfig(folder: Path) -> Path:
    path, name = folder / "kubeconfig", "imagined"
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": SERVER}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(document))
    return path
