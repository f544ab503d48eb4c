"""The account that is stood in for: its number, the region in use, who deploys, and where its EKS clusters lead.

The invariant: everything comes from the provider's settings and from the environment, and one run always gets the same.

Source: AWS general reference, "Regions and zones" (a zone's name is the region and a letter, its id the region's short
code and a number).
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sandbox.standins import variables
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import UNKNOWN_MARKS, Properties

EXAMPLE_ACCOUNT: Final = "123456789012"
ROLE: Final = "stand-in"

_DIRECTIONS: Final = {
    "north": "n", "south": "s", "east": "e", "west": "w", "central": "c",
    "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
}  # fmt: skip
_REGION: Final = re.compile(r"(?P<place>[a-z]{2}(?:-gov|-iso[a-z]?)?)-(?P<direction>[a-z]+)-(?P<number>\d)\Z")
_MANY_ZONES: Final = {"us-east-1": 6, "us-west-2": 4}
_USUAL_ZONES: Final = 3


@dataclass(frozen=True, slots=True)
class Account:
    """Where the resources of one provider stand."""

    region: str
    number: str = EXAMPLE_ACCOUNT
    default_tags: Mapping[str, str] = field(default_factory=dict)
    kubeconfig: str = ""

    @property
    def partition(self) -> str:
        """The first part of an ARN."""
        prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((name for prefix, name in prefixes.items() if self.region.startswith(prefix)), "aws")

    @property
    def dns_suffix(self) -> str:
        """What host names of services end with."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    @property
    def zone_count(self) -> int:
        """How many availability zones the region has."""
        return _MANY_ZONES.get(self.region, _USUAL_ZONES)

    @property
    def short_region(self) -> str:
        """The code in zone ids and in host names of caches: `use1`."""
        place, direction, number = self.region.rsplit("-", 2)
        return place.replace("-", "") + _DIRECTIONS[direction] + number

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """The ARN of a resource of this account."""
        region = self.region if regional else ""
        return f"arn:{self.partition}:{service}:{region}:{self.number}:{resource}"


def read_account(settings: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> Account:
    """The account of the engine's `aws:config:*` variables.

    Raises: PluginError for a region that is missing or unknown, or an account that the settings do not allow.
    """

    def setting(name: str) -> str:
        return settings.get(f"aws:config:{name}", "")

    number = environment.get(variables.ACCOUNT) or EXAMPLE_ACCOUNT
    region = setting("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
    if region in UNKNOWN_MARKS:
        region = "us-east-1"  # A preview of a provider whose region another resource decides.
    if not region:
        raise PluginError(
            "the AWS provider has no region: set one with `pulumi config set aws:region us-east-1`, or give the provider one"
        )
    found = _REGION.match(region)
    if found is None or found["direction"] not in _DIRECTIONS:
        raise PluginError(f"{region!r} is no AWS region")
    allowed = json.loads(setting("allowedAccountIds") or "[]")
    if allowed and number not in allowed:
        raise PluginError(f"AWS account ID not allowed: {number} (allowedAccountIds: {', '.join(allowed)})")
    tags: Properties = json.loads(setting("defaultTags") or "{}")
    return Account(region, number, tags.get("tags") or {}, environment.get(variables.EKS_KUBECONFIG, ""))


def hexadecimal(digits: int) -> str:
    """Random hexadecimal digits, as in the ids that AWS gives out."""
    return secrets.token_hex((digits + 1) // 2)[:digits]


def ec2_id(prefix: str) -> str:
    """An id of EC2: `vpc-0` and sixteen hexadecimal digits."""
    return f"{prefix}-0{hexadecimal(16)}"
