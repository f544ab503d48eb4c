"""The volumes of brokers on EKS."""

import pytest

from infra.manifests.storage import storage_class

KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


def test_a_volume_is_encrypted_made_where_its_pod_is_and_kept() -> None:
    """In production, with a key and tags of one's own and more operations a second than are free."""
    made = storage_class(
        "shop", iops=4000, keep=True, auto_mode=False, key_arn=KEY, tags={"project": "shop", "environment": "prod"}
    )
    assert made["provisioner"] == "ebs.csi.aws.com"
    assert made["parameters"] == {
        "type": "gp3",
        "encrypted": "true",
        "iops": "4000",
        "kmsKeyId": KEY,
        "tagSpecification_1": "environment=prod",
        "tagSpecification_2": "project=shop",
    }
    assert made["volumeBindingMode"] == "WaitForFirstConsumer"
    assert made["allowVolumeExpansion"] is True
    assert made["reclaimPolicy"] == "Retain"
    assert "annotations" not in made["metadata"]


@pytest.mark.parametrize(
    ("auto_mode", "provisioner"),
    [
        pytest.param(False, "ebs.csi.aws.com", id="the-add-ons-driver"),
        pytest.param(True, "ebs.csi.eks.amazonaws.com", id="auto-modes-own"),
    ],
)
def test_what_is_not_asked_for_is_not_said(auto_mode: bool, provisioner: str) -> None:
    """3000 operations a second are free, and in dev a volume goes with its claim."""
    made = storage_class("shop", iops=3000, keep=False, auto_mode=auto_mode)
    assert made["provisioner"] == provisioner
    assert made["parameters"] == {"type": "gp3", "encrypted": "true"}
    assert made["reclaimPolicy"] == "Delete"


def test_auto_mode_is_given_no_parameter_that_it_does_not_know() -> None:
    """The other driver takes tags by its class."""
    made = storage_class("shop", iops=3000, keep=False, auto_mode=True, tags={"project": "shop"})
    assert made["parameters"] == {"type": "gp3", "encrypted": "true"}
