"""A fleet with dead letters in a broker: what makes them, what looks at them, and `fleet dlq` as a person runs it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fleet.dead_letters import LetterRequest, letter_queues
from fleet.documents import producer_document
from tests.cluster.brokers import PASSWORD, Broker, DeclaredFleet
from tests.cluster.running_fleet import ROOT, eventually
from tests.cluster.workers import sender

CATALOGUE = """
application: tests.cluster.pool_tasks:app
queues:
  gevent:
    tasks: [pools.*]
    profile: io
    runtime: {mean: 300ms, p99: 1s, limit: 4s}
    load: {peak: 1/s}
    memory: 40Mi
    dead_letter: {failed: true}
  spread:
    tasks: [spread.*]
    profile: io
    runtime: {mean: 300ms, p99: 1s, limit: 4s}
    load: {peak: 1/s}
    memory: 40Mi
    shards: 2
  prefork:
    tasks: [forked.*]
    profile: cpu
    runtime: {mean: 300ms, p99: 1s, limit: 8s}
    load: {peak: 1/s}
    memory: 40Mi
    dead_letter: {failed: true}
    retries: {max: 1, backoff: 1s, on: [ConnectionError]}
"""


def dlq_command(*words: str, catalogue: Path, stack: str, fleet: str) -> list[str]:
    """The words of a `fleet dlq` that answers in JSON."""
    command = [sys.executable, "-m", "fleet", "dlq", *words]
    return [*command, "-f", str(catalogue), "-s", stack, "--name", fleet, "--json"]


def dlq_environment(broker: Broker, *, username: str, password: str) -> dict[str, str]:
    """The variables of a person's shell: where the broker is, and the login of its user `operator`."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "FLEET_BROKER_HOST": broker.host,
        "FLEET_BROKER_PORT": str(broker.amqp_port),
        "FLEET_OPERATOR_USERNAME": username,
        "FLEET_OPERATOR_PASSWORD": password,
    }


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A fleet in the broker, with its catalogue beside it."""

    declared: DeclaredFleet
    catalogue: Path

    @property
    def vhost(self) -> str:
        return self.declared.plan.topology.vhost

    def command(self, *words: str) -> list[str]:
        return dlq_command(*words, catalogue=self.catalogue, stack="dev", fleet=self.declared.plan.fleet)

    def environment(self) -> dict[str, str]:
        return dlq_environment(self.declared.broker, username=f"{self.vhost}-operator", password=PASSWORD)

    def dlq(self, *words: str, code: int = 0) -> Any:
        """What a command prints."""
        done = subprocess.run(
            self.command(*words),
            env=self.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def send(self, task: str, *args: Any, queue: str, count: int = 1) -> list[str]:
        """Ids of tasks that wait in a queue."""
        app = sender(self.declared)
        try:
            return [app.send_task(task, args, queue=queue).id for _ in range(count)]
        finally:
            app.close()

    def give_up(self, queue: str, count: int = 1) -> None:
        """Reject the next messages of a broker queue, as a worker does."""
        with self.declared.connection("worker") as connection, connection.channel() as channel:
            for _ in range(count):
                message = eventually(
                    lambda: channel.basic_get(queue), within_seconds=60, waiting_for=queue, every_seconds=0.05
                )
                channel.basic_reject(message.delivery_tag, requeue=False)

    def ready(self, queue: str) -> int:
        user = "operator" if queue.endswith(("-dead", "unrouted")) else "worker"
        with self.declared.connection(user) as connection, connection.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)

    def await_ready(self, queue: str, count: int) -> None:
        """At-least-once dead-lettering takes a moment."""
        eventually(
            lambda: True if self.ready(queue) == count else None,
            within_seconds=60,
            waiting_for=f"{count} messages in {queue}, where there are {self.ready(queue)}",
            every_seconds=0.1,
        )

    def get(self, queue: str, user: str = "worker") -> Any:
        """Take one message away."""
        with self.declared.connection(user) as connection, connection.channel() as channel:
            return channel.basic_get(queue, no_ack=True)

    def request(self, command: Any, name: str) -> bytes:
        plan = self.declared.plan
        return msgspec.json.encode(
            LetterRequest(
                command=command,
                vhost=self.vhost,
                queues=letter_queues(plan),
                routes=producer_document(plan).routes,
                names=(name,),
            )
        )
