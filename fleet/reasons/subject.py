"""What a queue's numbers are explained from: what was stated, where it runs, and what came of it."""

from dataclasses import dataclass

from pydantic import BaseModel

from fleet.catalogue import QueueSpec
from fleet.environment import Environment
from fleet.plan import QueuePlan
from fleet.reasons.rules import Rule
from fleet.records import Reason


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One queue."""

    plan: QueuePlan
    spec: QueueSpec
    environment: Environment

    def reason(self, rule: Rule, value: str, **inputs: str | float) -> Reason:
        """The reason of one of this queue's numbers."""
        return rule.reason(self.plan.name, value, **inputs)


def is_stated(spec: BaseModel, *path: str) -> bool:
    """Whether the catalogue states the field at `path`, in the queue or in its defaults."""
    for step in path[:-1]:
        if step not in spec.model_fields_set:
            return False
        spec = getattr(spec, step)
    return path[-1] in spec.model_fields_set
