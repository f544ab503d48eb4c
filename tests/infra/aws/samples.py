"""One of every component of `infra.aws`, to test with.

Invariant: `AWS_COMPONENTS` holds every component of the package; a test compares the two.
"""

from collections.abc import Callable

import pulumi

from infra.aws.place import Place

ACCOUNT = "123456789012"
TAGS = {"project": "celery-fleet", "environment": "prod", "owner": "platform"}
PLACE = Place(
    name="celery-fleet-prod",
    region="us-east-1",
    account=ACCOUNT,
    tags=TAGS,
    protect=True,
    role_path="/celery-fleet/",
    permissions_boundary=f"arn:aws:iam::{ACCOUNT}:policy/boundary",
)
"""A place in which everything is asked for."""

AwsBuild = Callable[[str], pulumi.ComponentResource]

AWS_COMPONENTS: dict[str, AwsBuild] = {}
"""Class name -> how one is made, with every option that adds resources."""
