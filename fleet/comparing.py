"""What changes from one catalogue to another: in its own words, in the numbers derived from it, in the objects made of them, in what a month costs, and
what is dangerous.

Values are compared as they are understood and shown as they are written, so `240s` in place of `4m` is no change.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from fleet.catalogue import QueueSpec
from fleet.demand import Month
from fleet.loading import Draft
from fleet.objects import IMMUTABLE, Identity, plan_objects
from fleet.plan import Plan
from fleet.reading import stated_fields
from fleet.records import SHARED, Reason, Record


class FieldChange(Record, frozen=True, kw_only=True):
    """A field of the catalogue."""

    path: str
    before: str | None
    """As it was written; None where it was not stated."""
    after: str | None


class ReasonChange(Record, frozen=True, kw_only=True):
    """A derived number, or its arithmetic."""

    path: str
    before: Reason | None
    after: Reason | None


class ObjectChange(Record, frozen=True, kw_only=True):
    """An object of the cluster."""

    kind: str
    name: str
    action: Literal["created", "updated", "replaced", "deleted"]
    pods_roll: bool
    """Whether running pods are replaced."""


class CostChange(Record, frozen=True, kw_only=True):
    """What a month costs on both sides, whether it differs or not."""

    before: Month | None
    """None where there is no such queue, or nothing is counted: a cluster of your own, nodes with GPUs."""
    after: Month | None


class Danger(Record, frozen=True, kw_only=True):
    """What may cost messages or promises."""

    problem: str
    fix: str


class QueueChange(Record, frozen=True, kw_only=True):
    """One queue."""

    queue: str
    change: Literal["added", "removed", "changed"]
    fields: tuple[FieldChange, ...]
    reasons: tuple[ReasonChange, ...]
    objects: tuple[ObjectChange, ...]
    cost: CostChange
    """The queue's part of its nodes."""
    dangers: tuple[Danger, ...]


class Comparison(Record, frozen=True, kw_only=True):
    """Everything that changes."""

    before: str
    after: str
    environment: str
    application: FieldChange | None
    queues: tuple[QueueChange, ...]
    """Queues that change in the catalogue, in their numbers or in their objects."""
    reasons: tuple[ReasonChange, ...]
    """Numbers that all queues share."""
    objects: tuple[ObjectChange, ...]
    """What all queues share."""
    cost: CostChange
    """The whole environment."""


def compare(before: Draft, after: Draft) -> Comparison:
    """The comparison of two catalogues without findings.

    Raises: ValueError for a draft with findings, which has no plan to compare.
    """
    if before.plan is None or after.plan is None or before.errors or after.errors:
        raise ValueError("a draft with findings has no plan to compare")
    objects = _object_changes(before.plan, after.plan)
    names = dict.fromkeys([queue.name for plan in (before.plan, after.plan) for queue in plan.queues])
    changes = (_queue_change(name, before, after, objects.get(name, ())) for name in names)
    application = FieldChange(path="application", before=before.plan.application, after=after.plan.application)
    return Comparison(
        before=before.source.file,
        after=after.source.file,
        environment=after.plan.environment,
        application=application if application.before != application.after else None,
        queues=tuple(change for change in changes if change.fields or change.reasons or change.objects),
        reasons=tuple(_reason_changes(SHARED, before.plan, after.plan)),
        objects=objects.get("", ()),
        cost=CostChange(before=_total(before.plan), after=_total(after.plan)),
    )


def _total(plan: Plan) -> Month | None:
    return plan.cost.total if plan.cost.region else None


def _object_changes(before: Plan, after: Plan) -> dict[str, tuple[ObjectChange, ...]]:
    """Queue (empty for what is shared) -> its objects that change."""
    old, new = plan_objects(before), plan_objects(after)
    found: dict[str, tuple[ObjectChange, ...]] = {}
    for identity in dict.fromkeys([*old, *new]):
        if identity in old and identity in new and old[identity] == new[identity]:
            continue
        action: Literal["created", "updated", "replaced", "deleted"]
        if identity not in old or identity not in new:
            action = "created" if identity not in old else "deleted"
        else:
            action = "replaced" if identity.kind in IMMUTABLE else "updated"
        found[identity.queue] = (*found.get(identity.queue, ()), _object_change(identity, action))
    return found


def _object_change(identity: Identity, action: Literal["created", "updated", "replaced", "deleted"]) -> ObjectChange:
    rolls = action == "updated" and identity.kind in ("Deployment", "RabbitmqCluster")
    return ObjectChange(kind=identity.kind, name=identity.name, action=action, pods_roll=rolls)


def _queue_change(name: str, before: Draft, after: Draft, objects: tuple[ObjectChange, ...]) -> QueueChange:
    old, new = _spec(before, name), _spec(after, name)
    return QueueChange(
        queue=name,
        change="added" if old is None else "removed" if new is None else "changed",
        fields=tuple(_field_changes(name, before, after)),
        reasons=tuple(_reason_changes(name, before.plan, after.plan)),
        objects=objects,
        cost=CostChange(before=_queue_month(before.plan, name), after=_queue_month(after.plan, name)),
        dangers=tuple(_dangers(name, before, after)),
    )


def _queue_month(plan: Plan | None, name: str) -> Month | None:
    costs = plan.cost.queues if plan else ()
    return next((cost.month for cost in costs if cost.queue == name and cost.instance is not None), None)


def _spec(draft: Draft, name: str) -> QueueSpec | None:
    return draft.catalogue.queues.get(name) if draft.catalogue else None


def _field_changes(name: str, before: Draft, after: Draft) -> Iterator[FieldChange]:
    old, new = _understood(before, name), _understood(after, name)
    old_written, new_written = _written(before, name), _written(after, name)
    for path in dict.fromkeys([*old, *new]):
        if path in old and path in new and old[path] == new[path]:
            continue
        change = FieldChange(path=path, before=old_written.get(path), after=new_written.get(path))
        # A default that came or went with the mapping around it was never written.
        if change.before is not None or change.after is not None:
            yield change


def _understood(draft: Draft, name: str) -> dict[str, Any]:
    spec = _spec(draft, name)
    return dict(_leaves(spec.model_dump(mode="json", by_alias=True))) if spec else {}


def _written(draft: Draft, name: str) -> dict[str, str]:
    merged = stated_fields(draft.source, name)
    return {path: _show(value) for path, value in _leaves(merged) if value is not None}


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Key path -> value; a list is one value."""
    for key, inner in value.items():
        path = f"{prefix}{key}"
        if isinstance(inner, Mapping):
            yield from _leaves(inner, f"{path}.")
        else:
            yield path, inner


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _reason_changes(name: str, before: Plan | None, after: Plan | None) -> Iterator[ReasonChange]:
    old, new = _reasons(before, name), _reasons(after, name)
    for path in dict.fromkeys([*old, *new]):
        if old.get(path) != new.get(path):
            yield ReasonChange(path=path, before=old.get(path), after=new.get(path))


def _reasons(plan: Plan | None, name: str) -> dict[str, Reason]:
    return {reason.path: reason for reason in plan.reasons if reason.path.startswith(f"{name}.")} if plan else {}


def _dangers(name: str, before: Draft, after: Draft) -> Iterator[Danger]:
    old, new = _spec(before, name), _spec(after, name)
    if old is None:
        return
    if new is None:
        heirs = [
            other
            for other, spec in (after.catalogue.queues.items() if after.catalogue else ())
            if _spec(before, other) is None and set(spec.tasks) & set(old.tasks)
        ]
        became = f"renamed to {', '.join(heirs)}" if heirs else "removed"
        yield Danger(
            problem=f"{name} is {became}: its messages stay in the broker, and nothing consumes them any more",
            fix="Stop publishing to it, let its workers empty it, and only then take it out.",
        )
    elif old.shards != new.shards:
        yield Danger(
            problem=f"{name} goes from {old.shards} to {new.shards} shard(s): task ids are spread anew,"
            " and messages in a broker queue that is no shard any more stay there",
            fix="Change the number while the queue is empty, or empty the old broker queues by hand.",
        )
