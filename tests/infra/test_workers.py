"""Worker Deployments and their autoscalers, as they are rendered for the repository's catalogue."""

import json
from typing import Any, cast

import pulumi
import pytest

from fleet.plan import PodExtras, QueuePlan, SecretKey, Toleration, Volume
from infra.workers import QueueWorkers, QueueWorkersArgs
from tests.infra.recording import Recorded, record
from tests.infra.samples import IMAGE, full_plan, queue_of, sample_plan


def workers(name: str, *, environment: str = "local", **changes: Any) -> Recorded:
    """The workers of one queue of the sample."""
    plan = sample_plan(environment)

    def program() -> None:
        fields = {"plan": plan, "queue": queue_of(plan, name), "image": IMAGE, "results_secret": "results-1"}
        QueueWorkers("workers", QueueWorkersArgs(**{**fields, **changes}))

    return record(program)


def pod_of(recorded: Recorded, name: str) -> dict[str, Any]:
    """The pod that a Deployment makes."""
    spec: dict[str, Any] = recorded.one("Deployment", name).inputs["spec"]["template"]["spec"]
    return spec


def with_extras(queue: str, extras: PodExtras) -> QueuePlan:
    """A queue of the sample with other pod extras."""
    found = queue_of(sample_plan(), queue)
    fields = {field: getattr(found, field) for field in found.__struct_fields__}
    return QueuePlan(**{**fields, "pod": extras})


@pytest.mark.parametrize(
    ("queue", "grace_seconds"),
    [
        pytest.param("high", 65, id="short-task-keeps-the-margin"),
        pytest.param("thumbnails", 90, id="half-a-minute"),
        pytest.param("reports", 660, id="ten-minute-task-is-never-cut"),
    ],
)
def test_worker_grace_outlasts_the_hard_limit(queue: str, grace_seconds: int) -> None:
    """A worker told to stop can finish the task it holds."""
    recorded = workers(queue)
    assert pod_of(recorded, f"worker-{queue}")["terminationGracePeriodSeconds"] == grace_seconds


def test_the_autoscaler_owns_the_number_of_pods() -> None:
    """A Deployment that states replicas would reset them with every deploy."""
    recorded = workers("default")
    for item in recorded.of("Deployment"):
        assert "replicas" not in item.inputs["spec"]


def test_every_shard_has_a_deployment_and_an_autoscaler_that_follows_it() -> None:
    """Shards share the load, so each scales by itself; KEDA refuses what is not there yet."""
    recorded = workers("default")
    assert {item.inputs["metadata"]["name"] for item in recorded.of("Deployment")} == {
        "worker-default-0",
        "worker-default-1",
    }
    for shard in ("default-0", "default-1"):
        scaled = recorded.one("ScaledObject", f"worker-{shard}")
        assert scaled.inputs["spec"]["scaleTargetRef"] == {"name": f"worker-{shard}"}
        assert recorded.one("Deployment", f"worker-{shard}").urn in scaled.depends_on
        assert {trigger["metadata"]["queueName"] for trigger in scaled.inputs["spec"]["triggers"]} == {shard}


def test_a_worker_can_do_nothing_to_its_node_or_its_cluster() -> None:
    """Restricted pod security, no token, nothing to write to but its own volumes."""
    recorded = workers("high")
    pod = pod_of(recorded, "worker-high")
    container = pod["containers"][0]
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "worker-high"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert recorded.one("ServiceAccount").inputs["automountServiceAccountToken"] is False
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"/etc/fleet", "/run/fleet", "/tmp"}  # noqa: S108 -- a volume of the pod's own


def test_credentials_come_from_secrets_alone() -> None:
    """No variable that names a password or a user has a value in clear."""
    container = pod_of(workers("high"), "worker-high")["containers"][0]
    by_name = {variable["name"]: variable for variable in container["env"]}
    for name, secret in {
        "FLEET_BROKER_USERNAME": "worker-user-credentials",
        "FLEET_BROKER_PASSWORD": "worker-user-credentials",
        "FLEET_RESULTS_PASSWORD": "results-1",
    }.items():
        assert by_name[name]["valueFrom"]["secretKeyRef"]["name"] == secret
        assert "value" not in by_name[name]


@pytest.mark.parametrize(
    ("queue", "cpu_limit"),
    [pytest.param("high", None, id="io-is-never-throttled"), pytest.param("thumbnails", "1", id="cpu-is")],
)
def test_only_cpu_queues_have_a_cpu_limit(queue: str, cpu_limit: str | None) -> None:
    """Memory is request and limit alike everywhere."""
    resources = pod_of(workers(queue), f"worker-{queue}")["containers"][0]["resources"]
    assert resources["limits"].get("cpu") == cpu_limit
    assert resources["limits"]["memory"] == resources["requests"]["memory"]


def test_probes_read_a_file_and_import_no_application() -> None:
    """Exec form, isolated interpreter; start-up has minutes, because a broker that starts must cost no restart."""
    container = pod_of(workers("high"), "worker-high")["containers"][0]
    program = ["python", "-I", "-S", "/srv/app/worker/health.py"]
    assert container["livenessProbe"]["exec"]["command"] == [*program, "live"]
    assert container["readinessProbe"]["exec"]["command"] == [*program, "ready"]
    startup = container["startupProbe"]
    assert startup["exec"]["command"] == [*program, "ready"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 300
    assert container["command"] == ["python", "-m", "app.worker"]


def test_the_document_is_the_queues_part_of_the_plan() -> None:
    """The pod mounts a ConfigMap with a generated name, so another document rolls it."""
    recorded = workers("high")
    document = recorded.one("ConfigMap")
    assert "name" not in document.inputs["metadata"]
    assert json.loads(document.inputs["data"]["document.json"])["queue"] == "high"
    volumes = {volume["name"]: volume for volume in pod_of(recorded, "worker-high")["volumes"]}
    assert volumes["document"]["configMap"] == {"name": "workers-document-0a1b2c3d"}


def test_extras_pass_through_as_written() -> None:
    """Environment, Secrets, volumes, node selector, tolerations and GPUs reach the pod beside what is derived."""
    extras = PodExtras(
        env={"REGION": "north"},
        secrets={"API_KEY": SecretKey(secret="payments", key="key")},
        volumes=(
            Volume(name="models", mount_path="/models", claim="models"),
            Volume(name="scratch", mount_path="/scratch", read_only=False, empty_dir_bytes=2**30),
        ),
        node_selector={"disk": "fast"},
        tolerations=(Toleration(key="gpu", operator="Exists"),),
        gpu=1,
    )
    pod = pod_of(workers("thumbnails", queue=with_extras("thumbnails", extras)), "worker-thumbnails")
    container = pod["containers"][0]
    assert {"name": "REGION", "value": "north"} in container["env"]
    assert {
        "name": "API_KEY",
        "valueFrom": {"secretKeyRef": {"name": "payments", "key": "key"}},
    } in container["env"]
    assert {"name": "extra-models", "persistentVolumeClaim": {"claimName": "models"}} in pod["volumes"]
    assert {"name": "extra-scratch", "emptyDir": {"sizeLimit": "1Gi"}} in pod["volumes"]
    assert {"name": "extra-models", "mountPath": "/models", "readOnly": True} in container["volumeMounts"]
    assert {"name": "extra-scratch", "mountPath": "/scratch"} in container["volumeMounts"]
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_the_shards_of_a_queue_have_one_identity() -> None:
    """What a task may do does not depend on the shard that its message went through."""
    recorded = workers("default")
    account = recorded.one("ServiceAccount")
    assert account.inputs["metadata"]["name"] == "worker-default"
    for item in recorded.of("Deployment"):
        assert item.inputs["spec"]["template"]["spec"]["serviceAccountName"] == "worker-default"
        assert account.urn in item.depends_on


def test_a_short_promise_scales_by_a_formula_over_two_counts() -> None:
    """The sample's `high` promises less than the reaction: busy slots and backlog, both read over HTTP with KEDA's own user."""
    spec = workers("high").one("ScaledObject").inputs["spec"]
    assert spec["advanced"]["scalingModifiers"] == {
        "formula": "(max(total - ready, 0)/0.9 + ready*0.08/10)/8",
        "target": "1",
        "metricType": "AverageValue",
    }
    assert spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"] == {
        "stabilizationWindowSeconds": 120
    }
    assert [trigger["name"] for trigger in spec["triggers"]] == ["total", "ready"]
    assert spec["triggers"][1]["metadata"]["excludeUnacknowledged"] == "true"
    for trigger in spec["triggers"]:
        assert trigger["authenticationRef"] == {"name": "autoscaler"}
        assert trigger["metricType"] == "AverageValue"
        assert trigger["metadata"]["host"] == "http://broker.celery-fleet.svc:15672"
        assert trigger["metadata"]["vhostName"] == "celery-fleet"
        assert not {"username", "password"} & trigger["metadata"].keys()


def test_a_long_promise_scales_by_one_count() -> None:
    """The sample's `reports`: ready and unacknowledged together, from zero, never below what runs while the broker is silent."""
    spec = workers("reports").one("ScaledObject").inputs["spec"]
    assert [trigger["metadata"]["value"] for trigger in spec["triggers"]] == ["5.5"]
    assert "scalingModifiers" not in spec["advanced"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 6)
    assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (5, 30)
    assert spec["fallback"] == {"failureThreshold": 3, "replicas": 1, "behavior": "currentReplicasIfHigher"}


def known_peaks(queue: str) -> dict[str, Any]:
    """The ScaledObject of a queue with a schedule."""
    plan = full_plan()

    def program() -> None:
        args = QueueWorkersArgs(plan=plan, queue=queue_of(plan, queue), image=IMAGE, results_secret="results-1")
        QueueWorkers("workers", args)

    spec: dict[str, Any] = record(program).one("ScaledObject").inputs["spec"]
    return spec


def test_known_peaks_are_terms_of_the_formula() -> None:
    """With a formula KEDA asks it alone; outside a window its trigger counts 0, so the queue can still go to zero."""
    spec = known_peaks("orders")
    formula = spec["advanced"]["scalingModifiers"]["formula"]
    assert formula == "max((max(total - ready, 0)/0.9 + ready*0.08/10)/8, window0, window1)"
    assert [trigger["name"] for trigger in spec["triggers"]] == ["total", "ready", "window0", "window1"]
    assert spec["triggers"][2] == {
        "type": "cron",
        "name": "window0",
        "metricType": "AverageValue",
        "metadata": {
            "timezone": "Europe/Berlin",
            "start": "0 8 * * 1-5",
            "end": "0 18 * * 1-5",
            "desiredReplicas": "5",
        },
    }
    assert spec["maxReplicaCount"] >= 5


def test_known_peaks_stand_beside_a_single_count() -> None:
    """The HPA takes the higher of the two metrics."""
    spec = known_peaks("reports")
    assert "scalingModifiers" not in spec["advanced"]
    assert [(trigger["type"], trigger["name"]) for trigger in spec["triggers"]] == [
        ("rabbitmq", "total"),
        ("cron", "window0"),
    ]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 8)


def test_scale_up_is_as_fast_as_the_formula_asks() -> None:
    """All pods up to the maximum in one sync, without a window."""
    spec = workers("reports").one("ScaledObject").inputs["spec"]
    up = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleUp"]
    assert up["stabilizationWindowSeconds"] == 0
    assert up["policies"] == [{"type": "Pods", "value": spec["maxReplicaCount"], "periodSeconds": 15}]


def test_an_image_that_is_not_built_yet_is_no_obstacle() -> None:
    """In a preview the digest is unknown, and everything is registered all the same."""
    plan = sample_plan()

    def program() -> None:
        image = cast(pulumi.Output[str], pulumi.Output.from_input(pulumi.UNKNOWN))
        args = QueueWorkersArgs(plan=plan, queue=queue_of(plan, "high"), image=image, results_secret="results-1")
        QueueWorkers("workers", args)

    recorded = record(program, preview=True)
    assert recorded.one("ScaledObject").inputs["spec"]["scaleTargetRef"] == {"name": "worker-high"}
