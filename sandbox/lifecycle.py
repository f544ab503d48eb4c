"""`up`, `down`, `build` and `clean`: the order of the steps.

Invariant: every step finds out for itself what is left to do. `up` on a running sandbox changes nothing and returns in
a moment; `up` after an interruption goes on; `down` leaves no process, mount, address, rule, control group or file
outside the cache, whatever state it meets.
"""

import hashlib
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from sandbox import host, images, network, node, packages, platform, programs
from sandbox.api_server import ApiServer, condition, wait_until
from sandbox.building import build_programs
from sandbox.components import ETCD_FOLDER, stand_in_components
from sandbox.credentials import load_credentials
from sandbox.errors import SandboxError
from sandbox.folders import Folders
from sandbox.images import make_image
from sandbox.locks import locked, locked_cache
from sandbox.node_files import NodePlan
from sandbox.progress import Progress
from sandbox.standins.install import install_plugins

NODE_READY_WITHIN_SECONDS = 120
PLATFORM_READY_WITHIN_SECONDS = 240


def up(folders: Folders, progress: Progress) -> None:
    """Start the sandbox, or what is missing of it, and wait until a fleet can be deployed."""
    host.check_system()
    folders.create()
    with locked(folders.lock, f"sandbox {folders.name}", progress):
        if is_up(folders):
            progress.say(f"sandbox {folders.name} is running")
            return
        started = time.monotonic()
        build(folders, progress)
        load_credentials(folders)
        forget_stacks_of_a_gone_node(folders)
        plan = node.plan_node(folders)
        with progress.step("start the node"):
            node.start(plan)
            api = _wait_for_node(plan, progress)
        with progress.step("start KEDA and metrics-server"):
            wait_until(
                "KEDA and metrics-server",
                lambda: platform.missing_platform(api),
                seconds=PLATFORM_READY_WITHIN_SECONDS,
                log=folders.logs / "kubelet.log",
            )
        for line in (*_install_programs(folders), *_announcements(plan)):
            progress.say(line)
        _ready_mark(folders).write_text(fingerprint())
        progress.say(f"sandbox {folders.name} is ready after {time.monotonic() - started:.0f} s")


def forget_stacks_of_a_gone_node(folders: Folders) -> None:
    """Drop the engine's state where the cluster that it is about is not there.

    A `pulumi up` that outlives `down` writes what it knows once more. The next one would take it for its own, make everything and then delete it as what
    was replaced.
    """
    if not (folders.node / ETCD_FOLDER).exists():
        shutil.rmtree(folders.pulumi_backend)
        folders.pulumi_backend.mkdir()


def _wait_for_node(plan: NodePlan, progress: Progress) -> ApiServer:
    """Load the images while the API server starts, then apply the platform and wait for the node."""
    folders = plan.folders
    api = ApiServer.of(plan)
    with ThreadPoolExecutor(2) as side:
        manifests = side.submit(platform.platform_manifests, folders)
        wait_until(
            "containerd",
            lambda: "" if folders.containerd_socket.exists() else "its socket",
            seconds=NODE_READY_WITHIN_SECONDS,
            log=folders.logs / "containerd.log",
        )
        loading = side.submit(platform.load_images, folders, progress)
        wait_until(
            "the API server",
            lambda: "" if api.is_ready() else "its /readyz",
            seconds=NODE_READY_WITHIN_SECONDS,
            log=folders.logs / "kube-apiserver.log",
        )
        platform.apply_platform(folders, manifests.result())
        loading.result()
    wait_until(
        "the node",
        lambda: "" if node_is_ready(api, folders) else "condition Ready",
        seconds=NODE_READY_WITHIN_SECONDS,
        log=folders.logs / "kubelet.log",
    )
    return api


def node_is_ready(api: ApiServer, folders: Folders) -> bool:
    """Whether the kubelet that runs now says so: what one said before it was killed stays readable for a while."""
    process = node.running(folders)
    document = api.get(f"/api/v1/nodes/{folders.name}")
    if process is None or document is None or condition(document, "Ready") != "True":
        return False
    beats = [one["lastHeartbeatTime"] for one in document["status"]["conditions"] if one["type"] == "Ready"]
    # Kubernetes writes whole seconds.
    return datetime.fromisoformat(beats[0]).timestamp() + 1 >= process.started


def _install_programs(folders: Folders) -> list[str]:
    """Put pulumi and kubectl on the sandbox's own PATH, and the stand-ins where pulumi looks for them."""
    for name in ("pulumi", "kubectl"):
        source, target = programs.program(folders.cache, name), folders.bin / name
        if target.exists() and target.samefile(source):
            continue
        target.unlink(missing_ok=True)
        # A name of the file itself, not a symbolic link: pulumi looks for language hosts beside its real file.
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)
    return install_plugins(folders.pulumi_home, folders.bin)


def _announcements(plan: NodePlan) -> list[str]:
    lines = [f"stand-in: {one.name} runs as a process of the node" for one in stand_in_components(plan)]
    return [*lines, *images.announcements(plan.folders.cache)]


def _ready_mark(folders: Folders) -> Path:
    return folders.node / "ready"


def fingerprint() -> str:
    """Changes whenever a running sandbox would have to be brought up to date."""
    digest = hashlib.sha256()
    for family in programs.FAMILIES:
        digest.update(family.key.encode())
    for image in images.IMAGES:
        digest.update(image.key.encode())
    for source in sorted(Path(__file__).parent.glob("**/*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def is_up(folders: Folders) -> bool:
    """Whether everything this checkout would start is running."""
    mark = _ready_mark(folders)
    if not mark.exists() or mark.read_text() != fingerprint() or node.running(folders) is None:
        return False
    return ApiServer.of(node.plan_node(folders)).is_ready()


def build(folders: Folders, progress: Progress) -> None:
    """Install, build and package what the cache lacks: images by the network while programs take the processors."""
    host.check_space(folders)
    if host.has_everything(folders.cache) and not packages.missing_packages():
        # Nothing to wait for, also while another command still clears away what its compilers kept.
        return
    with locked_cache(folders.cache, progress), ThreadPoolExecutor(1) as network_side:
        packages.install_missing(progress)
        # What an interrupted run left; before anything is made, because images and programs are made side by side.
        shutil.rmtree(folders.cache / "unfinished", ignore_errors=True)
        # One after the other: they wait for the same mirror.
        debian = network_side.submit(_make_images, folders, progress, from_debian=True)
        build_programs(programs.FAMILIES, folders.cache, progress)
        _make_images(folders, progress, from_debian=False)
        debian.result()


def _make_images(folders: Folders, progress: Progress, *, from_debian: bool) -> None:
    for image in images.IMAGES:
        if (image.debian is not None) is from_debian:
            make_image(image, folders.cache, progress)


def down(folders: Folders, progress: Progress) -> None:
    """Stop the sandbox and remove its state; the passwords stay, and so does the cache."""
    if not folders.state.exists() and not network.namespace_file(folders.name).exists():
        progress.say(f"sandbox {folders.name} is not running")
        return
    host.check_root()
    with locked(folders.lock, f"sandbox {folders.name}", progress), progress.step(f"stop sandbox {folders.name}"):
        node.stop(folders)
        for entry in folders.state.iterdir() if folders.state.exists() else ():
            if entry == folders.credentials:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    progress.say(f"sandbox {folders.name} is stopped")


def clean(folders: Folders, progress: Progress) -> None:
    """`down`, then remove the passwords and the cache that all sandboxes share."""
    down(folders, progress)
    others = [
        entry.name
        for entry in folders.state.parent.glob("*/node/process.json")
        if entry.parents[1].name != folders.name
    ]
    if others:
        raise SandboxError(str(folders.cache), "another sandbox uses the cache", "Stop it first: make down")
    with progress.step("remove the cache"):
        shutil.rmtree(folders.state, ignore_errors=True)
        shutil.rmtree(folders.cache, ignore_errors=True)
