"""Where images come from, and by which names they go."""

from pathlib import Path
from typing import Any

import pulumi
import pytest

from fleet.errors import FleetError
from infra.images import Images, ImagesArgs, PrebuiltImages, RegistryCredentials
from tests.infra.recording import Recorded, Registration, record

REPOSITORIES = {"web": "registry.example/team/celery-fleet/web", "worker": "registry.example/team/celery-fleet/worker"}
PASSWORD = "a-token-of-a-test"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with all that a build needs."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("*\n!app\n")
    return tmp_path


def images(root: Path | str = "/project", **changes: Any) -> Recorded:
    """The images of a fleet, built from a folder."""
    fields = {"fleet": "celery-fleet", "environment": "dev", "root": str(root), "base_image": "python:3.13"}
    return record(lambda: Images("images", ImagesArgs(**{**fields, **changes})))


def image(recorded: Recorded, role: str = "web") -> Registration:
    """The build of one role."""
    return next(item for item in recorded.of("Image") if item.inputs["target"] == role)


def tag(recorded: Recorded, role: str = "web") -> str:
    """What an image is pushed as, after its repository."""
    (name,) = image(recorded, role).inputs["tags"]
    repository, _, found = str(name).rpartition(":")
    assert repository == REPOSITORIES[role]
    return found


def test_images_are_pushed_only_to_repositories_that_were_named(project: Path) -> None:
    """Each role to its own."""
    recorded = images(project, repositories=REPOSITORIES)
    assert [(item.inputs["push"], item.inputs["load"]) for item in recorded.of("Image")] == [(True, False)] * 2
    assert {role: len(tag(recorded, role)) for role in ("web", "worker")} == {"web": 16, "worker": 16}


def test_images_without_a_repository_are_loaded_where_they_were_built() -> None:
    """Nobody refuses a tag there, so it is the environment's."""
    found = image(images()).inputs
    assert (found["push"], found["load"]) == (False, True)
    assert found["tags"] == ["localhost/celery-fleet/web:dev"]


def test_another_run_pushes_nothing(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same files elsewhere have the same tag: a registry that takes each tag once is not asked twice."""
    elsewhere = tmp_path_factory.mktemp("checkout")
    (elsewhere / "app").mkdir()
    (elsewhere / "app" / "Dockerfile").write_text("FROM scratch\n")
    (elsewhere / ".dockerignore").write_text("*\n!app\n")
    (elsewhere / "notes.txt").write_text("nothing that the build sees")
    assert tag(images(project, repositories=REPOSITORIES)) == tag(images(elsewhere, repositories=REPOSITORIES))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"base_image": "python:3.14"}, id="another-base"),
        pytest.param({"platforms": ("linux/arm64",)}, id="another-platform"),
        pytest.param({"cache": "registry.example/cache"}, id="a-cache-which-the-plugin-builds-again-for"),
    ],
)
def test_what_makes_the_plugin_build_again_makes_another_tag(project: Path, change: dict[str, Any]) -> None:
    """Under the old one the push would be refused."""
    assert tag(images(project, repositories=REPOSITORIES)) != tag(images(project, repositories=REPOSITORIES, **change))


def test_a_file_that_the_build_sees_makes_another_tag(project: Path) -> None:
    """Both roles are made from it."""
    before = images(project, repositories=REPOSITORIES)
    (project / "app" / "tasks.py").write_text("x = 1\n")
    after = images(project, repositories=REPOSITORIES)
    assert all(tag(before, role) != tag(after, role) for role in ("web", "worker"))


def test_a_missing_dockerfile_is_told(project: Path) -> None:
    """Before anything is registered for the build."""
    (project / "app" / "Dockerfile").unlink()
    with pytest.raises(FleetError, match="Dockerfile"):
        images(project, repositories=REPOSITORIES)


def test_a_preview_builds_and_pushes_nothing() -> None:
    """A look at what would change has no effect outside."""
    assert {item.inputs["buildOnPreview"] for item in images().of("Image")} == {False}


def test_pods_run_an_image_by_its_digest(project: Path) -> None:
    """A tag can move under a running fleet."""
    recorded = images(project, repositories=REPOSITORIES)
    outputs = recorded.outputs[recorded.one("Images").urn][0]
    assert {role: "@sha256:" in ref for role, ref in outputs.items()} == {"web": True, "worker": True}


def test_images_that_exist_are_taken_as_they_are() -> None:
    """Nothing is built then."""
    recorded = images(prebuilt=PrebuiltImages(web="web:1", worker="worker:1"))
    assert recorded.of("Image") == []
    assert recorded.outputs[recorded.one("Images").urn] == [{"web": "web:1", "worker": "worker:1"}]


def test_the_build_finds_the_project_from_the_programs_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same inputs on every machine, wherever the checkout is; a whole path would build everything again on the next one."""
    (project / "stacks").mkdir()
    monkeypatch.chdir(project / "stacks")
    found = image(images(project)).inputs
    assert found["context"] == {"location": ".."}
    assert found["dockerfile"] == {"location": "../app/Dockerfile"}
    assert found["buildArgs"] == {"BASE_IMAGE": "python:3.13"}


def test_images_are_built_for_the_nodes(project: Path) -> None:
    """An image for the builder's own processor does not start on another."""
    assert image(images(project, platforms=("linux/arm64",))).inputs["platforms"] == ["linux/arm64"]
    assert "platforms" not in image(images(project)).inputs


def test_a_registrys_password_stays_secret(project: Path) -> None:
    """It reaches the builder, and nobody who reads the state."""
    made: list[RegistryCredentials] = []

    def program() -> None:
        made.append(
            RegistryCredentials(address="registry.example", username="AWS", password=pulumi.Output.secret(PASSWORD))
        )
        args = ImagesArgs(
            fleet="celery-fleet",
            environment="dev",
            root=str(project),
            base_image="python:3.13",
            repositories={"web": "registry.example/web", "worker": "registry.example/worker"},
            credentials=made[0],
        )
        Images("images", args)

    found = image(record(program))
    assert found.inputs["registries"] == [{"address": "registry.example", "username": "AWS", "password": PASSWORD}]
    assert found.secret_paths == {"registries[0].password"}
    assert "password" not in repr(made[0])


def test_what_was_pushed_stays_when_it_is_forgotten(project: Path) -> None:
    """It may run in another environment by its digest; what was only loaded goes with the stack."""
    assert image(images(project, repositories=REPOSITORIES)).retain_on_delete
    assert not image(images(project)).retain_on_delete


def test_a_cache_outlives_the_machine_that_built(project: Path) -> None:
    """Each role reads and writes its own, in the form that ECR keeps, and a cache that cannot be written fails no build."""
    found = image(images(project, repositories=REPOSITORIES, cache="registry.example/cache"), "worker").inputs
    assert found["cacheFrom"] == [{"registry": {"ref": "registry.example/cache:worker"}}]
    (export,) = found["cacheTo"]
    assert export["registry"].items() >= {
        "ref": "registry.example/cache:worker", "mode": "max", "imageManifest": True, "ociMediaTypes": True, "ignoreError": True,
    }.items()  # fmt: skip
