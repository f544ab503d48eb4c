"""Where images come from."""

from typing import Any

import pytest

from infra.images import Images, ImagesArgs, PrebuiltImages
from tests.infra.recording import Recorded, record


def images(**changes: Any) -> Recorded:
    """The images of a fleet, built from a folder."""
    fields = {"fleet": "celery-fleet", "environment": "dev", "root": "/project", "base_image": "python:3.13"}
    return record(lambda: Images("images", ImagesArgs(**{**fields, **changes})))


@pytest.mark.parametrize(
    ("registry", "pushed", "tag"),
    [
        pytest.param("registry.example/team", True, "registry.example/team/celery-fleet/web:dev", id="a-registry"),
        pytest.param(None, False, "localhost/celery-fleet/web:dev", id="no-registry"),
    ],
)
def test_images_are_pushed_only_to_a_registry_that_was_named(registry: str | None, pushed: bool, tag: str) -> None:
    """Without one they are loaded where they were built."""
    image = next(item for item in images(registry=registry).of("Image") if item.inputs["target"] == "web")
    assert (image.inputs["push"], image.inputs["load"]) == (pushed, not pushed)
    assert image.inputs["tags"] == [tag]


def test_a_preview_builds_and_pushes_nothing() -> None:
    """A look at what would change has no effect outside."""
    assert {item.inputs["buildOnPreview"] for item in images().of("Image")} == {False}


def test_pods_run_an_image_by_its_digest() -> None:
    """A tag can move under a running fleet."""
    recorded = images(registry="registry.example")
    outputs = recorded.outputs[recorded.one("Images").urn][0]
    assert {role: "@sha256:" in ref for role, ref in outputs.items()} == {"web": True, "worker": True}


def test_images_that_exist_are_taken_as_they_are() -> None:
    """Nothing is built then."""
    recorded = images(prebuilt=PrebuiltImages(web="web:1", worker="worker:1"))
    assert recorded.of("Image") == []
    assert recorded.outputs[recorded.one("Images").urn] == [{"web": "web:1", "worker": "worker:1"}]


def test_the_build_sees_the_whole_project_and_its_dockerfile() -> None:
    """The context is the project's root, whatever the working directory."""
    image = images().of("Image")[0].inputs
    assert image["context"] == {"location": "/project"}
    assert image["dockerfile"] == {"location": "/project/app/Dockerfile"}
    assert image["buildArgs"] == {"BASE_IMAGE": "python:3.13"}
