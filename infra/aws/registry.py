"""Where an environment's images are kept: one ECR repository for each role.

Invariant: a tag never moves, every image is scanned when it arrives, and what the fleet runs stays until thirty newer images have come. The
repository of the build cache is apart and mutable, because a cache is written to the same name again.
Source: ECR user guide, "Preventing image tags from being overwritten", "Image scanning" and "Lifecycle policies" (an image that a tagged manifest
list refers to is never expired as untagged); Docker docs, "Amazon ECR as cache storage" in "Registry cache".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.place import Place
from infra.images import ROLES, RegistryCredentials

CACHE = "cache"
"""Role of the repository of the build cache."""

UNTAGGED_DAYS = 7
"""An untagged image is what a broken push left behind."""

IMAGES_KEPT = 30
"""Tagged images of each repository: a month of daily deployments to go back to."""

CACHE_DAYS = 14


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """What the images belong to and how they are kept."""

    place: Place

    repositories: tuple[str, ...] = ROLES
    """Roles that have a repository; plain, because each is a resource. `cache` among them keeps the build cache."""

    key_arn: pulumi.Input[str]
    """KMS key that layers are encrypted with; another key is another repository."""


def lifecycle_policy(role: str) -> str:
    """The rules by which ECR expires images of a role's repository, as JSON.

    Source: ECR user guide, "Lifecycle policy properties in Amazon ECR" (rules apply by priority, and each image to one rule at most).
    """
    untagged = {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": UNTAGGED_DAYS,
    }
    tagged: dict[str, Any] = {"tagStatus": "tagged", "tagPatternList": ["*"]}
    if role == CACHE:
        tagged |= {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": CACHE_DAYS}
    else:
        tagged |= {"countType": "imageCountMoreThan", "countNumber": IMAGES_KEPT}
    rules = [
        {"rulePriority": priority, "selection": selection, "action": {"type": "expire"}}
        for priority, selection in enumerate((untagged, tagged), start=1)
    ]
    return json.dumps({"rules": rules})


class Registry(pulumi.ComponentResource):
    """The repositories of one environment: `<place>/web`, `<place>/worker`, …"""

    urls: Mapping[str, pulumi.Output[str]]
    """Role -> name to push to and pull from, without a tag."""

    def __init__(self, name: str, args: RegistryArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:Registry", name, None, opts)
        self.urls = {role: self._add_repository(f"{name}-{role}", role, args) for role in args.repositories}
        self.register_outputs({"urls": dict(self.urls)})

    def credentials(self) -> RegistryCredentials:
        """What the caller of AWS pushes with: good for twelve hours, asked for anew by every run.

        Source: ECR API, `GetAuthorizationToken`.
        """
        token = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOutputOptions(parent=self))
        return RegistryCredentials(
            address=token.proxy_endpoint.apply(lambda endpoint: endpoint.removeprefix("https://")),
            username=token.user_name,
            password=pulumi.Output.secret(token.password),
        )

    def _add_repository(self, name: str, role: str, args: RegistryArgs) -> pulumi.Output[str]:
        place = args.place
        repository = aws.ecr.Repository(
            f"{name}-repository",
            # Environments of one account may belong to one fleet, so the name says which one this is.
            name=f"{place.name}/{role}",
            image_tag_mutability="MUTABLE" if role == CACHE else "IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key_arn}],
            force_delete=not place.protect,
            tags=place.tagged(f"{place.name}/{role}"),
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect),
        )
        aws.ecr.LifecyclePolicy(
            f"{name}-lifecycle",
            repository=repository.name,
            policy=lifecycle_policy(role),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return repository.repository_url
