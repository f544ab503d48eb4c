"""All rules, by what they are about."""

from policy.rule import ResourceRule, StackRule
from policy.rules import access, broker, credentials, encryption, exposure, images, pods, scaling, tags

__all__ = ["RESOURCE_RULES", "STACK_RULES"]

RESOURCE_RULES: tuple[ResourceRule, ...] = (
    *pods.RULES,
    *images.RULES,
    *credentials.RULES,
    *access.RULES,
    *broker.RULES,
    *exposure.RULES,
    *encryption.RULES,
    *tags.RULES,
)
"""Asked of each resource before it is made."""

STACK_RULES: tuple[StackRule, ...] = scaling.RULES
"""Asked when all resources are known."""
