"""The program of a stack: what Pulumi says is loaded and checked, then a foundation is laid and the fleet composed on it.

Invariant: everything is loaded and checked before the first resource.
"""

import os

import pulumi

from fleet.errors import FleetError
from stacks.aws_settings import AwsSettings
from stacks.composition import compose_fleet
from stacks.existing import existing_foundation
from stacks.foundation import Foundation
from stacks.loading import Loaded, load
from stacks.pace import drop_sdk_debug_lines, wait_for_resources


def build() -> None:
    """The program.

    Raises: pulumi.RunError with everything that a person has to put right; Pulumi shows it without a traceback.
    """
    drop_sdk_debug_lines(os.environ)
    try:
        loaded = load(
            pulumi.runtime.config.CONFIG.get(),
            os.environ,
            stack=pulumi.get_stack(),
            root=pulumi.runtime.get_root_directory(),
        )
    except FleetError as error:
        raise pulumi.RunError(str(error)) from None
    pulumi.run(lambda: _register(loaded))


async def _register(loaded: Loaded) -> None:
    try:
        components = await build_stack(loaded)
    except FleetError as error:
        raise pulumi.RunError(str(error)) from None
    await wait_for_resources(components)


async def build_stack(loaded: Loaded) -> list[pulumi.Resource]:
    """Registers everything and returns the components."""
    for note in loaded.plan.notes:
        pulumi.warn(str(note))
    foundation = await _foundation(loaded)
    made = compose_fleet(loaded, foundation)
    for name, value in foundation.exports.items():
        pulumi.export(name, value)
    return [*foundation.components, *made]


async def _foundation(loaded: Loaded) -> Foundation:
    """The foundation of the stack's target; the one in AWS is imported where it is chosen, because AWS's package takes a second to load."""
    if not isinstance(loaded.target, AwsSettings):
        return existing_foundation(loaded, loaded.target)
    from stacks.eks import eks_foundation  # noqa: PLC0415

    return await eks_foundation(loaded, loaded.target)
