"""What a fleet gives to its monitoring: the same is read and told by either kind of Prometheus."""

import json
import re
from typing import Any

import pytest
import yaml

from fleet.alerts.rules import rule_groups
from infra.manifests.scraping import scrapes
from infra.observability import Monitoring, Observability, ObservabilityArgs
from tests.infra.definitions import DEFINITIONS, schema_errors
from tests.infra.recording import Recorded, Registration, record
from tests.infra.samples import COMPONENTS, full_plan, sample_plan

FAMILIES = ["queue_coarse_metrics", "queue_consumer_count", "queue_delivery_metrics"]
LABELS = {"release": "kube-prometheus-stack"}


def observed(mode: Monitoring, **changes: Any) -> Recorded:
    """What is registered for the shipped catalogue."""
    plan = sample_plan("prod")
    return record(lambda: Observability("observability", ObservabilityArgs(plan=plan, mode=mode, **changes)))


@pytest.fixture(scope="module")
def operator() -> Recorded:
    """For the Prometheus operator."""
    return observed(Monitoring.OPERATOR, labels=LABELS, runbook="https://runbooks.example/alerts")


@pytest.fixture(scope="module")
def plain() -> Recorded:
    """For any other."""
    return observed(Monitoring.PLAIN, runbook="https://runbooks.example/alerts")


def monitors(recorded: Recorded) -> dict[str, Any]:
    """Name -> spec."""
    return {item.inputs["metadata"]["name"]: item.inputs["spec"] for item in recorded.of("PodMonitor")}


def kept(recorded: Recorded, kind: str) -> list[Registration]:
    """ConfigMaps that hold `rules` or `scrape`."""
    found = recorded.of("ConfigMap")
    return [item for item in found if item.inputs["metadata"]["labels"].get("celery-fleet/monitoring") == kind]


def scrape_configs(recorded: Recorded) -> dict[str, Any]:
    """Job -> its settings."""
    [holder] = kept(recorded, "scrape")
    return {item["job_name"]: item for item in yaml.safe_load(holder.inputs["data"]["scrape.yaml"])["scrape_configs"]}


def test_queues_are_read_one_by_one_from_the_detailed_endpoint_alone(operator: Recorded, plain: Recorded) -> None:
    """Sixty times cheaper than listing every object, and for this fleet's vhost."""
    detailed = {"family": FAMILIES, "vhost": ["celery-fleet"]}
    paths = {
        name: (spec["podMetricsEndpoints"][0]["path"], spec["podMetricsEndpoints"][0].get("params"))
        for name, spec in monitors(operator).items()
    }
    assert paths == {
        "workers": ("/metrics", None), "web": ("/metrics", None), "keda": ("/metrics", None),
        "broker": ("/metrics", None), "broker-queues": ("/metrics/detailed", detailed),
    }  # fmt: skip
    read = {job: (item["metrics_path"], item.get("params")) for job, item in scrape_configs(plain).items()}
    assert read == {f"celery-fleet/{name}": said for name, said in paths.items()}


def test_monitors_and_rules_carry_what_the_operators_prometheus_chooses_by(operator: Recorded) -> None:
    """Without the labels of its selectors it reads none of them."""
    made = [*operator.of("PodMonitor"), *operator.of("PrometheusRule")]
    assert len(made) == 10
    for item in made:
        labels = item.inputs["metadata"]["labels"]
        assert labels["release"] == "kube-prometheus-stack"
        assert labels["app.kubernetes.io/part-of"] == "celery-fleet"


def test_every_scraped_port_is_one_that_the_pods_have() -> None:
    """By its name: a port that is called otherwise is no target, and nobody is told."""
    plan = sample_plan("prod")
    template = record(lambda: COMPONENTS["Web"]("web", plan)).one("Deployment").inputs["spec"]["template"]["spec"]
    wanted = {scrape.name: scrape.port for scrape in scrapes(plan)}
    assert wanted["web"] in {port["name"] for port in template["containers"][0]["ports"]}
    assert wanted["workers"] == "metrics"


@pytest.mark.parametrize(
    ("tls", "port"),
    [pytest.param(False, "prometheus", id="in-clear"), pytest.param(True, "prometheus-tls", id="over-tls")],
)
def test_a_broker_is_read_as_it_speaks(tls: bool, port: str) -> None:
    """By the one of its ports that is open, verified by the fleet's authority and for the name on the certificate."""
    expected = {
        "ca": {"secret": {"name": "broker-tls", "key": "ca.crt"}}, "serverName": "broker.celery-fleet.svc",
    }  # fmt: skip
    endpoints = monitors(observed(Monitoring.OPERATOR, broker_tls=tls))
    for name in ("broker", "broker-queues"):
        endpoint = endpoints[name]["podMetricsEndpoints"][0]
        assert endpoint["port"] == port
        assert (endpoint.get("scheme"), endpoint.get("tlsConfig")) == (("https", expected) if tls else (None, None))
        config = scrape_configs(observed(Monitoring.PLAIN, broker_tls=tls))[f"celery-fleet/{name}"]
        assert config["relabel_configs"][0]["regex"] == port
        assert config.get("tls_config") == (
            {"ca_file": "/etc/prometheus/broker-authority/celery-fleet.crt", "server_name": "broker.celery-fleet.svc"}
            if tls
            else None
        )
    assert "scheme" not in endpoints["workers"]["podMetricsEndpoints"][0]


def test_of_kedas_metrics_only_this_fleets_are_kept(operator: Recorded, plain: Recorded) -> None:
    """KEDA tells of every fleet of the cluster, and each would read them all."""
    endpoint = monitors(operator)["keda"]["podMetricsEndpoints"][0]
    assert (endpoint["honorLabels"], endpoint["portNumber"]) == (True, 8080)
    assert endpoint["metricRelabelings"] == [{"action": "keep", "sourceLabels": ["namespace"], "regex": "celery-fleet"}]
    config = scrape_configs(plain)["celery-fleet/keda"]
    assert config["honor_labels"] is True
    assert config["metric_relabel_configs"] == [
        {"action": "keep", "source_labels": ["namespace"], "regex": "celery-fleet"}
    ]
    assert config["kubernetes_sd_configs"][0]["namespaces"] == {"names": ["keda"]}


def test_what_is_scraped_carries_the_fleets_namespace(plain: Recorded) -> None:
    """Rules and dashboards choose by it; the operator adds it by itself."""
    for job, config in scrape_configs(plain).items():
        targets = {item["target_label"] for item in config["relabel_configs"] if "target_label" in item}
        assert targets == {"namespace", "pod"}, job


def test_both_kinds_of_prometheus_are_told_the_same(operator: Recorded, plain: Recorded) -> None:
    """A group for each queue and one for what they share, each in an object of its own."""
    groups = [group for item in operator.of("PrometheusRule") for group in item.inputs["spec"]["groups"]]
    files = [text for item in kept(plain, "rules") for text in item.inputs["data"].values()]
    assert [group for text in files for group in yaml.safe_load(text)["groups"]] == groups
    assert groups == list(rule_groups(sample_plan("prod"), runbook="https://runbooks.example/alerts").values())
    queues = [item.inputs["metadata"]["labels"].get("celery-fleet/queue") for item in operator.of("PrometheusRule")]
    assert queues == [None, "high", "default", "thumbnails", "reports"]


def test_grafana_finds_the_dashboards(operator: Recorded, plain: Recorded) -> None:
    """By the label of its sidecar, whoever reads the metrics; each file is a dashboard."""
    for recorded in (operator, plain):
        found = [item for item in recorded.of("ConfigMap") if "grafana_dashboard" in item.inputs["metadata"]["labels"]]
        files = {name: json.loads(text) for item in found for name, text in item.inputs["data"].items()}
        assert {name: document["title"] for name, document in files.items()} == {
            "celery-fleet-overview.json": "celery-fleet: the fleet",
            "celery-fleet-queue.json": "celery-fleet: one queue",
            "celery-fleet-broker.json": "celery-fleet: the broker",
        }
        assert {item.inputs["metadata"]["labels"]["grafana_dashboard"] for item in found} == {"1"}


def test_no_config_map_has_a_fixed_name(plain: Recorded) -> None:
    """Its data changes, and the plugin would take it away before it makes the next."""
    assert [item.name for item in plain.of("ConfigMap") if "name" in item.inputs["metadata"]] == []


@pytest.mark.skipif(not DEFINITIONS.is_dir(), reason=f"needs upstream's CustomResourceDefinitions in {DEFINITIONS}")
@pytest.mark.parametrize("environment", ["local", "prod"])
def test_the_operator_takes_its_objects(environment: str) -> None:
    """No field is misspelt, missing or of the wrong type, also where every field of the catalogue is used."""

    def program() -> None:
        for index, plan in enumerate((sample_plan(environment), full_plan(environment))):
            args = ObservabilityArgs(plan=plan, mode=Monitoring.OPERATOR, labels=LABELS)
            Observability(f"observability-{index}", args)

    found = record(program)
    made = [*found.of("PodMonitor"), *found.of("PrometheusRule")]
    assert {item.name: errors for item in made if (errors := schema_errors(item.inputs))} == {}


def test_durations_are_those_of_prometheus(operator: Recorded) -> None:
    """Which knows no fractions: `1.5m` would be refused."""
    durations = [
        rule["for"]
        for item in operator.of("PrometheusRule")
        for rule in item.inputs["spec"]["groups"][0]["rules"]
        if "for" in rule
    ]
    assert durations
    assert [text for text in durations if not re.fullmatch(r"(\d+h)?(\d+m)?(\d+s)?", text)] == []
