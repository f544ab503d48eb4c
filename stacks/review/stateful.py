"""What holds something that nobody could make again, and which changes would lose it.

Invariant: whether a change replaces a resource is the engine's and its plugins' word alone; here stands only what such a replacement would cost, and
the two changes of a broker that its operator refuses although the engine calls them updates.
Sources: RabbitMQ cluster operator 2.21, docs "Scaling" (a cluster is never made smaller) and "Persistence" (a volume neither); the types' own docs.
"""

from collections.abc import Iterator

from fleet.units import parse_size_bytes
from stacks.review.model import Operation, Preview, PropertyChange, Step

STATEFUL = {
    "aws:ebs/volume:Volume": "a volume and what is on it",
    "aws:ec2/vpc:Vpc": "the network, and with it everything that stands in it",
    "aws:ecr/repository:Repository": "the images that run, and those that a rollback goes to",
    "aws:eks/cluster:Cluster": "the cluster and everything in it",
    "aws:elasticache/replicationGroup:ReplicationGroup": "all results, and the markers of accepted tasks",
    "aws:kms/key:Key": "what was encrypted with it, for ever",
    "aws:sqs/queue:Queue": "the messages in it",
    "kubernetes:apps/v1:StatefulSet": "pods that hold state",
    "kubernetes:core/v1:Namespace": "everything in it",
    "kubernetes:core/v1:PersistentVolume": "a volume and what is on it",
    "kubernetes:core/v1:PersistentVolumeClaim": "a volume and what is on it",
    "kubernetes:rabbitmq.com/v1beta1:RabbitmqCluster": "the broker and all messages in it",
    "kubernetes:rabbitmq.com/v1beta1:Vhost": "all queues and the messages in them",
}
"""Type -> what goes with it."""

QUEUE = "kubernetes:rabbitmq.com/v1beta1:Queue"
BROKER = "kubernetes:rabbitmq.com/v1beta1:RabbitmqCluster"

GOING = (Operation.REPLACE, Operation.DELETE)
WORDS = {Operation.REPLACE: "would be replaced", Operation.DELETE: "would be deleted"}


def lost_state(preview: Preview) -> Iterator[str]:
    """One line for each resource with state that the change takes away, replaces or makes smaller."""
    for step in preview.steps:
        if step.operation in GOING and (step.protected or step.type in STATEFUL):
            yield f"{step.kind} {step.name} {WORDS[step.operation]}{_because(step)}: {_cost(step)}"
        elif step.type == BROKER and step.operation is Operation.UPDATE:
            for change in step.changes:
                if (smaller := _shrinks(change)) is not None:
                    yield f"{step.kind} {step.name} would become smaller ({smaller}), which its operator refuses"


def lost_queues(preview: Preview) -> Iterator[str]:
    """One line for each queue that may have messages and loses its consumers, or is made anew."""
    told = set[str]()
    for change in preview.comparison.queues if preview.comparison else ():
        for danger in change.dangers:
            told.add(change.queue)
            yield f"queue {danger.problem}. {danger.fix}"
    for step in preview.steps:
        if step.type == QUEUE and step.operation in GOING and not any(_belongs(step, queue) for queue in told):
            yield f"broker queue {step.name} {WORDS[step.operation]}{_because(step)}, with the messages in it"


def _belongs(step: Step, queue: str) -> bool:
    """Children are named after their queue: `queue-reports-reports-dead-queue`."""
    return step.name.startswith(f"queue-{queue}-")


def _because(step: Step) -> str:
    paths = [change.path for change in step.changes if change.replaces]
    return f" because of {', '.join(paths)}" if paths else ""


def _cost(step: Step) -> str:
    lost = STATEFUL.get(step.type, "it is protected")
    kept = "; what is there now stays, but no stack looks after it any more" if step.kept else ""
    protected = "; it is protected, so the engine refuses" if step.protected and step.type in STATEFUL else ""
    return f"{lost}{protected}{kept}"


def _shrinks(change: PropertyChange) -> str | None:
    if change.before is None or change.after is None:
        return None
    said = f"{change.path} {change.before} -> {change.after}"
    if change.path == "spec.replicas" and change.before.isdecimal() and change.after.isdecimal():
        return said if int(change.after) < int(change.before) else None
    if change.path == "spec.persistence.storage":
        before, after = _bytes(change.before), _bytes(change.after)
        return said if before and after and after < before else None
    return None


def _bytes(text: str) -> int | None:
    try:
        return parse_size_bytes(text)
    except ValueError:
        return None
