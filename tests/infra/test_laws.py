"""What holds for every catalogue that can be written, not only for the repository's own."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from fleet.environment import default_environment
from fleet.errors import CatalogueError
from fleet.loading import load_plan
from fleet.plan import Plan
from infra.manifests import topology
from infra.manifests.autoscaling import scaled_object
from infra.manifests.metadata import Manifest
from infra.manifests.topology import DeletionPolicy
from infra.manifests.workers import WorkerManifest, worker_deployment
from tests.fleet.strategies import Raw, catalogues, load_from

DNS_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
QUANTITY = re.compile(r"^([0-9]+)(m|Ki|Mi|Gi)?$")
FACTORS = {None: 1.0, "m": 0.001, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}


def _quantity(text: str) -> float:
    found = QUANTITY.match(text)
    assert found, text
    return int(found[1]) * FACTORS[found[2]]


def _plan(raw: Raw) -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return load_from(raw, Path(folder))


def _deployments(plan: Plan) -> dict[str, Manifest]:
    return {
        shard: worker_deployment(
            WorkerManifest(
                fleet=plan.fleet, queue=queue, shard=shard, image="image", document="document", results_secret="secret"
            )
        )
        for queue in plan.queues
        for shard in queue.topology.shards
    }


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("name"), str) and "labels" in value:
            yield value["name"]
        for child in value.values():
            yield from _names(child)


@given(raw=catalogues())
@settings(max_examples=25)
def test_every_queue_has_a_consumer_an_autoscaler_and_a_way_in(raw: Raw) -> None:
    """Nothing is published to a queue that nobody reads, and nobody waits at a queue that nothing reaches."""
    plan = _plan(raw)
    deployments = _deployments(plan)
    for queue in plan.queues:
        bindings = topology.task_bindings(plan.fleet, plan.topology, queue)
        reached = {
            item["spec"]["destination"] for item in bindings.values() if item["spec"]["destinationType"] == "queue"
        }
        declared = topology.task_queues(plan.fleet, plan.topology, queue, DeletionPolicy.RETAIN)
        assert reached == set(queue.topology.shards)
        assert reached | {queue.topology.dead_letter_queue} == declared.keys()
        entry = bindings[queue.name]["spec"]
        assert (entry["source"], entry["routingKey"]) == (plan.topology.exchange, queue.name)
        for shard in queue.topology.shards:
            scaled = scaled_object(plan.fleet, plan.topology.vhost, queue, shard)
            assert scaled["spec"]["scaleTargetRef"]["name"] == deployments[shard]["metadata"]["name"]
            counted = [item for item in scaled["spec"]["triggers"] if item["type"] == "rabbitmq"]
            assert {item["metadata"]["queueName"] for item in counted} == {shard}


@given(raw=catalogues())
@settings(max_examples=25)
def test_requests_fit_limits_and_grace_fits_the_task(raw: Raw) -> None:
    """Kubernetes refuses a request above its limit, and kills a pod whose grace is over."""
    plan = _plan(raw)
    queues = {shard: queue for queue in plan.queues for shard in queue.topology.shards}
    for shard, deployment in _deployments(plan).items():
        pod = deployment["spec"]["template"]["spec"]
        resources = pod["containers"][0]["resources"]
        for name, limit in resources["limits"].items():
            assert _quantity(resources["requests"].get(name, limit)) <= _quantity(limit)
        worker = queues[shard].worker
        assert pod["terminationGracePeriodSeconds"] > min(
            worker.hard_limit_seconds, worker.soft_shutdown_seconds or 1e9
        )


@given(raw=catalogues())
@settings(max_examples=25)
def test_every_name_is_one_that_kubernetes_takes(raw: Raw) -> None:
    """Also the name of the autoscaler that KEDA makes: keda-hpa-<name>."""
    plan = _plan(raw)
    manifests: list[Manifest] = list(_deployments(plan).values())
    for queue in plan.queues:
        manifests += topology.task_queues(plan.fleet, plan.topology, queue, DeletionPolicy.RETAIN).values()
        manifests += topology.task_bindings(plan.fleet, plan.topology, queue).values()
        manifests.append(topology.queue_policy(plan.fleet, plan.topology, queue))
        manifests += [scaled_object(plan.fleet, plan.topology.vhost, queue, shard) for shard in queue.topology.shards]
    for name in _names(dict(enumerate(manifests))):
        assert DNS_LABEL.match(name), name
        if name.startswith("worker-"):
            assert DNS_LABEL.match(f"keda-hpa-{name}"), name


def test_an_error_in_the_catalogue_is_no_plan(tmp_path: Path) -> None:
    """The laws above are about catalogues that were accepted; one that is not never gets this far."""
    (tmp_path / "queues.yaml").write_text("queues: {}\n")
    with pytest.raises(CatalogueError):
        load_plan(tmp_path / "queues.yaml", default_environment("dev"))
