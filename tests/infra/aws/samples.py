"""One of every component of `infra.aws`, to test with.

Invariant: `AWS_COMPONENTS` holds every component of the package; a test compares the two.
"""

from collections.abc import Callable

import pulumi

from infra.aws.identity import PodRole, PodRoleArgs
from infra.aws.place import Place
from infra.aws.policies import allow

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

CLUSTER_ARN = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/celery-fleet-prod"

AWS_COMPONENTS: dict[str, AwsBuild] = {
    "PodRole": lambda name: PodRole(
        name,
        PodRoleArgs(
            place=PLACE,
            cluster_name=PLACE.name,
            cluster_arn=CLUSTER_ARN,
            namespace="celery-fleet",
            service_account="worker-reports",
            managed_policies=("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",),
            statements=(allow("ReadReports", ["s3:GetObject"], ["arn:aws:s3:::reports/*"]),),
        ),
    ),
}
"""Class name -> how one is made, with every option that adds resources."""
