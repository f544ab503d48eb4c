"""Variables that tell the stand-ins what is behind the AWS that they stand in for; the real plugins know none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ACCOUNT: Final = "FLEET_SANDBOX_AWS_ACCOUNT"
"""The number that the caller's account has; else the one of AWS's own examples."""

EKS_KUBECONFIG: Final = "FLEET_SANDBOX_EKS_KUBECONFIG"
"""A kubeconfig: every EKS cluster answers at its cluster. Without it the endpoints lead nowhere."""

IMAGINED: Final = "FLEET_SANDBOX_IMAGINED_CLUSTERS"
"""`true`: where an EKS endpoint leads nowhere its objects live in the state alone, and an ECR registry takes no image."""

IMAGINED_IMAGES: Final = "FLEET_SANDBOX_IMAGINED_IMAGES"
"""`true`: no image is built, for whatever registry or node; its digest follows from what it would be built of."""


def is_imagined(environment: Mapping[str, str]) -> bool:
    """Whether what stands behind AWS is to be imagined."""
    return environment.get(IMAGINED) == "true"
