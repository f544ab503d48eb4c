"""Plans and components to test with: the repository's own catalogue, and one of every component.

Invariant: `COMPONENTS` holds every component of `infra`; a test compares it with what the package defines.
"""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pulumi

from fleet.documents import delayed_delivery_document, producer_document, scale_in_document, web_document
from fleet.environment import default_environment
from fleet.loading import load_plan
from fleet.plan import Plan, QueuePlan
from infra.authority import BrokerAuthority, BrokerAuthorityArgs
from infra.beat import Beat, BeatArgs
from infra.broker import Broker, BrokerArgs
from infra.delayed import DelayedDelivery, DelayedDeliveryArgs
from infra.images import Images, ImagesArgs, RegistryCredentials, repositories_in
from infra.manifests.ingress import BrokerBalancer, auto_mode_class, broker_balancer
from infra.manifests.topology import DeletionPolicy
from infra.namespace import FleetNamespace, FleetNamespaceArgs
from infra.observability import Monitoring, Observability, ObservabilityArgs
from infra.platform import Platform, PlatformArgs, PlatformPart, Provision
from infra.results import Results, ResultsArgs, ResultsPassword
from infra.scale_in import ScaleIn, ScaleInArgs
from infra.topology import BrokerTopology, BrokerTopologyArgs, QueueTopology, QueueTopologyArgs
from infra.ways_in import WaysIn, WaysInArgs
from infra.web import Web, WebArgs
from infra.workers import QueueWorkers, QueueWorkersArgs

ROOT = Path(__file__).resolve().parents[2]
IMAGE = f"registry.example/fleet@sha256:{'1' * 64}"
PASSWORD = "a-password-of-a-test"


@cache
def sample_plan(environment: str = "local", *, fleet: str = "celery-fleet") -> Plan:
    """The plan of the repository's catalogue."""
    return load_plan(ROOT / "queues.yaml", default_environment(environment), fleet=fleet)


def queue_of(plan: Plan, name: str) -> QueuePlan:
    """One queue of a plan."""
    return next(queue for queue in plan.queues if queue.name == name)


EVERY_FIELD = """
application: shop.celery:app
queues:
  orders:
    tasks: [shop.orders.*]
    profile: io
    runtime: {mean: 80ms, p99: 400ms, limit: 5s}
    load: {peak: 120/s}
    wait: {promise: 1s}
    binds: ["orders.#", "shop.order.*"]
    dead_letter: {keep: 2d, failed: true}
    schedule:
      - {from: "0 8 * * 1-5", to: "0 18 * * 1-5", timezone: Europe/Berlin, min: 5}
      - {from: "0 22 * * *", to: "0 2 * * *", min: 4}
    depends_on_downstream: {name: payments, limit: 100}
  mail:
    tasks: [shop.mail.*]
    profile: io
    runtime: {mean: 300ms, p99: 1200ms, limit: 10s}
    load: {peak: 20/s}
    shards: 2
    binds: [mail.#]
  reports:
    tasks: [shop.reports.*]
    profile: cpu
    runtime: {mean: 40s, p99: 4m, limit: 10m}
    load: {peak: 0.2/s}
    wait: {promise: 10m}
    replicas: {min: 0}
    schedule: [{from: "0 6 1 * *", to: "0 9 1 * *", min: 8}]
    requests: {cpu: 1500m, memory: 1Gi}
"""
"""A catalogue with the fields that the repository's own does not use."""


@cache
def full_plan(environment: str = "local") -> Plan:
    """The plan of the catalogue above."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queues.yaml"
        path.write_text(EVERY_FIELD, encoding="utf-8")
        return load_plan(path, default_environment(environment), fleet="shop")


Build = Callable[[str, Plan], pulumi.ComponentResource]


def _every_part(provision: Provision) -> dict[PlatformPart, Provision]:
    return dict.fromkeys(PlatformPart, provision)


def _queue_topology(name: str, plan: Plan, queue: str) -> QueueTopology:
    return QueueTopology(
        name,
        QueueTopologyArgs(
            fleet=plan.fleet, topology=plan.topology, queue=queue_of(plan, queue), deletion=DeletionPolicy.RETAIN
        ),
    )


def _workers(name: str, plan: Plan, queue: str) -> QueueWorkers:
    return QueueWorkers(
        name, QueueWorkersArgs(plan=plan, queue=queue_of(plan, queue), image=IMAGE, results_secret="results-1")
    )


COMPONENTS: dict[str, Build] = {
    "Beat": lambda name, plan: Beat(
        name, BeatArgs(document=producer_document(plan), image=IMAGE, results_secret="results-1")
    ),
    "Broker": lambda name, plan: Broker(name, BrokerArgs(fleet=plan.fleet, plan=plan.broker)),
    "BrokerAuthority": lambda name, plan: BrokerAuthority(
        name, BrokerAuthorityArgs(fleet=plan.fleet, issuer="celery-fleet-broker", made_here=True)
    ),
    "BrokerTopology": lambda name, plan: BrokerTopology(
        name,
        BrokerTopologyArgs(
            fleet=plan.fleet, topology=plan.topology, counted=plan.counted_queues, deletion=DeletionPolicy.RETAIN
        ),
    ),
    "DelayedDelivery": lambda name, plan: DelayedDelivery(
        name, DelayedDeliveryArgs(document=delayed_delivery_document(plan), image=IMAGE)
    ),
    "FleetNamespace": lambda name, plan: FleetNamespace(name, FleetNamespaceArgs(fleet=plan.fleet, publishers=True)),
    "Images": lambda name, plan: Images(
        name,
        ImagesArgs(
            fleet=plan.fleet,
            environment="local",
            root=str(ROOT),
            base_image="python:3.13",
            repositories=repositories_in("registry.example", plan.fleet),
            credentials=RegistryCredentials(
                address="registry.example", username="pusher", password=pulumi.Output.secret(PASSWORD)
            ),
            platforms=("linux/arm64",),
            cache="registry.example/cache",
        ),
    ),
    "Observability": lambda name, plan: Observability(name, ObservabilityArgs(plan=plan, mode=Monitoring.PLAIN)),
    "Platform": lambda name, _: Platform(name, PlatformArgs(parts=_every_part(Provision.INSTALL))),
    "QueueTopology": lambda name, plan: _queue_topology(name, plan, "default"),
    "QueueWorkers": lambda name, plan: _workers(name, plan, "default"),
    "Results": lambda name, plan: Results(name, ResultsArgs(fleet=plan.fleet, password=pulumi.Output.secret(PASSWORD))),
    "ResultsPassword": lambda name, plan: ResultsPassword(
        name, ResultsArgs(fleet=plan.fleet, password=pulumi.Output.secret(PASSWORD))
    ),
    "ScaleIn": lambda name, plan: ScaleIn(name, ScaleInArgs(document=scale_in_document(plan), image=IMAGE)),
    "WaysIn": lambda name, plan: WaysIn(
        name,
        WaysInArgs(
            manifests={"broker": broker_balancer(plan.fleet, BrokerBalancer(cidrs=("10.0.0.0/16",), auto_mode=True))},
            classes=auto_mode_class(plan.fleet, {}),
        ),
    ),
    "Web": lambda name, plan: Web(
        name,
        WebArgs(document=web_document(plan), image=IMAGE, results_secret="results-1", plan=plan.web),
    ),
}
"""Class name -> how one is made; sharded queues, because they make the most resources."""

ISSUER = "signs-for-brokers"

OVER_TLS_COMPONENTS: dict[str, Build] = {
    "Beat": lambda name, plan: Beat(
        name, BeatArgs(document=producer_document(plan), image=IMAGE, results_secret="results-1", broker_tls=True)
    ),
    "Broker": lambda name, plan: Broker(name, BrokerArgs(fleet=plan.fleet, plan=plan.broker, issuer=ISSUER)),
    "BrokerTopology": lambda name, plan: BrokerTopology(
        name,
        BrokerTopologyArgs(
            fleet=plan.fleet,
            topology=plan.topology,
            counted=plan.counted_queues,
            deletion=DeletionPolicy.RETAIN,
            broker_tls=True,
        ),
    ),
    "DelayedDelivery": lambda name, plan: DelayedDelivery(
        name, DelayedDeliveryArgs(document=delayed_delivery_document(plan), image=IMAGE, broker_tls=True)
    ),
    "QueueWorkers": lambda name, plan: QueueWorkers(
        name,
        QueueWorkersArgs(
            plan=plan, queue=queue_of(plan, "default"), image=IMAGE, results_secret="results-1", broker_tls=True
        ),
    ),
    "Web": lambda name, plan: Web(
        name,
        WebArgs(document=web_document(plan), image=IMAGE, results_secret="results-1", plan=plan.web, broker_tls=True),
    ),
}
"""Those that know how the broker is spoken to, where it speaks TLS."""
