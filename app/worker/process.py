"""What the operating system knows of this worker: its memory at its highest, and when its pod began."""

import os
import resource
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

STARTED = "started"
"""File in the run folder, which outlives a container that is started again."""


def peak_of_children_bytes(pids: Iterable[int]) -> int:
    """Resident memory, at its highest, of the prefork child that took most, those that are gone included; `pids` are of those that live."""
    gone = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return max([gone, *map(high_water_bytes, pids)])


def peak_of_self_bytes() -> int:
    """Resident memory of this process at its highest: where the pool is no prefork pool it runs all tasks."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def high_water_bytes(pid: int) -> int:
    """Of a process that may have ended meanwhile; 0 when it has. Source: Linux `Documentation/filesystems/proc.rst`, `VmHWM`."""
    with suppress(OSError, ValueError, IndexError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024
    return 0


def began_at(document: Path, run_folder: Path) -> float:
    """When this pod began, in seconds since the epoch: soon after it was given to its node, before its image was pulled.

    The kubelet writes a pod's ConfigMaps then, behind a link to a folder whose name begins with two dots (Kubernetes 1.36, `AtomicWriter`), and an
    immutable document is never written again. A container that was started before, and a worker outside a pod, began when the process did.
    """
    started = run_folder / STARTED
    again = started.exists()
    with suppress(OSError):
        started.touch()
        written = document.resolve()
        if not again and written.parent.name.startswith(".."):
            return written.stat().st_mtime
    return process_began_at()


def process_began_at() -> float:
    """When this process did. Source: Linux `Documentation/filesystems/proc.rst`, `/proc/<pid>/stat`, field `start_time`."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    after_boot_seconds = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - after_boot_seconds)
