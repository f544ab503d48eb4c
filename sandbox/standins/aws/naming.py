"""Names that the provider invents for resources whose program gives none.

The invariant: a name is drawn once and kept; it ends in seven hexadecimal digits, so that a replacement can exist beside
the resource it replaces.

Source: pulumi-terraform-bridge v3 `pkg/tfbridge/names.go` (SetAutonaming: the logical name, `-`, seven digits);
pulumi-aws v7 `provider/resources.go` for the properties that are not called `name`.
"""

from __future__ import annotations

from typing import Final

from sandbox.standins.aws.checking import DEFAULTS_KEY
from sandbox.standins.aws.package_types import ResourceType
from sandbox.standins.property_values import Properties
from sandbox.standins.urns import unique_name

SUFFIX_HEX_DIGITS: Final = 7

_PROPERTIES: Final = {
    "aws:eks/nodeGroup:NodeGroup": "nodeGroupName",
    "aws:elasticache/replicationGroup:ReplicationGroup": "replicationGroupId",
}
"""Type -> what its name is called."""

_LOWER_CASE: Final = frozenset({"replicationGroupId"})


def with_name(
    resource: ResourceType, urn_name: str, inputs: Properties, previous: Properties, *, seed: bytes, proposed: str
) -> Properties:
    """The inputs with a name, and with a note of what was filled in."""
    name = _PROPERTIES.get(resource.token, "name")
    described = resource.inputs.get(name)
    takes_name = described is not None and not described.required
    if not takes_name or inputs.get(name) is not None or inputs.get(f"{name}Prefix") is not None:
        return {**inputs, DEFAULTS_KEY: []}
    was_drawn = name in (previous.get(DEFAULTS_KEY) or [])
    drawn = previous[name] if was_drawn else proposed or unique_name(f"{urn_name}-", seed, SUFFIX_HEX_DIGITS)
    return {**inputs, name: drawn.lower() if name in _LOWER_CASE else drawn, DEFAULTS_KEY: [name]}
