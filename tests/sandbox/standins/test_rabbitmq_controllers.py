"""Events bring the right resources to reconciliation, once, and failures come back later and later.

Upstream: rabbitmq/messaging-topology-operator v1.20.1 `internal/controller/{topology,user}_controller.go`
(`rabbitmqClusterToRequests`, `secretToUserRequests`); rabbitmq/cluster-operator v2.21.1 `SetupWithManager`;
kubernetes/client-go v0.36 `util/workqueue`.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from sandbox.standins.api_server import Key, Object
from sandbox.standins.rabbitmq_operators.controllers import Controllers
from sandbox.standins.work_queue import RetryLaterError, WorkQueue
from tests.sandbox.standins.rabbitmq_fakes import InMemoryApiServer

BROKER = Key("RabbitmqCluster", "fleet", "broker")


def resource(kind: str, name: str, **content: Any) -> Object:
    spec = content.pop("spec", {})
    metadata = {"name": name, "namespace": "fleet", "uid": name, "generation": 1, **content.pop("metadata", {})}
    reference = {} if kind == "RabbitmqCluster" else {"rabbitmqClusterReference": {"name": "broker"}}
    return {"kind": kind, "metadata": metadata, "spec": {**reference, **spec}, **content}


class Recorder:
    """Controllers whose queues only note what was asked for."""

    def __init__(self, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
        self.controllers = Controllers(InMemoryApiServer(), session)
        self.asked: list[str] = []

        def note(key: Key, *, after_seconds: float = 0.0) -> None:
            self.asked.append(f"{key.kind}/{key.name}" + (f" after {after_seconds}" if after_seconds else ""))

        for queue in (self.controllers.cluster_queue, self.controllers.topology_queue):
            monkeypatch.setattr(queue, "add", note)

    def after(self, handle: Callable[[str | None, Object], None], change: str | None, obj: Object) -> list[str]:
        self.asked.clear()
        handle(change, obj)
        return sorted(self.asked)


def recording(monkeypatch: pytest.MonkeyPatch, test: Callable[[Recorder], None]) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            test(Recorder(session, monkeypatch))

    asyncio.run(run())


def test_a_broker_that_comes_up_brings_its_topology(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a broker that lost its data has it again at once; a mere status message brings nothing."""

    def check(recorder: Recorder) -> None:
        controllers = recorder.controllers
        controllers.on_topology(None, resource("Queue", "mine"))
        other = {"spec": {"rabbitmqClusterReference": {"name": "other"}}}
        controllers.on_topology(None, resource("Queue", "elsewhere", **other))
        down = {"status": {"conditions": [{"type": "AllReplicasReady", "status": "False"}]}}
        up = {"status": {"conditions": [{"type": "AllReplicasReady", "status": "True"}]}}
        seen = [
            recorder.after(controllers.on_cluster, "MODIFIED", resource("RabbitmqCluster", "broker", **state))
            for state in (down, down, up)
        ]
        assert seen == [
            ["Queue/mine", "RabbitmqCluster/broker"],
            ["RabbitmqCluster/broker"],
            ["Queue/mine", "RabbitmqCluster/broker"],
        ]

    recording(monkeypatch, check)


def test_a_resources_own_status_brings_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only another spec or a deletion does."""

    def check(recorder: Recorder) -> None:
        on_topology = recorder.controllers.on_topology
        assert recorder.after(on_topology, None, resource("Queue", "q")) == ["Queue/q"]
        assert recorder.after(on_topology, "MODIFIED", resource("Queue", "q", status={"x": 1})) == []
        assert recorder.after(on_topology, "MODIFIED", resource("Queue", "q", metadata={"generation": 2})) == [
            "Queue/q"
        ]
        deleted = {"generation": 2, "deletionTimestamp": "now"}
        assert recorder.after(on_topology, "MODIFIED", resource("Queue", "q", metadata=deleted)) == ["Queue/q"]

    recording(monkeypatch, check)


def test_permissions_follow_their_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as the User has a name on the broker."""

    def check(recorder: Recorder) -> None:
        on_topology = recorder.controllers.on_topology
        waiting = resource("Permission", "waiting", spec={"userReference": {"name": "worker"}})
        done = resource(
            "Permission", "done", spec={"userReference": {"name": "worker"}}, status={"observedGeneration": 1}
        )
        other = resource("Permission", "other", spec={"userReference": {"name": "web"}})
        for permission in (waiting, done, other):
            on_topology(None, permission)
        assert recorder.after(on_topology, None, resource("User", "worker")) == ["User/worker"]
        named = resource("User", "worker", status={"username": "u"})
        assert recorder.after(on_topology, "MODIFIED", named) == ["Permission/waiting"]

    recording(monkeypatch, check)


def test_what_others_wait_for_wakes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused queue need not wait out its back-off once its vhost is there."""

    def check(recorder: Recorder) -> None:
        on_topology = recorder.controllers.on_topology

        def state(ready: str) -> dict[str, Any]:
            return {"status": {"conditions": [{"type": "Ready", "status": ready}]}}

        for obj in (
            resource("Queue", "refused", **state("False")),
            resource("Queue", "declared", **state("True")),
            resource("Queue", "untried"),
            resource("Vhost", "fleet", **state("False")),
        ):
            on_topology(None, obj)
        ready = resource("Vhost", "fleet", **state("True"))
        assert recorder.after(on_topology, "MODIFIED", ready) == ["Queue/refused"]
        assert recorder.after(on_topology, "MODIFIED", ready) == []

    recording(monkeypatch, check)


def test_a_changed_child_brings_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changed it; objects of others bring nothing."""

    def check(recorder: Recorder) -> None:
        controllers = recorder.controllers
        controllers.on_cluster(None, resource("RabbitmqCluster", "broker"))
        labels = {"app.kubernetes.io/component": "rabbitmq", "app.kubernetes.io/name": "broker"}
        child = {"kind": "StatefulSet", "metadata": {"name": "x", "namespace": "fleet", "labels": labels}}
        assert recorder.after(controllers.on_child, "MODIFIED", child) == ["RabbitmqCluster/broker"]
        assert recorder.after(controllers.on_child, None, child) == []
        foreign = {"kind": "StatefulSet", "metadata": {"name": "x", "namespace": "fleet"}}
        assert recorder.after(controllers.on_child, "MODIFIED", foreign) == []

    recording(monkeypatch, check)


def test_a_changed_secret_brings_the_users_that_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new password in an imported Secret reaches the broker."""

    def check(recorder: Recorder) -> None:
        controllers = recorder.controllers
        imported = {"importCredentialsSecret": {"name": "mine"}}
        for user in (resource("User", "importer", spec=imported), resource("User", "other")):
            controllers.on_topology(None, user)
        label = {"rabbitmq.com/topology-operator": "true"}
        secret = {"kind": "Secret", "metadata": {"name": "mine", "namespace": "fleet", "labels": label}}
        assert recorder.after(controllers.on_child, "MODIFIED", secret) == ["User/importer"]
        owned = {
            "name": "x",
            "namespace": "fleet",
            "labels": label,
            "ownerReferences": [{"kind": "User", "name": "other"}],
        }
        assert recorder.after(controllers.on_child, "DELETED", {"kind": "Secret", "metadata": owned}) == ["User/other"]
        unlabelled = {"kind": "Secret", "metadata": {"name": "mine", "namespace": "fleet"}}
        assert recorder.after(controllers.on_child, "MODIFIED", unlabelled) == []

    recording(monkeypatch, check)


async def work(queue: WorkQueue[str], until: Callable[[], Awaitable[object]]) -> None:
    working = asyncio.create_task(queue.run())
    try:
        async with asyncio.timeout(5):
            await until()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def test_a_key_is_worked_on_once_at_a_time_and_again_if_asked_meanwhile() -> None:
    """Two workers never hold the same object."""

    async def run() -> None:
        started, finish = asyncio.Event(), asyncio.Event()
        done: list[str] = []
        at_work: set[str] = set()

        async def reconcile(key: str) -> None:
            assert key not in at_work
            at_work.add(key)
            started.set()
            await finish.wait()
            at_work.discard(key)
            done.append(key)

        queue: WorkQueue[str] = WorkQueue(reconcile, workers=3)
        queue.add("a")
        queue.add("a")

        async def until() -> None:
            await started.wait()
            queue.add("a")
            queue.add("b")
            while "b" not in at_work:
                await asyncio.sleep(0)
            finish.set()
            while len(done) < 3:
                await asyncio.sleep(0)

        await work(queue, until)
        assert sorted(done) == ["a", "a", "b"]

    asyncio.run(run())


@pytest.mark.parametrize("error", [RetryLaterError("not yet"), RuntimeError("bug")], ids=["expected", "unexpected"])
def test_a_key_that_fails_comes_back_later_and_later(error: Exception) -> None:
    """And nothing else stops for it."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        times: list[float] = []
        finished = asyncio.Event()

        async def reconcile(_: str) -> None:
            times.append(loop.time())
            if len(times) < 4:
                raise error
            finished.set()

        queue: WorkQueue[str] = WorkQueue(reconcile, workers=1, first_retry_seconds=0.01, last_retry_seconds=0.02)
        queue.add("a")
        await work(queue, finished.wait)
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert waits[0] >= 0.009
        assert waits[1] >= 0.019
        assert waits[2] >= 0.019

    asyncio.run(run())


def test_the_earlier_of_two_requests_counts() -> None:
    """An event does not wait for a back-off."""

    async def run() -> None:
        finished = asyncio.Event()

        async def reconcile(_: str) -> None:
            finished.set()

        queue: WorkQueue[str] = WorkQueue(reconcile, workers=1)
        queue.add("a", after_seconds=3600)

        async def until() -> None:
            await asyncio.sleep(0)
            queue.add("a")
            await finished.wait()

        await work(queue, until)

    asyncio.run(run())
