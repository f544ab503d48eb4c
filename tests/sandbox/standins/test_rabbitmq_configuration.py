"""Configuration and credentials of a broker are those of the real operator.

Upstream: rabbitmq/cluster-operator v2.21.1 `internal/resource/{configmap,rabbitmq_plugins,default_user_secret}.go`.
"""

from typing import Any

import pytest

from sandbox.standins.quantities import parse_quantity
from sandbox.standins.rabbitmq_operators.cluster_spec import RabbitmqCluster
from sandbox.standins.rabbitmq_operators.configuration import (
    ConfigurationError,
    needs_restart,
    operator_settings,
    parse_settings,
    plugins_config_map,
    server_config_map,
    user_settings,
    without_headroom,
)
from sandbox.standins.rabbitmq_operators.credentials import default_user_secret, draw_default_user
from sandbox.standins.secret_data import decode_data

GIB = 2**30


def cluster(**spec: Any) -> RabbitmqCluster:
    return RabbitmqCluster.from_resource(
        {"metadata": {"name": "broker", "namespace": "fleet", "uid": "u1", "generation": 1}, "spec": spec}
    )


def test_defaults_form_a_cluster_of_the_wanted_size() -> None:
    """Nodes find each other by the Kubernetes plugin and know how many they are."""
    settings = operator_settings(cluster(replicas=3))
    assert settings["cluster_formation.peer_discovery_backend"] == "rabbit_peer_discovery_k8s"
    assert settings["cluster_formation.target_cluster_size_hint"] == "3"
    assert settings["cluster_name"] == "broker"
    assert settings["cluster_partition_handling"] == "pause_minority"


def test_anonymous_logins_are_off_unless_the_user_chooses_mechanisms() -> None:
    """RabbitMQ's own default would let anybody in."""
    assert operator_settings(cluster())["auth_mechanisms.1"] == "PLAIN"
    chosen = cluster(rabbitmq={"additionalConfig": "auth_mechanisms.1 = EXTERNAL"})
    assert not any(key.startswith("auth_mechanisms") for key in operator_settings(chosen))


def test_the_users_lines_win_and_stand_once() -> None:
    """A key of the user's replaces the operator's in its file."""
    spec = {"additionalConfig": "# why\ntotal_memory_available_override_value = 1GB\nqueue_leader_locator = balanced\n"}
    data = server_config_map(cluster(rabbitmq=spec, resources={"limits": {"memory": "1Gi"}}))["data"]
    assert data["userDefinedConfiguration.conf"] == (
        "total_memory_available_override_value = 1GB\nqueue_leader_locator = balanced\n"
    )


@pytest.mark.parametrize(
    ("limit_bytes", "usable_bytes"),
    [
        pytest.param(5 * GIB, 4 * GIB, id="a-fifth-is-kept-free"),
        pytest.param(20 * GIB, 18 * GIB, id="but-never-more-than-2-gib"),
    ],
)
def test_the_broker_counts_on_less_memory_than_its_limit(limit_bytes: int, usable_bytes: int) -> None:
    """The Erlang VM needs room above what RabbitMQ accounts for."""
    assert without_headroom(limit_bytes) == usable_bytes


def test_tls_opens_encrypted_listeners_and_keeps_the_plain_ones() -> None:
    """Setting a TLS port of the management plugin closes its plain one unless that is set too."""
    settings = user_settings(cluster(tls={"secretName": "cert"}))
    assert settings["listeners.ssl.default"] == "5671"
    assert settings["management.tcp.port"] == "15672"
    assert "listeners.tcp" not in settings


def test_plain_listeners_close_when_asked() -> None:
    """disableNonTLSListeners leaves no plain port."""
    settings = user_settings(cluster(tls={"secretName": "cert", "disableNonTLSListeners": True}))
    assert settings["listeners.tcp"] == "none"
    assert "management.tcp.port" not in settings


def test_clients_show_a_certificate_when_there_is_an_authority() -> None:
    """A CA Secret turns on mutual TLS."""
    settings = user_settings(cluster(tls={"secretName": "cert", "caSecretName": "ca"}))
    assert settings["ssl_options.verify"] == "verify_peer"


def test_a_line_that_is_no_setting_is_named() -> None:
    """The error says which line, and what a line looks like."""
    with pytest.raises(
        ConfigurationError, match=r"line 2: key-value delimiter not found: nonsense.*write `key = value`"
    ):
        parse_settings("a = b\nnonsense\n")


def test_a_new_node_does_not_restart_the_others() -> None:
    """The hint of the cluster's size changes nothing for a running node."""
    one, three = (server_config_map(cluster(replicas=count))["data"] for count in (1, 3))
    assert one != three
    assert not needs_restart(one, three)


def test_a_changed_setting_restarts_the_nodes() -> None:
    """rabbitmq.conf is read once, at start."""
    before = server_config_map(cluster())["data"]
    after = server_config_map(cluster(rabbitmq={"additionalConfig": "heartbeat = 30"}))["data"]
    assert needs_restart(before, after)


def test_plugins_are_the_required_ones_and_the_users_each_once() -> None:
    """The file has RabbitMQ's own form."""
    spec = {"additionalPlugins": ["rabbitmq_consistent_hash_exchange", "rabbitmq_management"]}
    assert plugins_config_map(cluster(rabbitmq=spec))["data"] == {
        "enabled_plugins": "[rabbitmq_peer_discovery_k8s,rabbitmq_prometheus,rabbitmq_management,"
        "rabbitmq_consistent_hash_exchange]."
    }


def test_the_default_users_secret_says_how_to_connect() -> None:
    """Its keys are those of a Provisioned Service."""
    secret = default_user_secret(cluster(), username="ann", password="pw")
    assert secret["metadata"]["name"] == "broker-default-user"
    assert decode_data(secret["data"]) == {
        "username": "ann",
        "password": "pw",
        "default_user.conf": "default_user = ann\ndefault_pass = pw\n",
        "provider": "rabbitmq",
        "type": "rabbitmq",
        "host": "broker.fleet.svc",
        "port": "5672",
        "connection_string": "amqp://ann:pw@broker.fleet.svc:5672/",
    }


def test_the_secret_follows_tls_and_plugins() -> None:
    """Ports are those that are open."""
    tls = cluster(tls={"secretName": "cert"}, rabbitmq={"additionalPlugins": ["rabbitmq_stream"]})
    data = decode_data(default_user_secret(tls, username="ann", password="pw")["data"])
    assert (data["port"], data["stream-port"]) == ("5671", "5551")
    assert data["connection_string"] == "amqps://ann:pw@broker.fleet.svc:5671/"


def test_credentials_are_random_unless_the_user_names_them() -> None:
    """Two brokers never share a password by accident."""
    drawn = {draw_default_user(cluster()) for _ in range(3)}
    assert len(drawn) == 3
    assert all(username.startswith("default_user_") and len(username) == 32 for username, _ in drawn)
    named = cluster(rabbitmq={"additionalConfig": "default_user = ann\ndefault_pass = pw"})
    assert draw_default_user(named) == ("ann", "pw")


@pytest.mark.parametrize(
    ("left", "right"),
    [("1Gi", "1024Mi"), ("1", "1000m"), ("1e3", "1k"), ("0.5Gi", "512Mi"), ("1E", "1e18")],
)
def test_spellings_of_one_quantity_are_equal(left: str, right: str) -> None:
    """`1Gi` and `1024Mi` are one limit."""
    assert parse_quantity(left) == parse_quantity(right)


@pytest.mark.parametrize("text", ["ten", "1Zi", "", "1 Gi", "1i"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """The error says what a quantity looks like."""
    with pytest.raises(ValueError, match="write a number and a suffix"):
        parse_quantity(text)
