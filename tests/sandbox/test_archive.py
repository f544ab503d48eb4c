"""The docker-archive writer, read back by tarfile alone."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from sandbox.archive import ImageConfig, new_layer, write_archive


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program"
    file.write_bytes(b"\x7fELF")
    return file


def write(tmp_path: Path, program: Path, name: str) -> Path:
    layer = tmp_path / f"{name}-layer.tar"
    with new_layer(layer) as files:
        files.folder("tmp", mode=0o1777)
        files.program("run", program)
    target = tmp_path / f"{name}.tar"
    config = ImageConfig(entrypoint=("/run",), user="1000:1000", environment={"PATH": "/"})
    write_archive(target, reference="example.org/run:1", layers=[layer], config=config, architecture="amd64")
    return target


def test_archive_names_its_image_and_holds_its_layers(tmp_path: Path, program: Path) -> None:
    """What a container engine looks up in an archive leads to the very bytes of the layer."""
    with tarfile.open(write(tmp_path, program, "image")) as archive:

        def content(name: str) -> bytes:
            stream = archive.extractfile(name)
            assert stream is not None
            return stream.read()

        (manifest,) = json.loads(content("manifest.json"))
        assert manifest["RepoTags"] == ["example.org/run:1"]
        document = json.loads(content(manifest["Config"]))
        assert manifest["Config"] == hashlib.sha256(content(manifest["Config"])).hexdigest() + ".json"
        assert document["config"] == {
            "Env": ["PATH=/"], "Entrypoint": ["/run"], "User": "1000:1000", "WorkingDir": "/"
        }  # fmt: skip
        layer = content(manifest["Layers"][0])
        assert document["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]


def test_layer_keeps_modes(tmp_path: Path, program: Path) -> None:
    """A program can be run and a world-writable folder stays one."""
    write(tmp_path, program, "image")
    with tarfile.open(tmp_path / "image-layer.tar") as layer:
        modes = {entry.name: oct(entry.mode) for entry in layer}
    assert modes == {"tmp": "0o1777", "run": "0o755"}


def test_same_content_gives_the_same_bytes(tmp_path: Path, program: Path) -> None:
    """An image made twice is one image, so nothing is loaded or rolled out again."""
    assert write(tmp_path, program, "one").read_bytes() == write(tmp_path, program, "two").read_bytes()


def test_an_unfinished_archive_is_never_found(tmp_path: Path, program: Path) -> None:
    """A writer that fails leaves no file under the final name."""
    target = tmp_path / "broken.tar"
    with pytest.raises(FileNotFoundError):
        write_archive(target, reference="a:1", layers=[tmp_path / "absent"], config=ImageConfig(), architecture="amd64")
    assert not target.exists()
