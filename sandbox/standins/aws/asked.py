"""What the functions that answer for AWS take and give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from sandbox.standins.aws.account import Account
from sandbox.standins.property_values import Properties


@dataclass(frozen=True, slots=True)
class Asked:
    """One resource to be made."""

    account: Account
    token: str
    urn_name: str
    inputs: Properties

    def text(self, name: str) -> str:
        """An input that is a string; empty when it is absent."""
        found = self.inputs.get(name)
        return found if isinstance(found, str) else ""

    @property
    def name(self) -> str:
        """The physical name."""
        return self.text("name") or self.urn_name

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """An ARN in the resource's account."""
        return self.account.arn(service, resource, regional=regional)


@dataclass(frozen=True, slots=True)
class Answer:
    """An id, and the outputs beside the inputs."""

    resource_id: str
    outputs: Properties = field(default_factory=dict)


Answering: TypeAlias = Callable[[Asked], Answer]
