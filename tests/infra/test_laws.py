"""What holds for every catalogue that can be written, not only for the repository's own."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.documents import dump_document, producer_document, worker_document
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
from tests.infra.definitions import DEFINITIONS, schema_errors
from tests.infra.samples import full_plan

DNS_SUBDOMAIN = re.compile(r"^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$")
LABEL_VALUE = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
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


def _custom_resources(plan: Plan) -> list[Manifest]:
    """Every object of the topology operator and of KEDA that depends on the catalogue."""
    fleet, shared, keep = plan.fleet, plan.topology, DeletionPolicy.RETAIN
    found = [topology.vhost(fleet, shared, keep), topology.task_exchange(fleet, shared)]
    for spec in topology.users(shared, plan.counted_queues):
        found += [topology.user(fleet, spec), topology.permission(fleet, shared, spec)]
    if shared.ingress is not None:
        found.append(topology.ingress_exchange(fleet, shared))
    for queue in plan.queues:
        found += [topology.queue_policy(fleet, shared, queue), topology.dead_letter_policy(fleet, shared, queue)]
        found += topology.task_queues(fleet, shared, queue, keep).values()
        found += topology.task_bindings(fleet, shared, queue).values()
        found += topology.ingress_bindings(fleet, shared, queue).values()
        if queue.topology.sharded:
            found.append(topology.shard_exchange(fleet, shared, queue))
        found += [scaled_object(fleet, shared.vhost, queue, shard) for shard in queue.topology.shards]
    return found


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("name"), str) and "labels" in value:
            yield value["name"]
        for child in value.values():
            yield from _names(child)


@given(raw=catalogues())
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
        dead = queue.topology.dead_letter_queue
        assert reached - {dead} == set(queue.topology.shards)
        assert (dead in reached) == queue.topology.keeps_failed
        assert reached | {dead} == declared.keys()
        entry = bindings[queue.name]["spec"]
        assert (entry["source"], entry["routingKey"]) == (plan.topology.exchange, queue.name)
        for shard in queue.topology.shards:
            scaled = scaled_object(plan.fleet, plan.topology.vhost, queue, shard)
            assert scaled["spec"]["scaleTargetRef"]["name"] == deployments[shard]["metadata"]["name"]
            counted = [item for item in scaled["spec"]["triggers"] if item["type"] == "rabbitmq"]
            assert {item["metadata"]["queueName"] for item in counted} == {shard}


@given(raw=catalogues())
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


@pytest.mark.skipif(not DEFINITIONS.is_dir(), reason=f"needs upstream's CustomResourceDefinitions in {DEFINITIONS}")
@given(raw=catalogues(max_queues=2))
def test_every_custom_resource_satisfies_its_definition(raw: Raw) -> None:
    """Whatever was written: the API server would refuse a field that is misspelt, missing or of the wrong type."""
    for manifest in _custom_resources(_plan(raw)):
        assert schema_errors(manifest) == [], manifest


@given(raw=catalogues())
def test_no_two_custom_resources_have_one_name(raw: Raw) -> None:
    """The second would take the place of the first."""
    names = [(item["kind"], item["metadata"]["name"]) for item in _custom_resources(_plan(raw))]
    assert len(names) == len(set(names))


@given(patterns=st.lists(st.text("az09.#*-", min_size=1, max_size=255), unique=True, max_size=8))
def test_a_binding_has_a_name_of_its_own_whatever_its_pattern(patterns: list[str]) -> None:
    """Patterns hold what names may not, and may be longer; names are told apart, from those of other bindings too."""
    plan = full_plan()
    names: list[str] = []
    for queue in plan.queues:
        bound = msgspec.structs.replace(queue.topology, ingress_patterns=tuple(patterns))
        longest = msgspec.structs.replace(queue, name=f"{queue.name:x<40}", topology=bound)
        for found in (topology.ingress_bindings, topology.task_bindings):
            for name, manifest in found(plan.fleet, plan.topology, longest).items():
                names.append(name)
                assert manifest["metadata"]["name"] == name
                assert DNS_SUBDOMAIN.match(name), name
                assert all(LABEL_VALUE.match(value) for value in manifest["metadata"]["labels"].values()), manifest
    assert len(names) == len(set(names))


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a manifest with the keys that lead to it."""
    if isinstance(value, str):
        yield path, value
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _texts(child, f"{path}.{key}")


@given(raw=catalogues())
def test_a_secret_reaches_a_pod_by_reference_alone(raw: Raw) -> None:
    """Its variable names a key of a Secret and has no value, and no other object or document speaks of it."""
    plan = _plan(raw)
    secrets = {shard: queue.pod.secrets for queue in plan.queues for shard in queue.topology.shards}
    elsewhere: list[Any] = [*_custom_resources(plan), {"document": dump_document(producer_document(plan))}]
    for queue in plan.queues:
        elsewhere += [
            {"document": dump_document(worker_document(plan, queue, shard))} for shard in queue.topology.shards
        ]
    for shard, deployment in _deployments(plan).items():
        variables = {item["name"]: item for item in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
        for name, key in secrets[shard].items():
            reference = {"secretKeyRef": {"name": key.secret, "key": key.key}}
            assert variables.pop(name) == {"name": name, "valueFrom": reference}
        for name in variables:
            assert "PASSWORD" not in name or set(variables[name]["valueFrom"]) == {"secretKeyRef"}
        elsewhere.append({**deployment, "spec": list(variables.values())})
    for name in {name for given_ in secrets.values() for name in given_}:
        assert not [path for item in elsewhere for path, text in _texts(item) if name in text]


def test_an_error_in_the_catalogue_is_no_plan(tmp_path: Path) -> None:
    """The laws above are about catalogues that were accepted; one that is not never gets this far."""
    (tmp_path / "queues.yaml").write_text("queues: {}\n")
    with pytest.raises(CatalogueError):
        load_plan(tmp_path / "queues.yaml", default_environment("dev"))
