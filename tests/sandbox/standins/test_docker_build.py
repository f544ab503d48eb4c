"""Images are built when something they are made of changed, and only then.

Source of the behaviour: pulumi-docker-build v0.0.22 `provider/internal/image.go` and `context.go`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pulumi.runtime.proto import provider_pb2

from sandbox.standins import variables
from sandbox.standins.docker_build.build_context import context_hash, is_ignored, parse_ignore_file
from sandbox.standins.docker_build.buildah import BuiltImage, Progress
from sandbox.standins.docker_build.image_args import ImageArgs, changed_inputs, digested, read_image_args
from sandbox.standins.docker_build.provider import DockerBuildProvider
from sandbox.standins.property_values import UNKNOWN, Properties, marshal, unmarshal
from tests.sandbox.standins.kubernetes_fakes import RememberingLog

URN = "urn:pulumi:local::fleet::docker-build:index:Image::web"
DIGEST = "sha256:" + "1" * 64
TAG = "docker.io/celery-fleet/web:dev"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print(1)\n")
    (tmp_path / ".dockerignore").write_text("**/*.log\n.git\n")
    return tmp_path


def hashed(folder: Path) -> str:
    return context_hash(folder, folder / "Dockerfile", {})


def test_the_hash_follows_content_name_and_mode(folder: Path) -> None:
    """Whatever can change the image changes the hash."""
    seen = {hashed(folder)}
    (folder / "app" / "main.py").write_text("print(2)\n")
    seen.add(hashed(folder))
    (folder / "app" / "main.py").rename(folder / "app" / "other.py")
    seen.add(hashed(folder))
    (folder / "app" / "other.py").chmod(0o755)
    seen.add(hashed(folder))
    (folder / "Dockerfile").write_text("FROM scratch\n")
    seen.add(hashed(folder))
    assert len(seen) == 5


def test_an_ignored_file_never_changes_the_hash(folder: Path) -> None:
    """A log or a commit beside the code causes no build."""
    before = hashed(folder)
    (folder / "app" / "run.log").write_text("noise")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("noise")
    assert hashed(folder) == before


@pytest.mark.parametrize(
    ("rules", "path", "ignored"),
    [
        ("*.log", "run.log", True),
        ("*.log", "app/run.log", False),
        ("**/*.log", "app/run.log", True),
        (".git", ".git/objects/1", True),
        ("/docs/", "docs/index.md", True),
        ("*\n!app\n!Dockerfile", "app/main.py", False),
        ("*\n!app\n!Dockerfile", "tests/test.py", True),
        ("*\n!app\napp/secret", "app/secret/key", True),
        ("# app\n\n", "app", False),
        ("file?.txt", "file1.txt", True),
        ("data[0-9]", "data7", True),
        ("a+b", "a+b", True),
    ],
)
def test_ignore_rules_are_read_as_docker_reads_them(rules: str, path: str, ignored: bool) -> None:
    """The last rule that speaks about a path decides."""
    assert is_ignored(path, parse_ignore_file(rules)) is ignored


@pytest.mark.parametrize(
    ("tag", "reference"),
    [
        (TAG, f"{TAG}@{DIGEST}"),
        ("docker.io/celery-fleet/web", f"docker.io/celery-fleet/web:latest@{DIGEST}"),
        ("localhost:5000/web:1", f"localhost:5000/web:1@{DIGEST}"),
        ("web:1", ""),
    ],
)
def test_only_a_name_with_its_registry_gets_a_digest(tag: str, reference: str) -> None:
    """A short name means a different image on every machine."""
    assert digested(tag, DIGEST) == reference


def inputs(folder: Path, **more: object) -> Properties:
    return {"context": {"location": str(folder)}, "tags": [TAG], "push": True, **more}


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        pytest.param(
            {"context": {"location": "/does/not/exist"}}, ["context.location", "dockerfile.location"], id="context"
        ),
        pytest.param({"dockerfile": {"location": "/none"}}, ["dockerfile.location"], id="dockerfile"),
        pytest.param({"dockerfile": {"location": "a", "inline": "b"}}, ["dockerfile"], id="two-dockerfiles"),
        pytest.param({"platforms": ["linux/s390x"]}, ["platforms[0]"], id="foreign-platform"),
        pytest.param({"tags": ["not a tag"]}, ["tags[0]"], id="tag"),
        pytest.param({"cacheTo": [{}]}, ["cacheTo"], id="cache"),
        pytest.param({"ssh": [{}]}, ["ssh"], id="ssh"),
        pytest.param({}, [], id="nothing"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(folder: Path, more: Properties, wrong: list[str]) -> None:
    """All of it in one report."""
    assert [name for name, _ in read_image_args(inputs(folder, **more)).failures] == wrong


@pytest.mark.parametrize(
    ("more", "changed"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"buildArgs": {"BASE": "b"}}, ["buildArgs"], id="build-argument"),
        pytest.param({"target": "web"}, ["target"], id="target"),
        pytest.param({"load": False}, [], id="a-default-written-out"),
        pytest.param({"pull": True}, ["pull", "contextHash"], id="pull-always-builds"),
        pytest.param({"registries": [{"address": "docker.io", "password": "new"}]}, [], id="renewed-password"),
    ],
)
def test_what_makes_a_new_build_necessary(folder: Path, more: Properties, changed: list[str]) -> None:
    """An unchanged program on an unchanged context builds nothing."""
    registries = [{"address": "docker.io", "password": "old"}] if "registries" in more else []
    old = inputs(folder, registries=registries)
    state = {**old, "contextHash": ImageArgs(old).hash()}
    assert changed_inputs(state, read_image_args(inputs(folder, **{"registries": registries, **more}))) == changed


@dataclass
class FakeBuildah:
    builds: int = 0
    pushed: list[str] = field(default_factory=list)

    async def build(self, args: ImageArgs, progress: Progress) -> BuiltImage:
        await progress(f"STEP 1/1: {args.context.name}")
        self.builds += 1
        return BuiltImage(DIGEST, Path("/image.tar"))

    async def push(self, archive: Path, tag: str, registries: list[dict[str, str]]) -> None:
        self.pushed.append(tag)


@dataclass
class FakeContainerd:
    images: dict[str, str] = field(default_factory=dict)

    async def load(self, archive: Path, tags: list[str], digest: str) -> None:
        self.images.update(dict.fromkeys(tags, digest))

    async def has(self, tag: str, digest: str) -> bool:
        return self.images.get(tag) == digest

    async def remove(self, tags: list[str], digest: str) -> None:
        for tag in tags:
            self.images.pop(tag, None)


def provider(buildah: FakeBuildah, containerd: FakeContainerd | None) -> DockerBuildProvider:
    return DockerBuildProvider(RememberingLog(), buildah, containerd)  # type: ignore[arg-type]


def created(one: DockerBuildProvider, given: Properties, *, preview: bool = False) -> tuple[str, Properties]:
    request = provider_pb2.CreateRequest(urn=URN, properties=marshal(given), preview=preview)
    response = asyncio.run(one.create(request))
    return response.id, unmarshal(response.properties)


def test_an_image_is_built_loaded_and_named_by_its_digest(folder: Path) -> None:
    """A pod that names the digest starts exactly this image."""
    containerd = FakeContainerd()
    resource_id, state = created(provider(FakeBuildah(), containerd), inputs(folder))
    assert resource_id == DIGEST
    assert state["ref"] == f"{TAG}@{DIGEST}"
    assert state["digest"] == DIGEST
    assert containerd.images == {TAG: DIGEST}


def test_without_a_sandbox_an_image_is_pushed_to_its_registry(folder: Path) -> None:
    """`push` means what it says."""
    buildah = FakeBuildah()
    created(provider(buildah, None), inputs(folder))
    assert buildah.pushed == [TAG]


@pytest.mark.parametrize(
    ("more", "builds"),
    [
        pytest.param({}, 1, id="builds-unless-told-otherwise"),
        pytest.param({"buildOnPreview": False}, 0, id="told-otherwise"),
        pytest.param({"buildArgs": {"BASE": UNKNOWN}}, 0, id="not-known-yet"),
    ],
)
def test_a_preview_never_puts_an_image_anywhere(folder: Path, more: Properties, builds: int) -> None:
    """It may build, to find mistakes early."""
    buildah, containerd = FakeBuildah(), FakeContainerd()
    resource_id, state = created(provider(buildah, containerd), inputs(folder, **more), preview=True)
    assert resource_id == ""
    assert buildah.builds == builds
    assert containerd.images == {}
    assert state["contextHash"]


def test_an_image_for_an_imagined_registry_is_neither_built_nor_pushed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reference follows its content all the same, and every platform will do."""
    monkeypatch.setenv(variables.IMAGINED, "true")
    buildah = FakeBuildah()
    tag = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/fleet/web:1"
    given = inputs(folder, tags=[tag], platforms=["linux/arm64", "linux/s390x"], cacheTo=[{}])
    assert read_image_args(given).failures == []
    refs = []
    for target in ("web", "web", "worker"):
        _, state = created(provider(buildah, None), {**given, "target": target})
        refs.append(state["ref"])
    assert refs[0].startswith(f"{tag}@sha256:")
    assert refs[0] == refs[1] != refs[2]
    assert (buildah.builds, buildah.pushed) == (0, [])


def test_an_image_for_ecr_is_loaded_where_the_sandbox_is_the_cluster(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built for the sandbox's node, whatever the nodes in AWS would be."""
    monkeypatch.setenv(variables.EKS_KUBECONFIG, "/kubeconfig")
    buildah, containerd = FakeBuildah(), FakeContainerd()
    tag = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/fleet/web:1"
    given = inputs(folder, tags=[tag], platforms=["linux/arm64", "linux/s390x"], cacheTo=[{}])
    assert read_image_args(given).failures == []
    created(provider(buildah, containerd), given)
    assert (buildah.builds, containerd.images) == (1, {tag: DIGEST})


def test_an_image_for_another_registry_is_built_beside_an_imagined_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what would go to ECR goes nowhere."""
    monkeypatch.setenv(variables.IMAGINED, "true")
    buildah = FakeBuildah()
    created(provider(buildah, None), inputs(folder))
    assert buildah.builds == 1


def test_no_image_is_built_where_all_are_imagined(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a review of what would change, on a machine that can build nothing; the digest follows the content all the same."""
    monkeypatch.setenv(variables.IMAGINED_IMAGES, "true")
    buildah = FakeBuildah()
    _, state = created(provider(buildah, None), inputs(folder))
    assert buildah.builds == 0
    assert state["ref"] == f"{TAG}@{state['digest']}"


def test_an_image_that_left_the_sandbox_is_missing_in_a_refresh(folder: Path) -> None:
    """A new node has none of the old node's images."""
    containerd = FakeContainerd()
    one = provider(FakeBuildah(), containerd)
    resource_id, state = created(one, inputs(folder))
    request = provider_pb2.ReadRequest(urn=URN, id=resource_id, properties=marshal(state))
    assert asyncio.run(one.read(request)).id == resource_id
    containerd.images.clear()
    assert asyncio.run(one.read(request)).id == ""


def test_a_deleted_image_is_forgotten(folder: Path) -> None:
    """A destroyed fleet leaves no image behind."""
    containerd = FakeContainerd()
    one = provider(FakeBuildah(), containerd)
    resource_id, state = created(one, inputs(folder))
    asyncio.run(one.delete(provider_pb2.DeleteRequest(urn=URN, id=resource_id, properties=marshal(state))))
    assert containerd.images == {}
