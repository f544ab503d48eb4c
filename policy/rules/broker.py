"""What kind of queues there are: quorum queues alone.

Source: RabbitMQ 4.3 docs, "Quorum Queues" (replicated, durable, with a delivery limit) and "Classic Queues" (one copy on one node).
"""

from collections.abc import Iterator

from policy.graph import UNKNOWN, Resource, at
from policy.rule import Finding, ResourceRule

QUORUM = ("quorum", UNKNOWN)


def _not_quorum(resource: Resource) -> Iterator[Finding]:
    if resource.kind == "Vhost":
        if at(resource.properties, "spec.defaultQueueType") not in QUORUM:
            yield Finding(resource=resource, where="spec.defaultQueueType", problem="is not quorum")
        return
    stated = at(resource.properties, "spec.type") or at(resource.properties, "spec.arguments.x-queue-type")
    if stated not in QUORUM:
        yield Finding(resource=resource, where="spec.type", problem="is not quorum")


RULES = (
    ResourceRule(
        id="quorum-queues",
        says="Every queue is a quorum queue, and every vhost makes them by default.",
        reason="A classic queue lives on one node: with that node its tasks are gone, and a message that kills its worker comes back for ever.",
        fix="Write type: quorum in a Queue and defaultQueueType: quorum in a Vhost; a queue that exists has to be made anew under another name.",
        types=("kubernetes:rabbitmq.com/*:Queue", "kubernetes:rabbitmq.com/*:Vhost"),
        check=_not_quorum,
    ),
)
