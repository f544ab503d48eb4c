"""One call of the AWS API that makes a resource, and what it answers.

Source: boto3's names of operations and parameters, pulumi-aws 7.51 for those of inputs and outputs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Inputs = Mapping[str, Any]
Sent = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operation, and how inputs become what it takes."""

    service: str
    operation: str
    names: Mapping[str, str] = field(default_factory=dict)
    """Input -> parameter; an input that is not given is not sent, one that stands in neither this nor `also` is not either."""
    also: Callable[[Inputs], Sent] = lambda _: {}
    """Parameters that are no input of their own."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Output -> path in the answer (`Vpc.VpcId`); `id` is the resource's identity."""

    unsaid: Callable[[Sent], Mapping[str, str]] = lambda _: {}
    """Outputs that the answer leaves out, told from what was sent."""
    then: Callable[[Inputs, str], tuple[str, Sent] | None] = lambda _, __: None
    """Inputs and new identity -> a further call that the provider makes."""

    def sent(self, inputs: Inputs) -> Sent:
        """The parameters of the call."""
        return {**{to: inputs[name] for name, to in self.names.items() if name in inputs}, **self.also(inputs)}


def capital(*names: str) -> dict[str, str]:
    """AWS writes what the provider writes, with a capital first."""
    return {name: name[0].upper() + name[1:] for name in names}


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
