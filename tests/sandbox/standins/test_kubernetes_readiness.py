"""When objects count as ready.

Source of the behaviour: pulumi-kubernetes v4.32 `provider/pkg/await/{deployment,statefulset,daemonset,service,job,pod,
awaiters}.go`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandbox.standins.kubernetes import readiness, rollouts
from sandbox.standins.kubernetes.readiness import Readiness
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.kubernetes.waiting import Check
from tests.sandbox.standins.kubernetes_fakes import FakeClient

REVISION = "deployment.kubernetes.io/revision"


def found(check: Check, live: Manifest, *others: Manifest) -> Readiness:
    client = FakeClient()
    for other in others:
        client.put(other)

    async def ask() -> Readiness:
        return await check(client, live)

    return asyncio.run(ask())


def deployment(
    *, observed: int = 2, revision: str = "2", available: str = "True", progressing: str = "NewReplicaSetAvailable"
) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "fleet",
            "uid": "d",
            "generation": 2,
            "annotations": {REVISION: revision},
        },
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "observedGeneration": observed,
            "conditions": [
                {"type": "Available", "status": available, "reason": "R", "message": "too few"},
                {"type": "Progressing", "status": "True", "reason": progressing},
            ],
        },
    }


def replica_set(*, revision: str = "2", wanted: int = 2, ready: int = 2) -> Manifest:
    owner = {"uid": "d"}
    metadata = {
        "name": f"web-{revision}",
        "namespace": "fleet",
        "uid": f"rs-{revision}",
        "labels": {"app": "web"},
        "annotations": {REVISION: revision},
        "ownerReferences": [owner],
    }
    status = {"readyReplicas": ready} if ready else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata,
        "spec": {"replicas": wanted},
        "status": status,
    }


def test_a_deployment_is_ready_when_its_current_revision_is() -> None:
    """Available, rolled out, every pod of the revision ready."""
    assert found(rollouts.deployment_readiness, deployment(), replica_set()).ready


@pytest.mark.parametrize(
    ("live", "its_replica_set"),
    [
        pytest.param(deployment(observed=1), replica_set(), id="controller-has-not-seen-the-change"),
        pytest.param(deployment(available="False"), replica_set(), id="not-available"),
        pytest.param(deployment(progressing="ReplicaSetUpdated"), replica_set(), id="still-rolling-out"),
        pytest.param(deployment(), replica_set(ready=1), id="one-pod-not-ready"),
        pytest.param(deployment(), replica_set(revision="1"), id="only-the-previous-revision-is-there"),
    ],
)
def test_a_deployment_is_not_ready_before_that(live: Manifest, its_replica_set: Manifest) -> None:
    """Pods of the previous revision never make a broken new one look healthy."""
    answer = found(rollouts.deployment_readiness, live, its_replica_set)
    assert not answer.ready
    assert answer.problems


def test_a_deployment_that_was_scaled_to_zero_is_ready() -> None:
    """KEDA's zero is no failure; the number asked of the ReplicaSet counts, not the program's."""
    assert found(rollouts.deployment_readiness, deployment(), replica_set(wanted=0, ready=0)).ready


def test_a_deployment_says_what_is_wrong_with_its_pods() -> None:
    """An image that cannot be pulled is named while the user waits."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-2-x",
            "namespace": "fleet",
            "labels": {"app": "web"},
            "ownerReferences": [{"uid": "rs-2"}],
        },
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "unready"}],
            "containerStatuses": [
                {
                    "name": "c",
                    "ready": False,
                    "state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}},
                }
            ],
        },
    }
    answer = found(rollouts.deployment_readiness, deployment(available="False"), replica_set(ready=0), pod)
    assert "[Pod fleet/web-2-x]: unready; [ErrImagePull] no such host" in answer.problems


def test_a_deployment_waits_for_the_claims_it_mounts() -> None:
    """A pod that mounts an unbound claim cannot start."""
    live = deployment()
    live["spec"]["template"] = {"spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "fleet"},
        "status": {"phase": "Pending"},
    }
    answer = found(rollouts.deployment_readiness, live, replica_set(), claim)
    assert answer.problems == ("Failed to bind PersistentVolumeClaim(s): data", *answer.problems[1:])


def statefulset(**status: Any) -> Manifest:
    whole = {
        "observedGeneration": 1,
        "replicas": 3,
        "readyReplicas": 3,
        "currentReplicas": 3,
        "currentRevision": "r1",
        "updateRevision": "r1",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "broker", "namespace": "fleet", "generation": 1},
        "spec": {"replicas": 3},
        "status": {**whole, **status},
    }


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        pytest.param({}, True, id="all-current-and-ready"),
        pytest.param({"readyReplicas": 2}, False, id="one-not-ready"),
        pytest.param({"updateRevision": "r2"}, False, id="revision-not-reached"),
        pytest.param({"observedGeneration": 0}, False, id="not-observed"),
    ],
)
def test_a_statefulset_is_ready_when_all_replicas_are_current(status: Manifest, ready: bool) -> None:
    """A half-updated broker is not a finished update."""
    assert found(rollouts.statefulset_readiness, statefulset(**status)).ready is ready


def test_a_daemonset_is_ready_when_every_node_has_a_current_pod() -> None:
    """Both numbers have to reach the number of nodes."""
    live: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "x", "namespace": "fleet"},
        "status": {"desiredNumberScheduled": 2, "numberAvailable": 2, "updatedNumberScheduled": 1},
    }
    assert not found(rollouts.daemonset_readiness, live).ready
    live["status"]["updatedNumberScheduled"] = 2
    assert found(rollouts.daemonset_readiness, live).ready


class Service:
    """A Service, its endpoints, and a clock the test turns."""

    def __init__(self, **spec: Any) -> None:
        self.now = 0.0
        self.client = FakeClient()
        self.check = rollouts.ServiceReadiness(lambda: self.now)
        self.live: Manifest = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "fleet"},
            "spec": {"selector": {"app": "web"}, **spec},
        }

    def endpoints(self, version: str, **subset: Any) -> None:
        metadata = {"name": "web", "namespace": "fleet", "resourceVersion": version}
        self.client.put(
            {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset] if subset else []}
        )

    def ready(self) -> bool:
        async def ask() -> Readiness:
            return await self.check(self.client, self.live)

        return asyncio.run(ask()).ready


def test_a_service_waits_until_its_endpoints_have_come_to_rest() -> None:
    """Ten seconds without a change, and none of them unready."""
    service = Service()
    assert not service.ready()
    service.endpoints("1", notReadyAddresses=[{"ip": "10.0.0.1"}])
    assert not service.ready()
    service.now = 20
    assert not service.ready()
    service.endpoints("2", addresses=[{"ip": "10.0.0.1"}])
    assert not service.ready()
    service.now = 29.9
    assert not service.ready()
    service.now = 30
    assert service.ready()


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"clusterIP": "None"}, id="headless"),
        pytest.param({"type": "ExternalName"}, id="external-name"),
        pytest.param({"selector": {}}, id="without-selector"),
    ],
)
def test_a_service_that_leads_to_no_pods_of_its_own_is_ready_at_once(spec: Manifest) -> None:
    """There is nothing to wait for."""
    assert Service(**spec).ready()


def test_a_load_balancer_waits_for_its_address() -> None:
    """The program's output is the address; without one it would be empty."""
    service = Service(type="LoadBalancer")
    service.endpoints("1", addresses=[{"ip": "10.0.0.1"}])
    assert not service.ready()
    service.now = 60
    assert not service.ready()
    service.live["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    assert service.ready()


def job(*conditions: Manifest) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "tree", "namespace": "fleet"},
        "spec": {},
        "status": {"startTime": "now", "conditions": list(conditions)},
    }


def test_a_job_is_ready_when_it_is_complete_and_hopeless_when_it_has_failed_for_good() -> None:
    """A failed Job ends the wait at once instead of after ten minutes."""
    assert not found(readiness.job_readiness, job()).ready
    assert found(readiness.job_readiness, job({"type": "Complete", "status": "True"})).ready
    failed = found(
        readiness.job_readiness,
        job({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "3 tries"}),
    )
    assert failed.hopeless
    assert failed.problems[0] == "[BackoffLimitExceeded] 3 tries"


def test_a_pod_is_ready_when_its_conditions_say_so_or_when_it_has_succeeded() -> None:
    """A pod that runs to its end has no ready condition left."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "fleet"},
        "status": {"phase": "Running"},
    }
    assert not found(readiness.pod_readiness, pod).ready
    pod["status"] = {"phase": "Succeeded"}
    assert found(readiness.pod_readiness, pod).ready
    pod["status"] = {
        "conditions": [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized", "Ready")]
    }
    assert found(readiness.pod_readiness, pod).ready


@pytest.mark.parametrize(("mode", "ready"), [("Immediate", False), ("WaitForFirstConsumer", True)])
def test_a_pending_claim_is_enough_where_its_class_binds_late(mode: str, ready: bool) -> None:
    """Waiting for the first consumer would wait for what comes after."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c", "namespace": "fleet"},
        "spec": {"storageClassName": "local"},
        "status": {"phase": "Pending"},
    }
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local"},
        "volumeBindingMode": mode,
    }
    assert found(readiness.claim_readiness, claim, storage).ready is ready
