"""What runs now: components with their process numbers on the host, versions, memory, stand-ins in use."""

import json
from typing import Any

import psutil

from sandbox import cgroups, images, node, programs
from sandbox.api_server import ApiServer, condition
from sandbox.components import stand_in_components
from sandbox.folders import Folders


def read_status(folders: Folders) -> dict[str, Any]:
    """The sandbox's state as one JSON document.

    Returns: `name`, `state` (absent, starting, ready or degraded), `components` (name -> pid, restarts, last_exit),
    `versions`, `stand_ins`, and where it runs `api_server`, `node_ready`, `supervisor_pid` and
    `memory_mib` (page cache apart).
    """
    found: dict[str, Any] = {
        "name": folders.name,
        "state": "absent",
        "components": {},
        "versions": {family.name: family.version for family in programs.FAMILIES if family.module},
        "images": [image.reference for image in images.IMAGES],
        "stand_ins": [],
    }
    process = node.running(folders)
    if process is None:
        return found
    plan = node.plan_node(folders)
    api = ApiServer.of(plan)
    components = _components(folders, process.pid)
    ready = condition(api.get(f"/api/v1/nodes/{folders.name}"), "Ready") == "True"
    whole = ready and all(one["pid"] for one in components.values()) and bool(components)
    marked = (folders.node / "ready").exists()
    return found | {
        "state": "starting" if not marked else "ready" if whole else "degraded",
        "components": components,
        "api_server": plan.api_server,
        "node_ready": ready,
        "supervisor_pid": process.pid,
        "memory_mib": _mebibytes(cgroups.resident_bytes(folders.name)),
        "stand_ins": [one.name for one in stand_in_components(plan)]
        + [f"image {image.reference}" for image in images.IMAGES if image.debian],
    }


def _components(folders: Folders, supervisor: int) -> dict[str, dict[str, Any]]:
    file = folders.node / "status.json"
    if not file.exists():
        return {}
    on_host = _host_numbers(supervisor)
    components: dict[str, dict[str, Any]] = json.loads(file.read_text())
    for one in components.values():
        one["pid"] = on_host.get(one["pid"])
    return components


def _host_numbers(supervisor: int) -> dict[int, int]:
    """Process number inside the node -> on the host, of the supervisor's children."""
    numbers: dict[int, int] = {}
    for first in psutil.Process(supervisor).children():
        for child in first.children():
            try:
                with open(f"/proc/{child.pid}/status") as status:  # noqa: PTH123
                    line = next(line for line in status if line.startswith("NSpid:"))
            except (OSError, StopIteration):
                continue
            numbers[int(line.split()[2])] = child.pid
    return numbers


def _mebibytes(size: int | None) -> int | None:
    return None if size is None else size >> 20


def status_lines(found: dict[str, Any]) -> list[str]:
    """The same for a person."""
    lines = [f"sandbox {found['name']}: {found['state']}"]
    if found["state"] == "absent":
        return lines
    lines.append(f"  API server {found['api_server']}, memory {found['memory_mib']} MiB")
    for name, one in found["components"].items():
        state = f"pid {one['pid']}" if one["pid"] else f"not running {one['last_exit']}"
        again = f", restarted {one['restarts']} times, last {one['last_exit']}" if one["restarts"] else ""
        lines.append(f"  {name}: {state}{again}")
    lines.append("  versions: " + ", ".join(f"{name} {version}" for name, version in found["versions"].items()))
    lines += [f"  stand-in: {one}" for one in found["stand_ins"]]
    return lines
