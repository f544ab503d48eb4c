"""Services of a broker, and the account its pods run under.

Invariant: port names, numbers and application protocols are those that clients, monitors and the topology operator
look up by name.
Facts from: cluster-operator v2.21.1 `internal/resource/{service,headless_service,service_account}.go` and
`internal/resource/{role,role_binding}.go`.
"""

from dataclasses import dataclass
from typing import Final

from sandbox.standins.rabbitmq_operators.cluster_spec import Manifest, RabbitmqCluster
from sandbox.standins.rabbitmq_operators.strategic_merge import merge_strategically


@dataclass(frozen=True)
class Listener:
    """A port of the broker; `plugin` is the one that opens it, empty for those that are always open."""

    name: str
    port: int
    protocol: str
    plugin: str = ""

    def open(self, cluster: RabbitmqCluster) -> bool:
        """Whether the broker listens here, TLS apart."""
        if self.plugin == "rabbitmq_stream":
            return cluster.stream_needed
        return not self.plugin or self.plugin in cluster.plugins


PLAIN_LISTENERS: Final = (
    Listener("amqp", 5672, "amqp"),
    Listener("management", 15672, "http"),
    Listener("mqtt", 1883, "mqtt", "rabbitmq_mqtt"),
    Listener("web-mqtt", 15675, "http", "rabbitmq_web_mqtt"),
    Listener("stomp", 61613, "stomp.github.io/stomp", "rabbitmq_stomp"),
    Listener("web-stomp", 15674, "http", "rabbitmq_web_stomp"),
    Listener("web-amqp", 15678, "http", "rabbitmq_web_amqp"),
    Listener("stream", 5552, "rabbitmq.com/stream", "rabbitmq_stream"),
)
TLS_LISTENERS: Final = (
    Listener("amqps", 5671, "amqps"),
    Listener("management-tls", 15671, "https"),
    Listener("stomps", 61614, "stomp.github.io/stomp-tls", "rabbitmq_stomp"),
    Listener("mqtts", 8883, "mqtts", "rabbitmq_mqtt"),
    Listener("web-stomp-tls", 15673, "https", "rabbitmq_web_stomp"),
    Listener("web-mqtt-tls", 15676, "https", "rabbitmq_web_mqtt"),
    Listener("web-amqp-tls", 15677, "https", "rabbitmq_web_amqp"),
    Listener("streams", 5551, "rabbitmq.com/stream-tls", "rabbitmq_stream"),
)
PROMETHEUS: Final = Listener("prometheus", 15692, "prometheus.io/metrics")
PROMETHEUS_TLS: Final = Listener("prometheus-tls", 15691, "prometheus.io/metric-tls")


def client_listeners(cluster: RabbitmqCluster) -> list[Listener]:
    """The ports of the client Service; one of the two Prometheus ports, or every node would be scraped twice."""
    plain = () if cluster.tls_only else PLAIN_LISTENERS
    encrypted = (*TLS_LISTENERS, PROMETHEUS_TLS) if cluster.tls_secret else (PROMETHEUS,)
    return [listener for listener in (*plain, *encrypted) if listener.open(cluster)]


def client_service(cluster: RabbitmqCluster) -> Manifest:
    """Service `<name>`: where clients, the management API and Prometheus find the broker."""
    settings = cluster.spec.get("service") or {}
    spec: Manifest = {
        "type": settings.get("type", "ClusterIP"),
        "selector": cluster.selector,
        "ports": [
            {
                "name": listener.name,
                "port": listener.port,
                "targetPort": listener.port,
                "protocol": "TCP",
                "appProtocol": listener.protocol,
            }
            for listener in client_listeners(cluster)
        ],
    }
    if settings.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = settings["ipFamilyPolicy"]
    service = cluster.child("v1", "Service", cluster.child_name(), spec=spec)
    service["metadata"]["labels"] = (settings.get("labels") or {}) | service["metadata"]["labels"]
    service["metadata"]["annotations"] |= settings.get("annotations") or {}
    override = cluster.override.get("service") or {}
    for field in ("labels", "annotations"):
        service["metadata"][field] |= (override.get("metadata") or {}).get(field) or {}
    service["spec"] = merge_strategically(service["spec"], override.get("spec") or {}, list_keys={"ports": "port"})
    return service


def nodes_service(cluster: RabbitmqCluster) -> Manifest:
    """Headless Service `<name>-nodes`: how broker nodes find each other, ready or not."""
    spec: Manifest = {
        "type": "ClusterIP",
        "clusterIP": "None",
        "sessionAffinity": "None",
        "publishNotReadyAddresses": True,
        "selector": cluster.selector,
        "ports": [
            {"name": "epmd", "port": 4369, "targetPort": 4369, "protocol": "TCP"},
            {"name": "cluster-rpc", "port": 25672, "targetPort": 25672, "protocol": "TCP"},
        ],
    }
    policy = (cluster.spec.get("service") or {}).get("ipFamilyPolicy")
    if policy:
        spec["ipFamilyPolicy"] = policy
    return cluster.child("v1", "Service", cluster.child_name("nodes"), spec=spec)


def service_account(cluster: RabbitmqCluster) -> Manifest:
    """ServiceAccount `<name>-server`."""
    return cluster.child("v1", "ServiceAccount", cluster.child_name("server"))


def peer_discovery_role(cluster: RabbitmqCluster) -> Manifest:
    """Role `<name>-peer-discovery`, for RabbitMQ before 4.1."""
    rules = [
        {"apiGroups": [""], "resources": ["endpoints"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]
    return cluster.child("rbac.authorization.k8s.io/v1", "Role", cluster.child_name("peer-discovery"), rules=rules)


def peer_discovery_binding(cluster: RabbitmqCluster) -> Manifest:
    """RoleBinding `<name>-server`."""
    return cluster.child(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        cluster.child_name("server"),
        roleRef={
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": cluster.child_name("peer-discovery"),
        },
        subjects=[{"kind": "ServiceAccount", "name": cluster.child_name("server"), "namespace": cluster.namespace}],
    )
