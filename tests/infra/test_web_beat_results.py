"""The web layer, beat and the results store."""

import pulumi

from fleet.documents import producer_document
from infra.beat import Beat, BeatArgs
from infra.results import Results, ResultsArgs
from infra.web import Web, WebArgs
from tests.infra.recording import Recorded, record
from tests.infra.samples import IMAGE, PASSWORD, sample_plan


def web(environment: str = "prod") -> Recorded:
    """The web layer of the sample."""
    plan = sample_plan(environment=environment)
    args = WebArgs(document=producer_document(plan), image=IMAGE, results_secret="results-1", plan=plan.web)
    return record(lambda: Web("web", args))


def beat() -> Recorded:
    """Beat of the sample."""
    args = BeatArgs(document=producer_document(sample_plan()), image=IMAGE, results_secret="results-1")
    return record(lambda: Beat("beat", args))


def results() -> Recorded:
    """The results store."""
    return record(
        lambda: Results("results", ResultsArgs(fleet="celery-fleet", password=pulumi.Output.secret(PASSWORD)))
    )


def test_the_web_layer_scales_on_cpu_and_never_goes_away_whole() -> None:
    """The autoscaler owns the number; a roll-out and a drain each leave a pod that accepts tasks."""
    recorded = web("prod")
    deployment = recorded.one("Deployment", "web").inputs["spec"]
    scaler = recorded.one("HorizontalPodAutoscaler", "web").inputs["spec"]
    assert "replicas" not in deployment
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    assert scaler["metrics"][0]["resource"]["name"] == "cpu"
    assert recorded.one("PodDisruptionBudget", "web").inputs["spec"]["maxUnavailable"] == 1


def test_the_web_service_leads_to_the_web_pods() -> None:
    """Port 80 of the Service is port 8000 of the pods it selects."""
    recorded = web()
    service = recorded.one("Service", "web").inputs["spec"]
    template = recorded.one("Deployment", "web").inputs["spec"]["template"]
    assert service["ports"] == [{"name": "http", "port": 80, "targetPort": 8000}]
    assert service["type"] == "ClusterIP"
    assert service["selector"].items() <= template["metadata"]["labels"].items()
    assert template["spec"]["containers"][0]["ports"][0]["containerPort"] == 8000


def test_the_web_layer_asks_for_the_cpu_it_is_scaled_by() -> None:
    """Utilization is a share of the request; without one the autoscaler is blind."""
    container = web().one("Deployment").inputs["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["requests"]["cpu"] == "200m"
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 8000}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 8000}


def test_there_is_never_a_second_beat() -> None:
    """One replica, and the old pod is gone before the new one comes."""
    spec = beat().one("Deployment", "beat").inputs["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    container = spec["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["exec"]["command"][-1] == "beat"


def test_the_results_store_is_bounded_and_closed() -> None:
    """A password, a bound on memory, no snapshot to a read-only disk."""
    recorded = results()
    secret = recorded.one("Secret")
    configuration = secret.inputs["stringData"]["valkey.conf"]
    assert f'requirepass "{PASSWORD}"\n' in configuration
    assert "maxmemory 128mb\nmaxmemory-policy volatile-ttl\n" in configuration
    assert secret.secret_paths == {"stringData.password", "stringData.valkey.conf"}
    assert secret.secret_outputs == {"data", "stringData"}


def test_another_password_is_another_secret() -> None:
    """Its name is generated, and the store mounts it by that name, so the store is rolled with it."""
    recorded = results()
    assert "name" not in recorded.one("Secret").inputs["metadata"]
    volumes = recorded.one("StatefulSet", "results").inputs["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["secret"]["secretName"] == "results-secret-0a1b2c3d"
