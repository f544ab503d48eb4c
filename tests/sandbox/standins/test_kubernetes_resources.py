"""The life of a resource, against a cluster in memory.

Source of the behaviour: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (Create, Read, Update, Delete) and
`provider/pkg/await/await.go` (Creation, Update, Deletion, fixCSAFieldManagers).
"""

from __future__ import annotations

import asyncio

import pytest

from sandbox.standins.kubernetes import objects as objects_module
from sandbox.standins.kubernetes import resources
from sandbox.standins.kubernetes.client import ApiError
from sandbox.standins.kubernetes.cluster import Cluster
from sandbox.standins.kubernetes.naming import Kind
from sandbox.standins.kubernetes.objects import Objects
from sandbox.standins.kubernetes.settings import read_settings
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.kubernetes.waiting import Waiting
from sandbox.standins.plugin_server import InitFailedError, PluginError
from sandbox.standins.property_values import UNKNOWN, SecretValue, unmarshal
from tests.sandbox.standins.kubernetes_fakes import FakeClient, RememberingLog

URN = "urn:pulumi:local::fleet::kubernetes:core/v1:ConfigMap::plan"
QUEUE_URN = "urn:pulumi:local::fleet::kubernetes:rabbitmq.com/v1beta1:Queue::high"
CONFIGMAP = Kind("", "v1", "ConfigMap")


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def cluster(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(objects_module, "CREATE_RETRY_SECONDS", (0.0, 0.0))
    log = RememberingLog()
    objects = Objects(client, log, server_side_apply=True, force_patches=False, upsert_existing=False)  # type: ignore[arg-type]
    waiting = Waiting(client, log)  # type: ignore[arg-type]
    return Cluster(read_settings({}), "fleet", objects, waiting)


def configmap(data: str = "1") -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "plan", "namespace": "fleet"},
        "data": {"a": data},
    }


def queue(**annotations: str) -> Manifest:
    metadata = {"name": "high", "namespace": "fleet", "annotations": annotations}
    return {"apiVersion": "rabbitmq.com/v1beta1", "kind": "Queue", "metadata": metadata, "spec": {"type": "quorum"}}


def create(
    cluster: Cluster, given: Manifest, *, urn: str = URN, preview: bool = False, seconds: float = 0
) -> resources.Outcome:
    return asyncio.run(resources.created(cluster, urn, given, timeout_seconds=seconds, preview=preview))


def update(cluster: Cluster, state: Manifest, given: Manifest, *, preview: bool = False) -> Manifest:
    return asyncio.run(resources.updated(cluster, URN, state, given, ignored=[], timeout_seconds=0, preview=preview))


def test_a_created_object_is_in_the_cluster_and_in_the_state(cluster: Cluster, client: FakeClient) -> None:
    """The state holds the inputs beside the live object, so that drift can be told from a change."""
    outcome = create(cluster, configmap())
    assert outcome.resource_id == "fleet/plan"
    assert outcome.state is not None
    assert outcome.state["__inputs"] == configmap()
    assert outcome.state["metadata"]["uid"] == "uid-1"
    assert (CONFIGMAP, "fleet", "plan") in client.objects


def test_a_create_on_an_existing_object_fails(cluster: Cluster, client: FakeClient) -> None:
    """Somebody else's object is never taken over without being asked."""
    client.put(configmap("theirs"))
    with pytest.raises(PluginError, match="already exists"):
        create(cluster, configmap())
    assert client.objects[CONFIGMAP, "fleet", "plan"]["data"] == {"a": "theirs"}


def test_a_preview_asks_the_server_and_changes_nothing(cluster: Cluster, client: FakeClient) -> None:
    """Admission refuses in the preview what it would refuse in the update."""
    outcome = create(cluster, configmap(), preview=True)
    assert client.requests == ["create plan (dry run)"]
    assert client.objects == {}
    assert outcome.resource_id == ""


@pytest.mark.parametrize("what", ["unknown value", "unknown kind", "missing namespace"])
def test_a_preview_of_what_cannot_be_asked_yet_shows_the_inputs(
    cluster: Cluster, client: FakeClient, what: str
) -> None:
    """A namespace or a kind that the same program creates is no error before it exists."""
    given = configmap()
    if what == "unknown value":
        given["data"]["a"] = UNKNOWN
    elif what == "unknown kind":
        client.unknown_kinds.add("ConfigMap")
    else:
        client.refusal = ApiError(404, "NotFound", 'namespaces "fleet" not found', {"kind": "namespaces"})
    assert create(cluster, given, preview=True).state == given


def test_a_refusal_is_shown_as_the_server_wrote_it(cluster: Cluster, client: FakeClient) -> None:
    """The server's sentence names the field and what is wrong with it."""
    client.refusal = ApiError(422, "Invalid", 'Deployment.apps "x" is invalid: spec.replicas: Invalid value: -1')
    with pytest.raises(PluginError, match=r"not successfully created by the Kubernetes API server: Deployment.apps"):
        create(cluster, configmap())


def test_a_kind_that_stays_missing_is_named_after_some_patience(cluster: Cluster, client: FakeClient) -> None:
    """A definition that is created a moment later is waited for, but not for ever."""
    client.unknown_kinds.add("Queue")
    with pytest.raises(PluginError, match=r'no matches for kind "Queue" in version "rabbitmq.com/v1beta1"'):
        create(cluster, queue(), urn=QUEUE_URN)
    assert client.requests == ["create high"] * 3


def test_a_secret_input_is_secret_in_the_state(cluster: Cluster) -> None:
    """The engine encrypts what the program marked."""
    given = configmap()
    given["data"] = {"a": SecretValue("hush")}
    state = create(cluster, given).state
    assert state is not None
    assert state["data"] == {"a": SecretValue("hush")}
    assert state["__inputs"]["data"] == {"a": SecretValue("hush")}


def test_an_object_that_does_not_become_ready_is_kept_in_the_state(cluster: Cluster, client: FakeClient) -> None:
    """The next run continues with the object instead of failing on its existence."""
    with pytest.raises(InitFailedError, match="timed out waiting to be Ready") as failed:
        create(cluster, queue(**{"pulumi.com/waitFor": "condition=Ready"}), urn=QUEUE_URN, seconds=0.01)
    assert failed.value.resource_id == "fleet/high"
    assert unmarshal(failed.value.state)["spec"] == {"type": "quorum"}
    assert "Waiting for condition=Ready" in failed.value.reasons
    assert (Kind("rabbitmq.com", "v1beta1", "Queue"), "fleet", "high") in client.objects


def test_a_custom_resource_without_a_condition_returns_at_once(cluster: Cluster) -> None:
    """Only what the program asks for is waited for."""
    assert create(cluster, queue(), urn=QUEUE_URN).resource_id == "fleet/high"


def test_the_first_update_takes_the_created_fields_over_and_applies(cluster: Cluster, client: FakeClient) -> None:
    """Fields of the creation would otherwise conflict with our own apply."""
    state = create(cluster, configmap()).state
    assert state is not None
    update(cluster, state, configmap("2"))
    assert client.requests[1:] == ["patch plan", "apply plan"]
    assert client.objects[CONFIGMAP, "fleet", "plan"]["data"] == {"a": "2"}


def test_a_controller_that_writes_between_two_requests_does_not_fail_the_update(
    cluster: Cluster, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The take-over names the version it saw; when that is old, it is made again from the new one."""
    state = create(cluster, configmap()).state
    assert state is not None
    patch, refusals = client.patch, [ApiError(409, "Conflict", "the object has been modified")]

    async def patch_late(live: Manifest, operations: list[Manifest]) -> Manifest:
        if refusals:
            raise refusals.pop()
        return await patch(live, operations)

    monkeypatch.setattr(client, "patch", patch_late)
    update(cluster, state, configmap("2"))
    assert client.objects[CONFIGMAP, "fleet", "plan"]["data"] == {"a": "2"}


def test_a_field_conflict_names_the_manager_and_where_to_read_on(cluster: Cluster, client: FakeClient) -> None:
    """A field somebody else owns is not taken silently."""
    state = create(cluster, configmap()).state
    assert state is not None
    client.refusal = ApiError(409, "Conflict", 'Apply failed with 1 conflict: conflict with "kubectl"')
    client.refused = ("apply",)
    with pytest.raises(InitFailedError, match=r"field conflict detected(.|\n)*had an apply conflict: Apply failed"):
        update(cluster, state, configmap("2"))


def test_an_object_that_vanished_is_empty_in_a_refresh(cluster: Cluster, client: FakeClient) -> None:
    """The engine drops it from its state and plans to create it."""
    state = create(cluster, configmap()).state
    assert state is not None
    client.objects.clear()
    assert asyncio.run(resources.read(cluster, URN, "fleet/plan", state, configmap())) == resources.Outcome()


def test_a_refresh_keeps_only_what_the_program_speaks_about_in_the_inputs(cluster: Cluster, client: FakeClient) -> None:
    """Others' labels do not become ours."""
    state = create(cluster, configmap()).state
    assert state is not None
    live = client.objects[CONFIGMAP, "fleet", "plan"]
    live["metadata"]["labels"] = {"added-by": "somebody"}
    live["data"] |= {"a": "drifted", "b": "theirs"}
    outcome = asyncio.run(resources.read(cluster, URN, "fleet/plan", state, configmap()))
    assert outcome.inputs is not None
    assert outcome.inputs["data"] == {"a": "drifted"}
    assert "labels" not in outcome.inputs["metadata"]


def test_an_import_takes_the_whole_object_but_what_the_server_owns(cluster: Cluster, client: FakeClient) -> None:
    """A program that states the imported inputs plans no change."""
    live = configmap()
    live["metadata"] |= {"uid": "7", "resourceVersion": "9", "managedFields": []}
    client.put({**live, "status": {"phase": "Active"}})
    outcome = asyncio.run(resources.read(cluster, URN, "fleet/plan", {}, {}))
    assert outcome.inputs is not None
    assert outcome.inputs["data"] == {"a": "1"}
    assert "uid" not in outcome.inputs["metadata"]
    assert "status" not in outcome.inputs


def test_a_refresh_tells_of_a_deployment_that_is_not_ready(cluster: Cluster, client: FakeClient) -> None:
    """The next update repairs it even if the program did not change."""
    live = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "fleet", "generation": 1},
    }
    client.put(live)
    urn = "urn:pulumi:local::fleet::kubernetes:apps/v1:Deployment::web"
    with pytest.raises(InitFailedError, match="created but failed to initialize") as failed:
        asyncio.run(resources.read(cluster, urn, "fleet/web", live, live))
    assert "Minimum number of live Pods was not attained" in failed.value.reasons


def test_a_delete_waits_until_the_object_is_gone(cluster: Cluster, client: FakeClient) -> None:
    """What a namespace or a finalizer holds is not reported as deleted."""
    state = create(cluster, configmap()).state
    assert state is not None
    asyncio.run(resources.deleted(cluster, URN, state, timeout_seconds=0))
    assert client.requests[-1] == "delete Foreground plan"
    assert client.objects == {}


def test_a_delete_of_what_is_gone_already_succeeds(cluster: Cluster, client: FakeClient) -> None:
    """An object removed by hand does not stop a destroy."""
    state = create(cluster, configmap()).state
    assert state is not None
    client.objects.clear()
    asyncio.run(resources.deleted(cluster, URN, state, timeout_seconds=0))


def test_a_delete_that_a_finalizer_holds_names_the_finalizer(cluster: Cluster, client: FakeClient) -> None:
    """The user learns what to look at, and the object stays in the state."""
    held = configmap()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    client.stays_until_asked = 1
    state = create(cluster, held).state
    assert state is not None
    with pytest.raises(InitFailedError, match=r"finalizers might be preventing deletion \(example.com/hold\)"):
        asyncio.run(resources.deleted(cluster, URN, state, timeout_seconds=0.01))


def test_nothing_is_changed_in_a_cluster_that_cannot_be_reached() -> None:
    """The reason is the one that connecting gave."""
    unreachable = Cluster(read_settings({}), unreachable="kubeconfig has no context 'prod'")
    with pytest.raises(PluginError, match="unreachable: kubeconfig has no context 'prod'"):
        create(unreachable, configmap())
    assert create(unreachable, configmap(), preview=True).state == configmap()
