"""Names: no two things of the fleet share one in the broker, and what names a queue names one that exists."""

from collections.abc import Iterator

from fleet.catalogue import Catalogue
from fleet.environment import SETTINGS_PATH, Environment, settings_file
from fleet.errors import Finding
from fleet.explaining import suggest
from fleet.records import SHARED
from fleet.source import Source
from fleet.topology import DEAD_SUFFIX, INGRESS_EXCHANGE, TASK_EXCHANGE, UNROUTED, shard_names


def check_names(catalogue: Catalogue, source: Source) -> Iterator[Finding]:
    """Queues, their shards and their dead-letter queues have names of their own."""
    taken: dict[str, str] = {
        TASK_EXCHANGE: "the task exchange",
        UNROUTED: "the queue of messages without a route",
        INGRESS_EXCHANGE: "the exchange for publishers that are not Celery",
    }
    for name, spec in catalogue.queues.items():
        if name == SHARED:
            yield source.finding(
                ("queues", name),
                "is the name by which `fleet why` asks for what all queues share",
                "Nobody could ask for the queue's own numbers. Rename the queue.",
            )
        names = {name, f"{name}{DEAD_SUFFIX}", *shard_names(name, spec.shards)}
        for broker_name in sorted(names & taken.keys()):
            yield source.finding(
                ("queues", name),
                f"needs the broker name {broker_name!r}, which is taken by {taken[broker_name]}",
                "Messages of the two would mix. Rename the queue.",
            )
        taken |= dict.fromkeys(names, f"queue {name!r}")


def check_minimums(catalogue: Catalogue, environment: Environment, source: Source) -> Iterator[Finding]:
    """An environment's minimums name queues of the catalogue; a misspelt one would be a minimum that nobody keeps."""
    if not source.whole:
        return
    declared = [name for part in source.sources for name in part.queues] or list(catalogue.queues)
    settings = source.settings or Source(file=settings_file(environment.name), data=None, places={})
    for name in environment.minimums:
        if name not in declared:
            yield source.finding(
                (*SETTINGS_PATH, "minimums", name), "is no queue", suggest(name, declared), within=settings
            )
