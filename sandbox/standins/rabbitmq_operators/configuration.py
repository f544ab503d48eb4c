"""Configuration of a broker: rabbitmq.conf in its two parts, further files, and the list of plugins.

Invariant: the user's lines win over the operator's, a key appears once in each file, and only a change that a
running node cannot take up asks for a restart.
Facts from: cluster-operator v2.21.1 `internal/resource/{configmap,rabbitmq_plugins}.go`.
"""

from collections.abc import Mapping
from typing import Final

from sandbox.standins.rabbitmq_operators.cluster_spec import Manifest, RabbitmqCluster

REQUIRED_PLUGINS: Final = ("rabbitmq_peer_discovery_k8s", "rabbitmq_prometheus", "rabbitmq_management")

OPERATOR_DEFAULTS_KEY: Final = "operatorDefaults.conf"
USER_CONFIGURATION_KEY: Final = "userDefinedConfiguration.conf"
_SIZE_HINT: Final = "cluster_formation.target_cluster_size_hint"

_OPERATOR_DEFAULTS: Final = {
    "log.console": "true",
    "queue_master_locator": "min-masters",
    "disk_free_limit.absolute": "2GB",
    "cluster_partition_handling": "pause_minority",
    "cluster_formation.peer_discovery_backend": "rabbit_peer_discovery_k8s",
    "cluster_formation.k8s.host": "kubernetes.default",
    "cluster_formation.k8s.address_type": "hostname",
}

_TLS_FOLDER: Final = "/etc/rabbitmq-tls"
_CERTIFICATE: Final = f"{_TLS_FOLDER}/tls.crt"
_PRIVATE_KEY: Final = f"{_TLS_FOLDER}/tls.key"
_CA: Final = f"{_TLS_FOLDER}/ca.crt"

_TLS_LISTENERS: Final = {
    "ssl_options.certfile": _CERTIFICATE,
    "ssl_options.keyfile": _PRIVATE_KEY,
    "listeners.ssl.default": "5671",
    "management.ssl.certfile": _CERTIFICATE,
    "management.ssl.keyfile": _PRIVATE_KEY,
    "management.ssl.port": "15671",
    "prometheus.ssl.certfile": _CERTIFICATE,
    "prometheus.ssl.keyfile": _PRIVATE_KEY,
    "prometheus.ssl.port": "15691",
}
_PLUGIN_TLS: Final[Mapping[str, Mapping[str, str]]] = {
    "rabbitmq_mqtt": {"mqtt.listeners.ssl.default": "8883"},
    "rabbitmq_stomp": {"stomp.listeners.ssl.1": "61614"},
    "rabbitmq_web_mqtt": {
        "web_mqtt.ssl.port": "15676",
        "web_mqtt.ssl.certfile": _CERTIFICATE,
        "web_mqtt.ssl.keyfile": _PRIVATE_KEY,
    },
    "rabbitmq_web_stomp": {
        "web_stomp.ssl.port": "15673",
        "web_stomp.ssl.certfile": _CERTIFICATE,
        "web_stomp.ssl.keyfile": _PRIVATE_KEY,
    },
    "rabbitmq_web_amqp": {
        "web_amqp.tls.port": "15677",
        "web_amqp.tls.certfile": _CERTIFICATE,
        "web_amqp.tls.keyfile": _PRIVATE_KEY,
    },
    "rabbitmq_stream": {"stream.listeners.ssl.default": "5551"},
}
_PLUGIN_PLAIN_CLOSED: Final[Mapping[str, str]] = {
    "rabbitmq_mqtt": "mqtt.listeners.tcp",
    "rabbitmq_stomp": "stomp.listeners.tcp",
    "rabbitmq_web_mqtt": "web_mqtt.tcp.listener",
    "rabbitmq_web_stomp": "web_stomp.tcp.listener",
    "rabbitmq_stream": "stream.listeners.tcp",
}
_PLUGIN_CA: Final[Mapping[str, str]] = {
    "rabbitmq_web_mqtt": "web_mqtt.ssl.cacertfile",
    "rabbitmq_web_stomp": "web_stomp.ssl.cacertfile",
    "rabbitmq_web_amqp": "web_amqp.tls.cacertfile",
}

_HEADROOM_CEILING_BYTES: Final = 2 * 2**30


class ConfigurationError(ValueError):
    """The user's configuration cannot be read; the message says which line and what a line has to look like."""


def parse_settings(text: str) -> dict[str, str]:
    """The settings of a rabbitmq.conf by key; a repeated key has its last value.

    Raises: ConfigurationError at a line that is neither a setting, nor a comment, nor empty.
    """
    settings: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.strip()
        if not content or content.startswith(("#", ";")):
            continue
        key, delimiter, value = content.partition("=")
        if not delimiter or not key.strip():
            raise ConfigurationError(
                f"spec.rabbitmq.additionalConfig line {number}: key-value delimiter not found: {content} "
                "(write `key = value`, or # before a comment)"
            )
        settings[key.strip()] = value.strip()
    return settings


def render_settings(settings: Mapping[str, str]) -> str:
    """A rabbitmq.conf with one line a setting."""
    return "".join(f"{key} = {value}\n" for key, value in settings.items())


def operator_settings(cluster: RabbitmqCluster) -> dict[str, str]:
    """What the operator sets below the user's configuration."""
    settings = dict(_OPERATOR_DEFAULTS)
    settings[_SIZE_HINT] = str(cluster.replicas)
    settings["cluster_name"] = cluster.name
    user = parse_settings(cluster.additional_config)
    if not any(key.startswith("auth_mechanisms") for key in user):
        # ANONYMOUS is one of RabbitMQ's defaults; it is left out unless the user chooses mechanisms.
        settings |= {"auth_mechanisms.1": "PLAIN", "auth_mechanisms.2": "AMQPLAIN"}
    return settings


def user_settings(cluster: RabbitmqCluster) -> dict[str, str]:
    """What TLS and memory ask for, then the user's own lines, which win."""
    settings: dict[str, str] = {}
    plugins = [plugin for plugin in _PLUGIN_TLS if plugin in cluster.plugins]
    if cluster.tls_secret:
        settings |= _TLS_LISTENERS
        if cluster.tls_only:
            settings["listeners.tcp"] = "none"
        else:
            settings |= {"management.tcp.port": "15672", "prometheus.tcp.port": "15692"}
        for plugin in plugins:
            settings |= _PLUGIN_TLS[plugin]
            if cluster.tls_only and plugin in _PLUGIN_PLAIN_CLOSED:
                settings[_PLUGIN_PLAIN_CLOSED[plugin]] = "none"
            if not cluster.tls_only and plugin == "rabbitmq_web_amqp":
                settings["web_amqp.tcp.port"] = "15678"
    if cluster.ca_secret:
        settings |= {
            "ssl_options.cacertfile": _CA,
            "ssl_options.verify": "verify_peer",
            "management.ssl.cacertfile": _CA,
            "prometheus.ssl.cacertfile": _CA,
        }
        settings |= {_PLUGIN_CA[plugin]: _CA for plugin in plugins if plugin in _PLUGIN_CA}
    if cluster.memory_limit_bytes is not None:
        settings["total_memory_available_override_value"] = str(without_headroom(cluster.memory_limit_bytes))
    return settings | parse_settings(cluster.additional_config)


def without_headroom(limit_bytes: int) -> int:
    """The memory that the broker may count on: the limit less a fifth, but never more than 2 GiB less.

    The Erlang VM needs room above what RabbitMQ accounts for, or the container is killed.
    """
    return limit_bytes - min(limit_bytes // 5, _HEADROOM_CEILING_BYTES)


def server_config_map(cluster: RabbitmqCluster) -> Manifest:
    """ConfigMap `<name>-server-conf`."""
    data = {
        OPERATOR_DEFAULTS_KEY: render_settings(operator_settings(cluster)),
        USER_CONFIGURATION_KEY: render_settings(user_settings(cluster)),
    }
    return cluster.child("v1", "ConfigMap", cluster.child_name("server-conf"), data=data | cluster.config_files)


def needs_restart(previous: Mapping[str, str], desired: Mapping[str, str]) -> bool:
    """Whether a change of the server's ConfigMap reaches running nodes only by a restart.

    The hint of the cluster's size changes when nodes are added, and the running ones need not know.
    """
    return _restart_relevant(previous) != _restart_relevant(desired)


def _restart_relevant(data: Mapping[str, str]) -> dict[str, str]:
    defaults = parse_settings(data.get(OPERATOR_DEFAULTS_KEY, ""))
    defaults.pop(_SIZE_HINT, None)
    return {**data, OPERATOR_DEFAULTS_KEY: render_settings(defaults)}


def enabled_plugins(cluster: RabbitmqCluster) -> list[str]:
    """The required plugins, then the user's, each once."""
    return list(dict.fromkeys((*REQUIRED_PLUGINS, *cluster.plugins)))


def plugins_config_map(cluster: RabbitmqCluster) -> Manifest:
    """ConfigMap `<name>-plugins-conf`, in the form of RabbitMQ's own `enabled_plugins` file."""
    data = {"enabled_plugins": f"[{','.join(enabled_plugins(cluster))}]."}
    return cluster.child("v1", "ConfigMap", cluster.child_name("plugins-conf"), data=data)
