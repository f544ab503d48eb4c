"""What the operating system is asked of a worker, held against what it says otherwise."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from app.worker.process import began_at, high_water_bytes, peak_of_children_bytes, peak_of_self_bytes, process_began_at

MEBIBYTE = 2**20


def test_memory_is_that_of_the_child_that_took_most() -> None:
    """It is gone already, and of one that is gone nothing more can be asked."""
    with subprocess.Popen([sys.executable, "-c", "bytearray(96 * 2**20)"]) as child:
        child.wait(30)
    assert peak_of_children_bytes(()) >= 96 * MEBIBYTE
    assert high_water_bytes(child.pid) == 0


def test_memory_of_a_process_that_lives_is_its_own() -> None:
    assert peak_of_self_bytes() == pytest.approx(high_water_bytes(os.getpid()), rel=0.05)
    assert peak_of_children_bytes([os.getpid()]) >= high_water_bytes(os.getpid())


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A document as the kubelet writes it, an hour ago."""
    folder = tmp_path / "etc" / "..2026_11_26_22_50_21.123"
    folder.mkdir(parents=True)
    (folder / "document.json").write_text("{}", encoding="utf-8")
    os.utime(folder / "document.json", (time.time() - 3600,) * 2)
    (tmp_path / "etc" / "..data").symlink_to(folder.name)
    (tmp_path / "etc" / "document.json").symlink_to("..data/document.json")
    return tmp_path / "etc" / "document.json"


def test_a_pod_begins_when_its_document_is_written(mounted: Path, tmp_path: Path) -> None:
    """Soon after it has a node and before its image is pulled; a container that is started again begins with its process."""
    assert began_at(mounted, tmp_path) == pytest.approx(time.time() - 3600, abs=5)
    assert began_at(mounted, tmp_path) == pytest.approx(process_began_at(), abs=1)


def test_a_worker_outside_a_pod_begins_with_its_process(tmp_path: Path) -> None:
    """Its document may be as old as it likes, and its folder missing."""
    document = tmp_path / "document.json"
    document.write_text("{}", encoding="utf-8")
    os.utime(document, (0, 0))
    assert began_at(document, tmp_path) == pytest.approx(process_began_at(), abs=1)
    assert began_at(document, tmp_path / "missing") == pytest.approx(process_began_at(), abs=1)


def test_a_process_began_when_the_system_says() -> None:
    assert process_began_at() == pytest.approx(psutil.Process().create_time(), abs=1)
