"""Secrets that belong to a broker: its default user and its Erlang cookie.

Invariant: credentials are drawn once and never change while their Secret exists, because the broker on its volume
knows only the first ones; what is derived from them (port, connection string) follows the RabbitmqCluster.
Facts from: cluster-operator v2.21.1 `internal/resource/{default_user_secret,erlang_cookie}.go`.
"""

import base64
import secrets
from collections.abc import Mapping
from typing import Final

from sandbox.standins.rabbitmq_operators.cluster_spec import Manifest, RabbitmqCluster
from sandbox.standins.rabbitmq_operators.configuration import parse_settings, render_settings
from sandbox.standins.secret_data import encode_data

_RANDOM_BYTES: Final = 24
_USERNAME_PREFIX: Final = "default_user_"

_PLUGIN_PORTS: Final[Mapping[str, tuple[str, str, str]]] = {
    # plugin: (key in the Secret, plain port, TLS port)
    "rabbitmq_mqtt": ("mqtt-port", "1883", "8883"),
    "rabbitmq_stomp": ("stomp-port", "61613", "61614"),
    "rabbitmq_stream": ("stream-port", "5552", "5551"),
    "rabbitmq_web_mqtt": ("web-mqtt-port", "15675", "15676"),
    "rabbitmq_web_stomp": ("web-stomp-port", "15674", "15673"),
    "rabbitmq_web_amqp": ("web-amqp-port", "15678", "15677"),
}


def random_text() -> str:
    """24 random bytes in URL-safe base64: what both operators draw for names, passwords and cookies."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_RANDOM_BYTES)).decode()


def draw_default_user(cluster: RabbitmqCluster) -> tuple[str, str]:
    """User name and password: the user's own of `additionalConfig` where given, else random."""
    settings = parse_settings(cluster.additional_config)
    drawn = random_text()
    username = settings.get("default_user") or _USERNAME_PREFIX + drawn[: len(drawn) - len(_USERNAME_PREFIX)]
    return username, settings.get("default_pass") or random_text()


def default_user_secret(cluster: RabbitmqCluster, *, username: str, password: str) -> Manifest:
    """Secret `<name>-default-user`, a Provisioned Service of the Service Binding specification."""
    scheme, port = ("amqps", "5671") if cluster.tls_secret else ("amqp", "5672")
    data = {
        "username": username,
        "password": password,
        "default_user.conf": render_settings({"default_user": username, "default_pass": password}),
        "provider": "rabbitmq",
        "type": "rabbitmq",
        "host": cluster.service_host,
        "port": port,
        "connection_string": f"{scheme}://{username}:{password}@{cluster.service_host}:{port}/",
    }
    for plugin, (key, plain, encrypted) in _PLUGIN_PORTS.items():
        if plugin in cluster.plugins:
            data[key] = encrypted if cluster.tls_secret else plain
    name = cluster.child_name("default-user")
    return cluster.child("v1", "Secret", name, type="Opaque", data=encode_data(data))


def erlang_cookie_secret(cluster: RabbitmqCluster, *, cookie: str) -> Manifest:
    """Secret `<name>-erlang-cookie`, by which broker nodes and their command line tools trust each other."""
    data = encode_data({".erlang.cookie": cookie})
    return cluster.child("v1", "Secret", cluster.child_name("erlang-cookie"), type="Opaque", data=data)
