"""Users get their credentials, and permissions their users, as under the real operator.

Upstream: rabbitmq/messaging-topology-operator v1.20.1 `internal/controller/{user,permission}_controller.go`.
"""

import pytest

from sandbox.standins.api_server import Key
from sandbox.standins.secret_data import decode_data
from sandbox.standins.work_queue import RetryLaterError
from tests.sandbox.standins.topology_bench import READY, Bench, conditions, on_bench


def test_a_user_gets_random_credentials_in_a_secret_of_its_own() -> None:
    """The Secret's name follows the User's, the user's name on the broker does not."""

    async def check(bench: Bench) -> None:
        user = await bench.declare("User", "worker", tags=["monitoring"], limits={"connections": 7})
        secret = bench.api.objects[Key("Secret", "fleet", "worker-user-credentials")]
        data = decode_data(secret["data"])
        assert set(data) == {"username", "password"}
        assert len(data["username"]) == 32
        assert secret["metadata"]["labels"] == {"rabbitmq.com/topology-operator": "true"}
        assert secret["metadata"]["ownerReferences"][0]["kind"] == "User"
        assert user["status"]["credentials"] == {"name": "worker-user-credentials"}
        assert user["status"]["username"] == data["username"]
        assert conditions(user) == [("PasswordSynced", "True", "SuccessfulPasswordSync"), READY]
        assert bench.broker.stored[f"users/{data['username']}"]["tags"] == "monitoring"
        assert bench.broker.stored[f"user-limits/{data['username']}/max-connections"] == {"value": 7}

    on_bench(check)


def test_a_users_password_survives_every_reconciliation() -> None:
    """Clients hold it; a new one would lock them out."""

    async def check(bench: Bench) -> None:
        user = await bench.declare("User", "worker")
        key = Key("Secret", "fleet", "worker-user-credentials")
        before = bench.api.objects[key]["data"]
        await bench.reconciler.reconcile(Key.of(user))
        assert bench.api.objects[key]["data"] == before

    on_bench(check)


def test_a_user_can_bring_its_own_credentials() -> None:
    """From a Secret with the operator's label."""

    async def check(bench: Bench) -> None:
        label = {"rabbitmq.com/topology-operator": "true"}
        bench.secret("mine", labels=label, username="ann", password="pw")
        user = await bench.declare("User", "worker", importCredentialsSecret={"name": "mine"})
        assert user["status"]["username"] == "ann"
        assert user["status"]["credentials"] == {"name": "mine"}
        assert "users/ann" in bench.broker.stored

    on_bench(check)


@pytest.mark.parametrize(
    ("labels", "data", "message"),
    [
        pytest.param({}, {"username": "ann"}, "must have label rabbitmq.com/topology-operator=true", id="no-label"),
        pytest.param({"rabbitmq.com/topology-operator": "true"}, {}, "could not find username key", id="no-name"),
        pytest.param(
            {"rabbitmq.com/topology-operator": "true"},
            {"username": "ann"},
            "neither passwordHash nor password",
            id="no-password",
        ),
    ],
)
def test_unfit_credentials_are_named(labels: dict[str, str], data: dict[str, str], message: str) -> None:
    """The User says what its Secret lacks."""

    async def check(bench: Bench) -> None:
        bench.secret("mine", labels=labels, **data)
        key = bench.resource("User", "worker", importCredentialsSecret={"name": "mine"})
        with pytest.raises(RetryLaterError, match=message):
            await bench.reconciler.reconcile(key)
        assert message in bench.api.objects[key]["status"]["conditions"][0]["message"]

    on_bench(check)


def test_a_permission_waits_for_its_user_and_goes_with_it() -> None:
    """It names the User; the broker's name comes from the User's status."""

    async def check(bench: Bench) -> None:
        await bench.declare("Vhost", "v", name="v")
        rights = {"configure": "", "write": ".*", "read": ".*"}
        key = bench.resource("Permission", "p", vhost="v", userReference={"name": "worker"}, permissions=rights)
        with pytest.raises(RetryLaterError, match="failed create Permission, missing User"):
            await bench.reconciler.reconcile(key)
        user = await bench.declare("User", "worker")
        await bench.reconciler.reconcile(key)
        username = user["status"]["username"]
        assert bench.broker.stored[f"permissions/v/{username}"] == rights
        permission = bench.api.objects[key]
        assert permission["metadata"]["ownerReferences"][0]["uid"] == user["metadata"]["uid"]
        assert conditions(permission) == [READY]
        await bench.delete(Key.of(user))
        assert f"users/{username}" not in bench.broker.stored
        await bench.delete(key)
        assert key not in bench.api.objects

    on_bench(check)
