"""The StorageClass of the brokers' volumes, as an object of the cluster.

Invariant: it is there before a broker names it, and goes after the last volume was made with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from infra.manifests.storage import STORAGE_CLASS, storage_class
from infra.objects import KubernetesObject


@dataclass(frozen=True, kw_only=True)
class BrokerVolumesArgs:
    """What the volumes are like."""

    fleet: str
    iops: int
    keep: bool
    """Whether a volume stays in the account when its claim goes."""
    auto_mode: bool
    """Whether EKS Auto Mode makes them, with a driver of its own."""
    key_arn: pulumi.Input[str] | None = None
    """KMS key; None takes the account's own for EBS."""
    tags: Mapping[str, str] = field(default_factory=dict)


class BrokerVolumes(pulumi.ComponentResource):
    """The class that brokers name."""

    storage_class: str
    """Plain, because the name is fixed."""

    def __init__(self, name: str, args: BrokerVolumesArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("celery-fleet:aws:BrokerVolumes", name, None, opts)
        KubernetesObject(
            f"{name}-class",
            storage_class(
                args.fleet,
                iops=args.iops,
                keep=args.keep,
                auto_mode=args.auto_mode,
                key_arn=args.key_arn,
                tags=args.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.storage_class = STORAGE_CLASS
        self.register_outputs({"storage_class": self.storage_class})
