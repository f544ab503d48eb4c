"""Where brokers keep their messages: encrypted volumes of EBS.

Invariant: a volume is encrypted, is made in the zone of the pod that needs it, and can grow; where the environment keeps its state, it outlives its
claim. The class is not the cluster's default, so nothing lands on it by accident.
Source: aws-ebs-csi-driver 1.64, docs/parameters.md and docs/tagging.md; EKS user guide, "Create StorageClass" (Auto Mode's own provisioner, whose
volumes no other driver mounts).
"""

from collections.abc import Mapping

import pulumi

from infra.manifests.metadata import Manifest, cluster_metadata

STORAGE_CLASS = "gp3-encrypted"
EBS_CSI = "ebs.csi.aws.com"
AUTO_MODE_CSI = "ebs.csi.eks.amazonaws.com"

IOPS_FREE = 3000
"""Of every gp3 volume."""


def storage_class(
    fleet: str,
    *,
    iops: int,
    keep: bool,
    auto_mode: bool,
    key_arn: pulumi.Input[str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Manifest:
    """The StorageClass of the brokers' volumes.

    `keep` leaves a volume in the account when its claim goes. `key_arn` None takes the account's own key for EBS. `tags` go on every volume, except
    with Auto Mode, whose StorageClass parameters know none.
    """
    parameters: dict[str, pulumi.Input[str]] = {"type": "gp3", "encrypted": "true"}
    if iops > IOPS_FREE:
        parameters["iops"] = str(iops)
    if key_arn is not None:
        parameters["kmsKeyId"] = key_arn
    own_tags = {} if auto_mode else dict(tags or {})
    for index, (key, value) in enumerate(sorted(own_tags.items()), start=1):
        parameters[f"tagSpecification_{index}"] = f"{key}={value}"
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": cluster_metadata(fleet, STORAGE_CLASS, "broker"),
        "provisioner": AUTO_MODE_CSI if auto_mode else EBS_CSI,
        "parameters": parameters,
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
        "reclaimPolicy": "Retain" if keep else "Delete",
    }
