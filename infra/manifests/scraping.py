"""What a Prometheus reads of a fleet, once as the objects of its operator and once as plain scrape settings.

Invariant: the series of queues come from RabbitMQ's detailed endpoint alone, for the families that are used; `/metrics` never lists objects one by
one (RabbitMQ 4.3 docs, "Prometheus", section on the detailed endpoint). Whatever is read carries the fleet's name as `namespace`.
Sources: prometheus-operator API reference, `PodMonitor`; Prometheus docs, "Configuration", `kubernetes_sd_config`; rabbitmq/cluster-operator 2.21
(`prometheus` and `prometheus-tls` are the ports' names); KEDA 2.21, config/manager/manager.yaml.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from fleet.metrics import METRICS_PORT_NAME
from fleet.plan import Plan
from fleet.series import NAMESPACE_LABEL, QUEUE_FAMILIES
from infra.manifests.broker import BROKER_NAME
from infra.manifests.metadata import Manifest, metadata, selector
from infra.manifests.tls import BROKER_CERTIFICATE, CA_KEY, server_name
from infra.manifests.web import NAME as WEB_NAME

INTERVAL = "15s"
"""A promise of seconds is told within a minute; the broker's own statistics are five seconds old at best."""

KEDA_NAMESPACE = "keda"
KEDA_PODS = {"app": "keda-operator"}
"""By KEDA's release manifest and by its chart alike."""
KEDA_PORT = 8080

AUTHORITY_FOLDER = "/etc/prometheus/broker-authority"
"""Where a Prometheus with files has the authority of each fleet's broker, as `<fleet>.crt`; the operator's reads it from the Secret."""


@dataclass(frozen=True, kw_only=True)
class Scrape:
    """Some pods and what is read of each."""

    name: str
    namespace: str
    pods: Mapping[str, str]
    """Labels that they have."""
    port: str | int
    """Name of the container's port, or its number where its name is not the same everywhere."""
    path: str = "/metrics"
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    server_name: str | None = None
    """Name on the pods' certificate, which the authority of the fleet's broker signed; None where they speak in clear."""
    of_all_fleets: bool = False
    """Whether the pods tell of every fleet, each series with its namespace: then only this fleet's are kept."""


def scrapes(plan: Plan, *, broker_tls: bool = False) -> tuple[Scrape, ...]:
    """Everything that is read of a fleet."""
    fleet = plan.fleet
    port = "prometheus-tls" if broker_tls else "prometheus"
    verified = server_name(fleet) if broker_tls else None
    broker = {**selector(BROKER_NAME), "app.kubernetes.io/component": "rabbitmq"}
    families = {"family": QUEUE_FAMILIES, "vhost": (plan.topology.vhost,)}
    return (
        Scrape(
            name="workers",
            namespace=fleet,
            pods={"app.kubernetes.io/part-of": fleet, "app.kubernetes.io/component": "worker"},
            port=METRICS_PORT_NAME,
        ),
        Scrape(name="web", namespace=fleet, pods=selector(WEB_NAME), port="http"),
        Scrape(name="broker", namespace=fleet, pods=broker, port=port, server_name=verified),
        Scrape(
            name="broker-queues",
            namespace=fleet,
            pods=broker,
            port=port,
            path="/metrics/detailed",
            params=families,
            server_name=verified,
        ),
        Scrape(name="keda", namespace=KEDA_NAMESPACE, pods=KEDA_PODS, port=KEDA_PORT, of_all_fleets=True),
    )


def pod_monitor(fleet: str, scrape: Scrape, labels: Mapping[str, str]) -> Manifest:
    """A `PodMonitor`; `labels` are those by which the operator's Prometheus chooses its monitors."""
    endpoint: Manifest = {
        **({"portNumber": scrape.port} if isinstance(scrape.port, int) else {"port": scrape.port}),
        "path": scrape.path,
        "interval": INTERVAL,
    }
    if scrape.server_name is not None:
        authority = {"secret": {"name": BROKER_CERTIFICATE, "key": CA_KEY}}
        endpoint |= {"scheme": "https", "tlsConfig": {"ca": authority, "serverName": scrape.server_name}}
    if scrape.params:
        endpoint["params"] = {name: list(values) for name, values in scrape.params.items()}
    if scrape.of_all_fleets:
        endpoint["honorLabels"] = True
        endpoint["metricRelabelings"] = [
            {"action": "keep", "sourceLabels": [NAMESPACE_LABEL], "regex": fleet},
        ]
    described = metadata(fleet, scrape.name, "monitoring")
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {**described, "labels": {**described["labels"], **labels}},
        "spec": {
            "namespaceSelector": {"matchNames": [scrape.namespace]},
            "selector": {"matchLabels": dict(scrape.pods)},
            "podMetricsEndpoints": [endpoint],
        },
    }


def scrape_config(fleet: str, scrape: Scrape) -> dict[str, Any]:
    """An entry of `scrape_configs` that does what the `PodMonitor` does."""
    by_number = isinstance(scrape.port, int)
    port = f"__meta_kubernetes_pod_container_port_{'number' if by_number else 'name'}"
    found: dict[str, Any] = {
        "job_name": f"{fleet}/{scrape.name}",
        "scrape_interval": INTERVAL,
        "metrics_path": scrape.path,
        "kubernetes_sd_configs": [
            {
                "role": "pod",
                "namespaces": {"names": [scrape.namespace]},
                "selectors": [
                    {"role": "pod", "label": ",".join(f"{key}={value}" for key, value in scrape.pods.items())}
                ],
            }
        ],
        "relabel_configs": [
            {"action": "keep", "source_labels": [port], "regex": str(scrape.port)},
            # What has ended keeps its address until it is deleted.
            {"action": "drop", "source_labels": ["__meta_kubernetes_pod_phase"], "regex": "(Failed|Succeeded)"},
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": NAMESPACE_LABEL},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        ],
    }
    if scrape.server_name is not None:
        tls = {"ca_file": f"{AUTHORITY_FOLDER}/{fleet}.crt", "server_name": scrape.server_name}
        found |= {"scheme": "https", "tls_config": tls}
    if scrape.params:
        found["params"] = {name: list(values) for name, values in scrape.params.items()}
    if scrape.of_all_fleets:
        found["honor_labels"] = True
        found["metric_relabel_configs"] = [
            {"action": "keep", "source_labels": [NAMESPACE_LABEL], "regex": fleet},
        ]
    return found


def scrape_file(plan: Plan, *, broker_tls: bool = False) -> str:
    """A file for `scrape_config_files` (Prometheus 2.43 and later)."""
    configs = [scrape_config(plan.fleet, scrape) for scrape in scrapes(plan, broker_tls=broker_tls)]
    return yaml.safe_dump({"scrape_configs": configs}, sort_keys=False)
