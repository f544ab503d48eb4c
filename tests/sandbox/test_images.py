"""Recipes of the images: names, keys and what Debian is asked for."""

import dataclasses
from pathlib import Path

import pytest

from sandbox import images
from sandbox.archive import ImageConfig
from sandbox.errors import BuildError
from sandbox.images import IMAGES, RABBITMQ


def test_images_are_loaded_under_the_public_names() -> None:
    """The programs of the fleet ask for these and never learn that no registry was asked."""
    references = {image.reference for image in IMAGES}
    assert references >= {
        "docker.io/library/rabbitmq:4.3.6-management", "docker.io/valkey/valkey:8.1",
        "docker.io/library/python:3.13-slim",
    }  # fmt: skip


def test_another_recipe_is_another_image() -> None:
    """A changed package list, configuration or name is never served from an old archive."""
    assert RABBITMQ.debian is not None
    changed = [
        dataclasses.replace(RABBITMQ, reference="docker.io/library/rabbitmq:4.3.7"),
        dataclasses.replace(RABBITMQ, config=ImageConfig(user="1:1")),
        dataclasses.replace(RABBITMQ, debian=dataclasses.replace(RABBITMQ.debian, packages=("erlang",))),
    ]
    assert len({image.key for image in [RABBITMQ, *changed]}) == 4


def test_rabbitmq_keeps_no_cookie_and_its_user_is_the_operators() -> None:
    """The operator's pods run as 999, and a baked cookie would let strangers join a cluster."""
    assert RABBITMQ.debian is not None
    command = " ".join(RABBITMQ.debian.command(Path("out.tar")))
    assert "rabbitmq:x:999:999" in command
    assert 'rm -f "$1"/var/lib/rabbitmq/.erlang.cookie' in command
    assert RABBITMQ.config.user == "999:999"


@pytest.mark.parametrize("version", ["4.3.6-1", "4.3.9-2"])
def test_another_patch_version_of_debian_is_accepted_and_said(tmp_path: Path, version: str) -> None:
    """sid moves within 4.3; the announcement says which version it is."""
    (tmp_path / "images").mkdir()
    log = tmp_path / "log"
    log.write_text(f"I: something\npromised rabbitmq-server {version}\n")
    images._check_promised_version(RABBITMQ, log, tmp_path)
    assert any(version in line for line in images.announcements(tmp_path))


def test_another_minor_version_of_debian_is_refused(tmp_path: Path) -> None:
    """A broker the fleet was not made for is not passed off as the one it was."""
    log = tmp_path / "log"
    log.write_text("promised rabbitmq-server 4.4.0-1\n")
    with pytest.raises(BuildError, match=r"rabbitmq-server 4\.4\.0-1, and the fleet is made for 4\.3\.x"):
        images._check_promised_version(RABBITMQ, log, tmp_path)
