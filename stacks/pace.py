"""Two costs of the Python SDK that grow with the number of resources, taken off programs with a thousand of them.

Both were found by sampling a preview of a hundred queues with pulumi 3.272; each can go when the SDK does it itself.

- It sends some twenty debug lines for every resource to the engine, each as a call of its own that it waits for, and the engine throws them away
  unless it runs with `--debug` (`pulumi/log.py`). FLEET_SDK_DEBUG=1 lets them through.
- Once the program's last line has run, it waits with `asyncio.wait(…, FIRST_COMPLETED)` over every unfinished output, anew for each that
  finishes, which is quadratic (`pulumi/runtime/stack.py`, `wait_for_rpcs`). Waiting for the resources first leaves nothing for it to do.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pulumi

SDK_DEBUG_VARIABLE = "FLEET_SDK_DEBUG"


def _nothing(*_: Any, **__: Any) -> None:
    """Takes a debug line and drops it."""


def drop_sdk_debug_lines(variables: Mapping[str, str]) -> None:
    """From here on the SDK sends no debug lines, unless they are asked for."""
    if variables.get(SDK_DEBUG_VARIABLE) != "1":
        pulumi.log.debug = _nothing


def _with_descendants(resources: Iterable[pulumi.Resource]) -> Iterator[pulumi.Resource]:
    for resource in resources:
        yield resource
        yield from _with_descendants(resource._childResources)


async def wait_for_resources(components: Iterable[pulumi.Resource]) -> None:
    """Returns when all of the components is registered or has failed; a failure is left to the SDK, which tells it in its own words."""
    urns = [resource.urn.future() for resource in _with_descendants(components)]
    await asyncio.gather(*urns, return_exceptions=True)
