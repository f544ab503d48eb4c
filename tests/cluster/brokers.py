"""A fleet's topology on a real RabbitMQ, in a vhost of its own, made from the manifests that are deployed.

Invariant: what a test declares is what `infra.manifests.topology` renders, users and their rights included, so that a right that is missing there is
missing here; vhost and users are gone when the block ends. The broker is the sandbox's, or the one that `FLEET_TEST_BROKER` names
(`amqp-port:management-port` on 127.0.0.1, user guest), for working on these tests without a cluster.
"""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amqp
import httpx
import yaml

from app.broker import connect_broker
from app.connections import read_connections
from app.delayed_delivery import declare_tree
from fleet.documents import delayed_delivery_document
from fleet.environment import default_environment
from fleet.loading import load_plan
from fleet.plan import Plan
from infra.manifests import topology as manifests
from infra.manifests.topology import DeletionPolicy, UserSpec
from tests.cluster.running_fleet import RunningFleet

BROKER_VARIABLE = "FLEET_TEST_BROKER"
PASSWORD = "of-a-test"
READER = "reader"
"""A user that only looks, into every queue: none of a fleet may read both the queues of workers and those for people."""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where a RabbitMQ is, and its management API."""

    host: str
    amqp_port: int
    api: httpx.Client

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Make something; it has to be new or the same."""
        self._done(self.api.put(path, json=dict(body)))

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        """Add something."""
        self._done(self.api.post(path, json=dict(body)))

    def delete(self, path: str) -> None:
        """Remove something."""
        self._done(self.api.delete(path))

    def messages(self, vhost: str, queue: str) -> int:
        """Messages of a queue; some seconds old."""
        return int(self.api.get(f"/queues/{vhost}/{queue}").json().get("messages", 0))

    @staticmethod
    def _done(answer: httpx.Response) -> None:
        assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {answer.text}"


@contextmanager
def broker_at(address: str) -> Iterator[Broker]:
    """The broker that `FLEET_TEST_BROKER` names."""
    amqp, management = address.split(":")
    with httpx.Client(base_url=f"http://127.0.0.1:{management}/api", auth=("guest", "guest"), timeout=90) as api:
        yield Broker(host="127.0.0.1", amqp_port=int(amqp), api=api)


@contextmanager
def broker_of(fleet: RunningFleet) -> Iterator[Broker]:
    """The broker of a running fleet, by its administrator.

    At its Service's own address, which the host of a sandbox reaches: a forwarded port ends with the first connection that is reset, and the tests
    kill processes with open ones.
    """
    secret = fleet.secret("broker-default-user")
    host = fleet.kubectl("get", "service", "broker", "-o", "jsonpath={.spec.clusterIP}")
    with httpx.Client(
        base_url=f"http://{host}:15672/api", auth=(secret["username"], secret["password"]), timeout=90
    ) as api:
        yield Broker(host=host, amqp_port=5672, api=api)


@dataclass(frozen=True, kw_only=True)
class DeclaredFleet:
    """A fleet that is declared in the broker."""

    plan: Plan
    broker: Broker

    def environment(self, user: str, **more: str) -> dict[str, str]:
        """The variables of a pod of this fleet that is `user` in the broker."""
        return {
            "FLEET_BROKER_HOST": self.broker.host,
            "FLEET_BROKER_PORT": str(self.broker.amqp_port),
            "FLEET_BROKER_USERNAME": f"{self.plan.topology.vhost}-{user}",
            "FLEET_BROKER_PASSWORD": PASSWORD,
            **more,
        }

    def connection(self, user: str) -> amqp.Connection:
        """A plain client with confirms, not yet connected, that is `user` in the broker."""
        vhost = self.plan.topology.vhost
        return amqp.Connection(
            host=f"{self.broker.host}:{self.broker.amqp_port}",
            userid=f"{vhost}-{user}",
            password=PASSWORD,
            virtual_host=vhost,
            confirm_publish=True,
        )

    def refuse_beyond(self, queue: str, messages: int) -> None:
        """A queue that holds so many takes no more, a moment after its policy `full` is there."""
        definition = {"max-length": messages, "overflow": "reject-publish"}
        policy = {"pattern": f"^{queue}$", "priority": 99, "apply-to": "quorum_queues", "definition": definition}
        self.broker.put(f"/policies/{self.plan.topology.vhost}/full", policy)


def plan_of(catalogue: str | Mapping[str, Any], folder: Path) -> Plan:
    """The plan of a catalogue, which is written into the folder, as a fleet with a name of its own."""
    path = folder / "queues.yaml"
    text = catalogue if isinstance(catalogue, str) else yaml.safe_dump(dict(catalogue), sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return load_plan(path, default_environment("dev"), fleet=new_name(), shown_as="queues.yaml")


def rendered(plan: Plan) -> list[dict[str, Any]]:
    """Every object of the broker that is deployed for the plan, in the order in which it can be made."""
    fleet, topology, keep = plan.fleet, plan.topology, DeletionPolicy.DELETE
    found = [
        manifests.unrouted_exchange(fleet, topology),
        manifests.unrouted_queue(fleet, topology, keep),
        manifests.unrouted_binding(fleet, topology),
        manifests.task_exchange(fleet, topology),
        manifests.unrouted_policy(fleet, topology),
    ]
    if topology.ingress is not None:
        found.append(manifests.ingress_exchange(fleet, topology))
    for queue in plan.queues:
        found.append(manifests.queue_policy(fleet, topology, queue))
        found.append(manifests.dead_letter_policy(fleet, topology, queue))
        found += manifests.task_queues(fleet, topology, queue, keep).values()
        if queue.topology.sharded:
            found.append(manifests.shard_exchange(fleet, topology, queue))
        found += manifests.task_bindings(fleet, topology, queue).values()
        found += manifests.ingress_bindings(fleet, topology, queue).values()
    return found


def declare(broker: Broker, manifest: Mapping[str, Any]) -> None:
    """What the topology operator does with one object, in the words of the management API."""
    spec = manifest["spec"]
    vhost, name = spec["vhost"], spec.get("name", "")
    match manifest["kind"]:
        case "Exchange":
            body = {"type": spec["type"], "durable": spec["durable"], "arguments": spec.get("arguments", {})}
            broker.put(f"/exchanges/{vhost}/{name}", body)
        case "Queue":
            broker.put(
                f"/queues/{vhost}/{name}", {"durable": spec["durable"], "arguments": {"x-queue-type": spec["type"]}}
            )
        case "Policy":
            body = {
                "pattern": spec["pattern"],
                "definition": spec["definition"],
                "priority": spec["priority"],
                "apply-to": spec["applyTo"],
            }
            broker.put(f"/policies/{vhost}/{name}", body)
        case "Binding":
            kind = {"queue": "q", "exchange": "e"}[spec["destinationType"]]
            broker.post(
                f"/bindings/{vhost}/e/{spec['source']}/{kind}/{spec['destination']}",
                {"routing_key": spec["routingKey"]},
            )
        case kind:
            raise KeyError(kind)


@contextmanager
def declared(broker: Broker, plan: Plan) -> Iterator[DeclaredFleet]:
    """The plan's fleet in the broker, its delayed-delivery tree included; the plan's vhost has to be new."""
    vhost = plan.topology.vhost
    specs = (
        *manifests.users(plan.topology, plan.counted_queues),
        UserSpec(name=READER, configure="^$", write="^$", read=".*"),
    )
    users = [f"{vhost}-{spec.name}" for spec in specs]
    broker.put(f"/vhosts/{vhost}", {"default_queue_type": "quorum"})
    try:
        for name, spec in zip(users, specs, strict=True):
            rights = {"configure": spec.configure, "write": spec.write, "read": spec.read}
            broker.put(f"/users/{name}", {"password": PASSWORD, "tags": ",".join(spec.tags)})
            broker.put(f"/permissions/{vhost}/{name}", rights)
        for manifest in rendered(plan):
            declare(broker, manifest)
        fleet = DeclaredFleet(plan=plan, broker=broker)
        connections = read_connections(fleet.environment("topology"))
        with connect_broker(connections, vhost, name="topology") as connection:
            declare_tree(connection, delayed_delivery_document(plan))
        yield fleet
    finally:
        broker.delete(f"/vhosts/{vhost}")
        for name in users:
            broker.delete(f"/users/{name}")


def new_name() -> str:
    """A name for a fleet of one test."""
    return f"test-{uuid.uuid4().hex[:8]}"


def named_broker() -> str | None:
    """What `FLEET_TEST_BROKER` names."""
    return os.environ.get(BROKER_VARIABLE)
