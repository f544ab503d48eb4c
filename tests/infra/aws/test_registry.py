"""Where an environment's images are kept."""

import dataclasses
import json
from typing import Any

import pytest

from infra.aws.place import Place
from infra.aws.registry import Registry, RegistryArgs, lifecycle_policy
from infra.images import Images, ImagesArgs
from tests.infra.aws.samples import PLACE
from tests.infra.recording import Recorded, Registration, record
from tests.infra.samples import ROOT

KEY = "arn:aws:kms:us-east-1:123456789012:key/images"


def registry(place: Place = PLACE, **changes: Any) -> Recorded:
    """The repositories of an environment."""
    return record(lambda: Registry("registry", RegistryArgs(place=place, key_arn=KEY, **changes)))


def repositories(recorded: Recorded) -> dict[str, Registration]:
    """Name in ECR -> repository."""
    return {item.inputs["name"]: item for item in recorded.of("Repository")}


def test_each_role_has_a_repository_of_its_environment() -> None:
    """Environments of one account do not meet."""
    found = repositories(registry())
    assert set(found) == {"celery-fleet-prod/web", "celery-fleet-prod/worker"}
    assert found["celery-fleet-prod/web"].inputs["tags"] == {
        "project": "celery-fleet", "environment": "prod", "owner": "platform", "Name": "celery-fleet-prod/web",
    }  # fmt: skip


def test_what_is_pushed_cannot_be_changed_is_scanned_and_encrypted() -> None:
    """A tag that moved would be another image under the name of a reviewed one."""
    for item in registry().of("Repository"):
        assert item.inputs["imageTagMutability"] == "IMMUTABLE"
        assert item.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
        assert item.inputs["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": KEY}]


@pytest.mark.parametrize("protect", [pytest.param(True, id="kept"), pytest.param(False, id="given-up")])
def test_only_an_environment_that_is_given_up_takes_its_images_along(protect: bool) -> None:
    """A protected one refuses, and its repositories refuse while they hold an image."""
    place = dataclasses.replace(PLACE, protect=protect)
    assert {(item.protect, item.inputs["forceDelete"]) for item in registry(place).of("Repository")} == {
        (protect, not protect)
    }


def test_a_build_cache_is_apart_and_mutable() -> None:
    """A cache is written to the same name again; what runs never is."""
    found = repositories(registry(repositories=("web", "worker", "cache")))
    assert {name: item.inputs["imageTagMutability"] for name, item in found.items()} == {
        "celery-fleet-prod/web": "IMMUTABLE",
        "celery-fleet-prod/worker": "IMMUTABLE",
        "celery-fleet-prod/cache": "MUTABLE",
    }


@pytest.mark.parametrize(
    ("role", "kept"),
    [
        pytest.param("web", {"countType": "imageCountMoreThan", "countNumber": 30}, id="images-by-number"),
        pytest.param(
            "cache", {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}, id="cache-by-age"
        ),
    ],
)
def test_old_images_expire(role: str, kept: dict[str, Any]) -> None:
    """What has no tag goes after a week; of the rest, what nobody goes back to."""
    rules = json.loads(lifecycle_policy(role))["rules"]
    assert [(rule["rulePriority"], rule["action"]) for rule in rules] == [
        (1, {"type": "expire"}),
        (2, {"type": "expire"}),
    ]
    assert rules[0]["selection"] == {
        "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7,
    }  # fmt: skip
    assert rules[1]["selection"] == {"tagStatus": "tagged", "tagPatternList": ["*"], **kept}


def test_every_repository_has_its_lifecycle() -> None:
    """Without one images are paid for until somebody looks."""
    recorded = registry(repositories=("web", "worker", "cache"))
    assert {item.inputs["repository"] for item in recorded.of("LifecyclePolicy")} == set(repositories(recorded))


def test_images_are_pushed_with_the_token_of_the_run() -> None:
    """To the repository of their role, by the host name alone, with a password that stays secret."""

    def program() -> None:
        made = Registry("registry", RegistryArgs(place=PLACE, key_arn=KEY))
        args = ImagesArgs(
            fleet="celery-fleet",
            environment="prod",
            root=str(ROOT),
            base_image="python:3.13",
            repositories={"web": made.urls["web"], "worker": made.urls["worker"]},
            credentials=made.credentials(),
            platforms=("linux/arm64",),
        )
        Images("images", args)

    recorded = record(program)
    image = next(item for item in recorded.of("Image") if item.inputs["target"] == "worker")
    (tag,) = image.inputs["tags"]
    assert str(tag).startswith("123456789012.dkr.ecr.us-east-1.amazonaws.com/celery-fleet-prod/worker:")
    assert image.inputs["registries"] == [
        {"address": "123456789012.dkr.ecr.us-east-1.amazonaws.com", "username": "AWS", "password": "a-token-of-a-test"}
    ]
    assert image.secret_paths == {"registries[0].password"}
    repository = next(item for item in recorded.of("Repository") if item.inputs["name"].endswith("/worker"))
    assert repository.urn in recorded.waits_for(image)
