"""The versions of Kubernetes that a cluster may have, and until when AWS supports them at the ordinary price.

Invariant: nothing here is in extended support, which costs six times as much ($0.60 an hour). A cluster's upgrade policy is STANDARD, so EKS upgrades
its control plane by itself once standard support ends: nodes and add-ons should have been upgraded before.
Source: EKS user guide, "Understand the Kubernetes version lifecycle on EKS", as `aws eks describe-cluster-versions` reported in September 2026.
"""

from datetime import date, timedelta

from fleet.errors import FleetError
from fleet.versions import KUBERNETES

STANDARD_SUPPORT_ENDS = {
    "1.35": date(2027, 3, 27),
    "1.36": date(2027, 8, 2),
}
"""Version -> first day of extended support (UTC)."""

DEFAULT = KUBERNETES

NOTICE = timedelta(days=90)
"""Time for an upgrade in each environment, one after the other; EKS itself gives notice of 60 days."""

VERSION_KEY = "celery-fleet:aws.kubernetesVersion"


def check_version(version: str) -> None:
    """Raises: FleetError when a cluster cannot have this version here."""
    if version not in STANDARD_SUPPORT_ENDS:
        known = ", ".join(f'"{item}"' for item in STANDARD_SUPPORT_ENDS)
        raise FleetError(
            VERSION_KEY,
            f"is {version!r}",
            f"Older versions are, or soon will be, in extended support at six times the price; newer ones are not tried. Write one of {known}.",
        )


def support_warning(version: str, today: date) -> str | None:
    """What there is to know about the end of a version's standard support: from 90 days before it, otherwise nothing.

    Raises: FleetError when a cluster cannot have this version.
    """
    check_version(version)
    end = STANDARD_SUPPORT_ENDS[version]
    if today < end - NOTICE:
        return None
    later = [item for item, ends in STANDARD_SUPPORT_ENDS.items() if ends > end]
    advice = (
        f"upgrade to {later[0]} before"
        if later
        else "upgrade before, with a release of this project that knows a later one"
    )
    if today < end:
        return f"Standard support of Kubernetes {version} ends on {end}, in {(end - today).days} days: {advice}."
    return f"Standard support of Kubernetes {version} ended on {end}: EKS upgrades the control plane by itself, at any time; upgrade it first."
