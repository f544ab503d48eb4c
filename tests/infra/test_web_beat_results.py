"""The web layer, beat and the results store."""

from collections.abc import Callable

import pulumi
import pytest

from fleet.documents import producer_document, web_document
from infra.beat import Beat, BeatArgs
from infra.manifests.pods import ResultsAddress
from infra.manifests.web import WebLimits
from infra.results import Results, ResultsArgs, ResultsPassword
from infra.web import Web, WebArgs
from infra.workers import QueueWorkers, QueueWorkersArgs
from tests.infra.recording import Recorded, record
from tests.infra.samples import IMAGE, PASSWORD, queue_of, sample_plan


def web(environment: str = "prod") -> Recorded:
    """The web layer of the sample."""
    plan = sample_plan(environment=environment)
    args = WebArgs(document=web_document(plan), image=IMAGE, results_secret="results-1", plan=plan.web)
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


def environment_of(recorded: Recorded) -> dict[str, object]:
    """Variable of the web layer's container -> its value, or where that comes from."""
    container = recorded.one("Deployment", "web").inputs["spec"]["template"]["spec"]["containers"][0]
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def test_what_a_stack_does_not_say_about_limits_stands_in_no_pod() -> None:
    """So that another default of the application's rolls the pods once, with its image."""
    recorded = web()
    assert not [name for name in environment_of(recorded) if name.startswith("FLEET_WEB_")]
    assert recorded.of("Secret") == []


def test_limits_and_tokens_reach_the_web_layer_alone() -> None:
    """The tokens by a Secret of a generated name, so that other tokens roll the pods; in clear they stand nowhere."""
    plan, tokens = sample_plan(environment="prod"), f"shop:{PASSWORD}"
    limits = WebLimits(max_body_bytes=262144, rate_per_second=0.5, burst=20)

    def build() -> Web:
        args = WebArgs(
            document=web_document(plan), image=IMAGE, results_secret="results-1", plan=plan.web,
            limits=limits, tokens=pulumi.Output.secret(tokens),
        )  # fmt: skip
        return Web("web", args)

    recorded = record(build)
    secret, variables = recorded.one("Secret"), environment_of(recorded)
    assert secret.inputs["stringData"] == {"tokens": tokens}
    assert secret.secret_paths == {"stringData.tokens"}
    assert "name" not in secret.inputs["metadata"]
    assert variables["FLEET_WEB_MAX_BODY_BYTES"] == "262144"
    assert variables["FLEET_WEB_RATE_PER_SECOND"] == "0.5"
    assert variables["FLEET_WEB_BURST"] == "20"
    assert variables["FLEET_WEB_TOKENS"] == {"secretKeyRef": {"name": "web-tokens-0a1b2c3d", "key": "tokens"}}


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


def test_the_results_store_forgets_a_second_at_most() -> None:
    """What a restart loses: its log is on a volume of its own that goes with the store, and is written to the disk every second."""
    recorded = results()
    configuration = recorded.one("Secret").inputs["stringData"]["valkey.conf"]
    assert "dir /data\n" in configuration
    assert "appendonly yes\nappendfsync everysec\n" in configuration
    store = recorded.one("StatefulSet", "results").inputs["spec"]
    mounts = store["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": "data", "mountPath": "/data"} in mounts
    assert [claim["metadata"]["name"] for claim in store["volumeClaimTemplates"]] == ["data"]
    assert store["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"


def test_another_password_is_another_secret() -> None:
    """Its name is generated, and the store mounts it by that name, so the store is rolled with it."""
    recorded = results()
    assert "name" not in recorded.one("Secret").inputs["metadata"]
    volumes = recorded.one("StatefulSet", "results").inputs["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["secret"]["secretName"] == "results-secret-0a1b2c3d"


MANAGED = ResultsAddress(host="master.results.use1.cache.amazonaws.com", tls=True)
MANAGED_BUILDS: dict[str, Callable[[], object]] = {
    "web": lambda: Web(
        "web",
        WebArgs(
            document=web_document(sample_plan()), image=IMAGE, results_secret="results-1", results=MANAGED,
            plan=sample_plan().web,
        ),
    ),
    "beat": lambda: Beat(
        "beat",
        BeatArgs(document=producer_document(sample_plan()), image=IMAGE, results_secret="results-1", results=MANAGED),
    ),
    "worker": lambda: QueueWorkers(
        "workers",
        QueueWorkersArgs(
            plan=sample_plan(), queue=queue_of(sample_plan(), "high"), image=IMAGE, results_secret="results-1", results=MANAGED
        ),
    ),
}  # fmt: skip


def _results_variables(recorded: Recorded) -> dict[str, str]:
    container = recorded.one("Deployment").inputs["spec"]["template"]["spec"]["containers"][0]
    return {
        item["name"]: item["value"]
        for item in container["env"]
        if item["name"].startswith("FLEET_RESULTS") and "value" in item
    }


@pytest.mark.parametrize("build", [pytest.param(build, id=name) for name, build in MANAGED_BUILDS.items()])
def test_pods_are_sent_to_a_store_outside_the_cluster_over_tls(build: Callable[[], object]) -> None:
    """Each of them: one that was forgotten would look for a store that is not there."""
    assert _results_variables(record(build)) == {
        "FLEET_RESULTS_HOST": "master.results.use1.cache.amazonaws.com",
        "FLEET_RESULTS_PORT": "6379",
        "FLEET_RESULTS_TLS": "true",
    }


def test_pods_find_the_store_of_their_namespace_without_being_told() -> None:
    """It speaks no TLS: nobody else is on the way."""
    assert _results_variables(web()) == {
        "FLEET_RESULTS_HOST": "results", "FLEET_RESULTS_PORT": "6379", "FLEET_RESULTS_TLS": "false",
    }  # fmt: skip


def test_the_password_of_a_store_outside_is_in_the_cluster_and_nothing_else() -> None:
    """Pods name its Secret; another password is another Secret."""
    recorded = record(
        lambda: ResultsPassword("results", ResultsArgs(fleet="celery-fleet", password=pulumi.Output.secret(PASSWORD)))
    )
    (secret,) = [item for item in recorded.resources if item.custom]
    assert secret.inputs["stringData"] == {"password": PASSWORD}
    assert secret.secret_paths == {"stringData.password"}
    assert "name" not in secret.inputs["metadata"]
    assert recorded.outputs[secret.parent] == [{"secret_name": "results-secret-0a1b2c3d"}]
