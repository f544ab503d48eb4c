"""The results store where there is no managed one, and the password of the one that there is.

Invariant: the password is a secret of Pulumi's on the way in and a Secret of the cluster on the way out, and stands nowhere in clear.
"""

from dataclasses import dataclass, field

import pulumi

from infra.manifests.metadata import service_account
from infra.manifests.results import NAME, password_secret, results_secret, results_service, results_stateful_set
from infra.objects import KubernetesObject


@dataclass(frozen=True, kw_only=True)
class ResultsArgs:
    """Whose store it is and what opens it."""

    fleet: str
    password: pulumi.Output[str] = field(repr=False)
    """A secret output."""
    storage_class: str | None = None
    """StorageClass of the store's volume; None takes the cluster's default."""


class Results(pulumi.ComponentResource):
    """One Valkey, its Service and its password."""

    secret_name: pulumi.Output[str]
    """Secret with the key `password`."""

    def __init__(self, name: str, args: ResultsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:results:Results", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        secret = KubernetesObject(f"{name}-secret", results_secret(args.fleet, args.password), opts=child)
        account = KubernetesObject(f"{name}-service-account", service_account(args.fleet, NAME, "results"), opts=child)
        store = KubernetesObject(
            f"{name}-store",
            results_stateful_set(args.fleet, secret.object_name, storage_class=args.storage_class),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )
        KubernetesObject(
            f"{name}-service",
            results_service(args.fleet),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[store]),
        )
        # A Secret's metadata is no secret; pods only name it.
        self.secret_name = pulumi.Output.unsecret(secret.object_name)
        self.register_outputs({"secret_name": self.secret_name})


class ResultsPassword(pulumi.ComponentResource):
    """The password of a store outside the cluster, for the pods that use it."""

    secret_name: pulumi.Output[str]
    """Secret with the key `password`."""

    def __init__(self, name: str, args: ResultsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:results:ResultsPassword", name, None, opts)
        secret = KubernetesObject(
            f"{name}-secret", password_secret(args.fleet, args.password), opts=pulumi.ResourceOptions(parent=self)
        )
        self.secret_name = pulumi.Output.unsecret(secret.object_name)
        self.register_outputs({"secret_name": self.secret_name})
