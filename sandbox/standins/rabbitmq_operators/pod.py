"""The pod of a broker node.

Invariant: the pod runs as uid 999 with a read-only root and no capability, and is told apart from a pod on its way
out for good by the label `skipPreStopChecks`, without which it drains before it stops.
Facts from: cluster-operator v2.21.1 `internal/resource/statefulset.go` (`podTemplateSpec`, `setupContainer`).
"""

from typing import Any, Final

from sandbox.standins.rabbitmq_operators.cluster_spec import (
    NO_TOPOLOGY_SPREAD_ANNOTATION,
    Manifest,
    RabbitmqCluster,
)
from sandbox.standins.rabbitmq_operators.configuration import OPERATOR_DEFAULTS_KEY, USER_CONFIGURATION_KEY
from sandbox.standins.rabbitmq_operators.services import PLAIN_LISTENERS, PROMETHEUS, PROMETHEUS_TLS, TLS_LISTENERS

DELETION_MARKER: Final = "skipPreStopChecks"
BROKER_UID: Final = 999

_TLS_ONLY_PORTS: Final = frozenset({"amqps", "management-tls", "mqtts", "stomps", "streams"})
"""With plain listeners closed the real operator names these ports alone."""

_CONTAINER_SECURITY: Final[Manifest] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_SETUP_RESOURCES: Final[Manifest] = {"cpu": "20m", "memory": "64Mi"}


def pod_template(cluster: RabbitmqCluster, *, annotations: dict[str, str]) -> Manifest:
    """The StatefulSet's pod template; `annotations` are those it already carries (the time of the last restart)."""
    spec: Manifest = {
        "serviceAccountName": cluster.child_name("server"),
        "automountServiceAccountToken": True,
        "terminationGracePeriodSeconds": cluster.grace_seconds,
        "securityContext": {
            "fsGroup": 0,
            "runAsUser": BROKER_UID,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [_setup_container(cluster)],
        "containers": [_broker_container(cluster)],
        "volumes": _volumes(cluster),
    }
    if cluster.annotations.get(NO_TOPOLOGY_SPREAD_ANNOTATION, "").strip() != "true":
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": cluster.selector},
            }
        ]
    for field in ("imagePullSecrets", "affinity", "tolerations"):
        if cluster.spec.get(field):
            spec[field] = cluster.spec[field]
    return {"metadata": {"labels": cluster.identity_labels, "annotations": annotations}, "spec": spec}


def _setup_container(cluster: RabbitmqCluster) -> Manifest:
    """Copies what RabbitMQ wants to own or write: the cookie, the plugins, the credentials of `rabbitmqadmin`."""
    script = (
        "cp /tmp/erlang-cookie-secret/.erlang.cookie /var/lib/rabbitmq/.erlang.cookie "
        "&& chmod 600 /var/lib/rabbitmq/.erlang.cookie ; "
        "cp /tmp/rabbitmq-plugins/enabled_plugins /operator/enabled_plugins ; "
        "echo '[default]' > /var/lib/rabbitmq/.rabbitmqadmin.conf "
        "&& sed -e 's/default_user/username/' -e 's/default_pass/password/' /tmp/default_user.conf "
        ">> /var/lib/rabbitmq/.rabbitmqadmin.conf && chmod 600 /var/lib/rabbitmq/.rabbitmqadmin.conf ; "
        f"sleep {int(cluster.spec.get('delayStartSeconds', 0))}"
    )
    return {
        "name": "setup-container",
        "image": cluster.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "resources": {"limits": _SETUP_RESOURCES, "requests": _SETUP_RESOURCES},
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "plugins-conf", "mountPath": "/tmp/rabbitmq-plugins/"},  # noqa: S108  a path inside the pod
            {"name": "rabbitmq-erlang-cookie", "mountPath": "/var/lib/rabbitmq/"},
            {"name": "erlang-cookie-secret", "mountPath": "/tmp/erlang-cookie-secret/"},  # noqa: S108  as above
            {"name": "rabbitmq-plugins", "mountPath": "/operator"},
            {"name": "persistence", "mountPath": "/var/lib/rabbitmq/mnesia/"},
            {
                "name": "rabbitmq-confd",
                "mountPath": "/tmp/default_user.conf",  # noqa: S108  as above
                "subPath": "default_user.conf",
            },
        ],
    }


def _broker_container(cluster: RabbitmqCluster) -> Manifest:
    name_field = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
    namespace_field = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": "rabbitmq",
        "image": cluster.image,
        "imagePullPolicy": "IfNotPresent",
        "resources": dict(cluster.resources),
        "securityContext": _CONTAINER_SECURITY,
        "env": [
            {"name": "MY_POD_NAME", "valueFrom": name_field},
            {"name": "MY_POD_NAMESPACE", "valueFrom": namespace_field},
            {"name": "K8S_SERVICE_NAME", "value": cluster.child_name("nodes")},
            {"name": "RABBITMQ_ENABLED_PLUGINS_FILE", "value": "/operator/enabled_plugins"},
            {"name": "RABBITMQ_USE_LONGNAME", "value": "true"},
            {
                "name": "RABBITMQ_NODENAME",
                "value": "rabbit@$(MY_POD_NAME).$(K8S_SERVICE_NAME).$(MY_POD_NAMESPACE)",
            },
            {"name": "K8S_HOSTNAME_SUFFIX", "value": ".$(K8S_SERVICE_NAME).$(MY_POD_NAMESPACE)"},
        ],
        "ports": _container_ports(cluster),
        "volumeMounts": _broker_mounts(cluster),
        "readinessProbe": {
            "tcpSocket": {"port": "amqps" if cluster.tls_only else "amqp"},
            "initialDelaySeconds": 10,
            "timeoutSeconds": 5,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
        "startupProbe": {
            "exec": {
                "command": [
                    "/bin/bash",
                    "-c",
                    "rabbitmqctl eval 'rabbit_nodes:reached_target_cluster_size().' | grep -q '^true$'",
                ]
            },
            "initialDelaySeconds": 10,
            "timeoutSeconds": 5,
            "periodSeconds": 10,
            "failureThreshold": 30,
        },
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/bash", "-c", _drain_script(cluster.grace_seconds)]}}},
    }


def _drain_script(grace_seconds: int) -> str:
    """Waits until no queue loses its quorum by this node's stop, then drains; skipped when the broker is deleted."""
    return (
        f'if [ ! -z "$(cat /etc/pod-info/{DELETION_MARKER})" ]; then exit 0; fi;'
        f" rabbitmq-upgrade await_online_quorum_plus_one -t {grace_seconds} &&"
        f" rabbitmq-upgrade await_online_synchronized_mirror -t {grace_seconds} || true &&"
        f" rabbitmq-upgrade drain -t {grace_seconds}"
    )


def _container_ports(cluster: RabbitmqCluster) -> list[Manifest]:
    ports = [("epmd", 4369)]
    if not cluster.tls_only:
        ports += [(listener.name, listener.port) for listener in PLAIN_LISTENERS[:2]]
        ports.append((PROMETHEUS.name, PROMETHEUS.port))
        ports += [(listener.name, listener.port) for listener in PLAIN_LISTENERS[2:] if listener.open(cluster)]
    if cluster.tls_secret or cluster.tls_only:
        ports += [
            (listener.name, listener.port)
            for listener in TLS_LISTENERS
            if listener.open(cluster) and (not cluster.tls_only or listener.name in _TLS_ONLY_PORTS)
        ]
        ports.append((PROMETHEUS_TLS.name, PROMETHEUS_TLS.port))
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports]


def _broker_mounts(cluster: RabbitmqCluster) -> list[Manifest]:
    config = "/etc/rabbitmq/conf.d"
    mounts: list[Manifest] = [
        # The parent before the child: some runtimes mount in the order given.
        {"name": "rabbitmq-erlang-cookie", "mountPath": "/var/lib/rabbitmq/"},
        {"name": "persistence", "mountPath": "/var/lib/rabbitmq/mnesia/"},
        {"name": "rabbitmq-plugins", "mountPath": "/operator"},
        _file("rabbitmq-confd", f"{config}/10-operatorDefaults.conf", OPERATOR_DEFAULTS_KEY),
        _file("rabbitmq-confd", f"{config}/90-userDefinedConfiguration.conf", USER_CONFIGURATION_KEY),
        {"name": "pod-info", "mountPath": "/etc/pod-info/"},
        _file("rabbitmq-confd", f"{config}/11-default_user.conf", "default_user.conf"),
    ]
    mounts += [_file("server-conf", f"/etc/rabbitmq/{key}", key) for key in sorted(cluster.config_files, reverse=True)]
    if cluster.tls_secret:
        mounts.append({"name": "rabbitmq-tls", "mountPath": "/etc/rabbitmq-tls/", "readOnly": True})
    return mounts


def _file(volume: str, path: str, key: str) -> Manifest:
    return {"name": volume, "mountPath": path, "subPath": key}


def _volumes(cluster: RabbitmqCluster) -> list[Manifest]:
    configuration = {
        "name": cluster.child_name("server-conf"),
        "items": _items(OPERATOR_DEFAULTS_KEY, USER_CONFIGURATION_KEY),
    }
    default_user = {"name": cluster.child_name("default-user"), "items": _items("default_user.conf")}
    marker = {"path": DELETION_MARKER, "fieldRef": {"fieldPath": f"metadata.labels['{DELETION_MARKER}']"}}
    volumes: list[Manifest] = [
        {"name": "plugins-conf", "configMap": {"name": cluster.child_name("plugins-conf")}},
        {
            "name": "rabbitmq-confd",
            "projected": {"sources": [{"configMap": configuration}, {"secret": default_user}]},
        },
        {"name": "rabbitmq-erlang-cookie", "emptyDir": {}},
        {"name": "erlang-cookie-secret", "secret": {"secretName": cluster.child_name("erlang-cookie")}},
        {"name": "rabbitmq-plugins", "emptyDir": {}},
        {"name": "pod-info", "downwardAPI": {"items": [marker]}},
    ]
    if cluster.config_files:
        volumes.append({"name": "server-conf", "configMap": {"name": cluster.child_name("server-conf")}})
    if not cluster.persistent:
        volumes.append({"name": "persistence", "emptyDir": dict(cluster.persistence.get("emptyDir") or {})})
    if cluster.tls_secret:
        volumes.append({"name": "rabbitmq-tls", "projected": _tls_projection(cluster)})
    return volumes


def _tls_projection(cluster: RabbitmqCluster) -> Manifest:
    sources: list[Manifest] = [
        {"secret": {"name": cluster.tls_secret, "optional": True, "items": _items("tls.crt", "tls.key")}}
    ]
    if cluster.ca_secret:
        sources.append({"secret": {"name": cluster.ca_secret, "optional": True, "items": _items("ca.crt")}})
    # 400 in decimal, not in octal: that is what the real operator writes, and 0o620 is what the pod sees.
    return {"sources": sources, "defaultMode": 400}


def _items(*keys: str) -> list[dict[str, Any]]:
    return [{"key": key, "path": key} for key in keys]
