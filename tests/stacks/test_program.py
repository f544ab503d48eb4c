"""The whole graph of a stack: what is there, in which order, and what a change touches."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.errors import CatalogueError, FleetError
from stacks.build import build_stack
from tests.infra.recording import Recorded, Registration, record
from tests.stacks.programs import PASSWORD, ROOT, SERVED, VARIABLES, Stage, loaded, run_stack

of_its_own = pytest.mark.scan
"""A graph that one test alone looks at; the one of the repository's catalogue, which most look at, is for the fast checks."""


@pytest.fixture(scope="module")
def local() -> Recorded:
    """The graph of the repository's catalogue in the local stack."""
    return run_stack()


def objects(recorded: Recorded) -> list[Registration]:
    """Everything that goes into the cluster."""
    return [item for item in recorded.resources if item.typ.startswith("kubernetes:")]


def test_the_local_stack_is_whole(local: Recorded) -> None:
    """Four queues, one of them with two shards: five worker Deployments, and one of everything else."""
    kinds = Counter(item.kind for item in objects(local))
    assert kinds == {
        "Namespace": 1, "NetworkPolicy": 5, "Secret": 1, "StatefulSet": 1, "Service": 2,
        "RabbitmqCluster": 1, "Vhost": 1, "User": 5, "Permission": 5, "TriggerAuthentication": 1,
        "Exchange": 3, "Queue": 10, "Binding": 7, "Policy": 9, "Job": 1,
        "Deployment": 7, "ScaledObject": 5, "HorizontalPodAutoscaler": 1, "PodDisruptionBudget": 6,
        "ServiceAccount": 7, "ConfigMap": 8,
    }  # fmt: skip


def test_only_components_stand_at_the_top(local: Recorded) -> None:
    """Beside the provider, every resource belongs to a component."""
    known = local.by_urn()
    top = {item.typ for item in local.resources if item.parent not in known}
    assert all(typ.startswith(("celery-fleet:", "pulumi:providers:")) for typ in top)


def test_every_object_goes_to_the_named_cluster(local: Recorded) -> None:
    """An object without the stack's provider would go wherever kubectl points at the moment."""
    assert all("::cluster::" in item.provider for item in objects(local))
    provider = next(item for item in local.resources if item.typ == "pulumi:providers:kubernetes")
    assert provider.inputs["clusterIdentifier"] == "the-cluster"
    assert provider.inputs["kubeconfig"] == ""


def test_the_fleet_is_built_in_order(local: Recorded) -> None:
    """Broker, vhost, queues with their bindings, the delayed tree, and only then whoever publishes or consumes."""
    tree = local.one("Job")
    before_tree = local.waits_for(tree)
    for item in [*local.of("RabbitmqCluster"), *local.of("Vhost"), *local.of("Queue"), *local.of("Binding")]:
        assert item.urn in before_tree, item.name
    for name in ("worker-high", "worker-default-0", "worker-default-1", "worker-reports", "web", "beat"):
        waits = local.waits_for(local.one("Deployment", name))
        assert tree.urn in waits, name
        assert local.one("StatefulSet", "results").urn in waits, name
        assert local.one("Namespace").urn in waits, name


def test_users_are_there_before_the_pods_that_log_in(local: Recorded) -> None:
    """The Secret of a user exists once the user is ready."""
    waits = local.waits_for(local.one("Deployment", "worker-high"))
    for item in [*local.of("User"), *local.of("Permission")]:
        assert item.urn in waits, item.name


def test_nothing_waits_in_a_circle(local: Recorded) -> None:
    """No resource is there before itself."""
    assert [item.name for item in local.resources if item.urn in local.waits_for(item)] == []


def test_the_password_is_a_secret_everywhere(local: Recorded) -> None:
    """Outside the Secret it stands nowhere."""
    assert [item.name for item in local.resources if PASSWORD in str(item.inputs)] == ["results-secret"]


def test_the_stack_says_where_the_fleet_is(local: Recorded) -> None:
    """Name, namespace, queues, the web layer's Service, and the images, which another stack is to run."""
    digest = f"sha256:{'0' * 64}"
    assert local.exports == {
        "images": {
            "web": f"localhost/celery-fleet/web:local@{digest}",
            "worker": f"localhost/celery-fleet/worker:local@{digest}",
        },
        "fleet": "celery-fleet",
        "namespace": "celery-fleet",
        "queues": ["high", "default", "thumbnails", "reports"],
        "web_service": "web",
    }


@of_its_own
@pytest.mark.parametrize("stack", [pytest.param(name, id=name) for name in ("dev", "staging", "prod")])
def test_the_same_catalogue_fits_every_environment(stack: str) -> None:
    """What differs is the environment's business, never a second catalogue."""
    recorded = run_stack(stack=stack)
    assert len(recorded.of("ScaledObject")) == 5


@of_its_own
@pytest.mark.parametrize(
    ("stack", "protected"), [pytest.param("local", False, id="local"), pytest.param("prod", True, id="prod")]
)
def test_a_broker_that_people_rely_on_is_protected(stack: str, protected: bool) -> None:
    """With the namespace that holds it; queues of such an environment keep their messages too."""
    recorded = run_stack(stack=stack)
    for item in (recorded.one("RabbitmqCluster"), recorded.one("Namespace")):
        assert item.protect is protected
    assert not any(item.protect for item in [*recorded.of("NetworkPolicy"), *recorded.of("PodDisruptionBudget")])
    kept = {item.inputs["spec"]["deletionPolicy"] for item in recorded.of("Queue")}
    assert kept == {"retain" if protected else "delete"}


@of_its_own
@pytest.mark.parametrize(
    ("scheduled", "names"), [pytest.param(True, ["beat"], id="schedule"), pytest.param(False, [], id="no-schedule")]
)
def test_beat_runs_where_there_is_something_to_schedule(scheduled: bool, names: list[str]) -> None:
    """An application without periodic tasks has no pod for them."""
    recorded = run_stack(stage=Stage(scheduled=scheduled))
    assert [item.inputs["metadata"]["name"] for item in recorded.of("Deployment") if "beat" in item.name] == names


SPOT = {"celery-fleet:environment": '{"spot": true}'}


def _spot_tasks_of_minutes(queues: dict[str, Any]) -> None:
    queues["thumbnails"]["runtime"] = {"mean": "60s", "p99": "4m", "limit": "10m"}


@of_its_own
def test_a_scale_in_controller_stands_where_a_scale_in_may_interrupt_tasks_and_nowhere_else(tmp_path: Path) -> None:
    """On spot, with tasks of minutes: six resources more, and workers that let it ask. The same queue elsewhere has none."""
    folder = _catalogue(tmp_path, _spot_tasks_of_minutes)
    with_it, without = run_stack(SPOT, root=folder), run_stack(root=folder)

    def by_name(recorded: Recorded) -> dict[str, dict[str, Any]]:
        # Of the queue itself other things differ: its grace, its limits.
        return {item.name: item.inputs for item in recorded.resources if "thumbnails" not in item.name}

    one, other = by_name(with_it), by_name(without)
    assert other.keys() < one.keys()
    assert one.keys() - other.keys() == {
        "scale-in", "scale-in-document", "scale-in-service-account", "scale-in-role", "scale-in-role-binding", "scale-in-deployment",
    }  # fmt: skip
    assert {name for name in other if one[name] != other[name]} == {"fleet-worker"}
    waits = with_it.waits_for(with_it.one("Deployment", "scale-in"))
    assert with_it.one("Deployment", "worker-thumbnails").urn in waits
    assert not run_stack(SPOT).of("ScaleIn")


@of_its_own
def test_two_fleets_share_a_cluster() -> None:
    """All that a fleet makes is in its own namespace, so no name is taken twice."""

    def places(recorded: Recorded) -> set[tuple[str, str, str]]:
        return {
            (item.kind, item.inputs["metadata"].get("namespace", ""), item.inputs["metadata"].get("name", item.name))
            for item in objects(recorded)
            if "metadata" in item.inputs and "name" in item.inputs["metadata"]
        }

    assert not places(run_stack()) & places(run_stack({"celery-fleet:name": "other"}))


def _catalogue(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    document = yaml.safe_load((ROOT / "queues.yaml").read_text())
    change(document["queues"])
    (folder / "queues.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return folder


def _more_memory(queues: dict[str, Any]) -> None:
    queues["high"]["memory"] = "100Mi"


def _longer_limit(queues: dict[str, Any]) -> None:
    queues["reports"]["runtime"]["limit"] = "11m"


def _longer_promise(queues: dict[str, Any]) -> None:
    queues["default"]["wait"] = {"promise": "60s"}


@of_its_own
@pytest.mark.parametrize(
    ("change", "queue", "touched"),
    [
        pytest.param(_more_memory, "high", {"workers-high-deployment"}, id="memory"),
        pytest.param(
            _longer_limit,
            "reports",
            {"workers-reports-deployment", "workers-reports-document"},
            id="limit",
        ),
        pytest.param(
            _longer_promise,
            "default",
            # The page of the web layer shows promises.
            {"workers-default-0-scaled-object", "workers-default-1-scaled-object", "web-document"},
            id="promise",
        ),
    ],
)
def test_one_number_of_one_queue_touches_that_queue_alone(
    tmp_path: Path, local: Recorded, change: Callable[[dict[str, Any]], None], queue: str, touched: set[str]
) -> None:
    """Pods of the other queues go on as if nothing had happened."""
    before = {item.name: item.inputs for item in local.resources if item.typ.startswith("kubernetes:")}
    recorded = run_stack(root=_catalogue(tmp_path, change))
    after = {item.name: item.inputs for item in recorded.resources if item.typ.startswith("kubernetes:")}
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert touched <= changed
    assert {name for name in changed - touched if queue not in name} == set()


def test_a_broken_catalogue_registers_nothing(tmp_path: Path) -> None:
    """Neither the cluster nor the application is asked, and every finding is told with its line."""

    def spoil(queues: dict[str, Any]) -> None:
        queues["high"]["runtime"]["mean"] = "10s"
        queues["reports"]["nonsense"] = 1

    stage, recorded = Stage(), Recorded()
    folder = _catalogue(tmp_path, spoil)
    with pytest.raises(CatalogueError) as raised:
        record(lambda: build_stack(loaded(root=folder, stage=stage)), into=recorded)
    assert recorded.resources == []
    assert stage.asked == 0
    paths = {finding.path for finding in raised.value.findings}
    assert "queues.reports.nonsense" in paths
    assert any(path.startswith("queues.high") for path in paths)
    assert all(finding.line > 0 for finding in raised.value.findings)


def test_settings_and_catalogue_are_told_together(tmp_path: Path) -> None:
    """One run, everything that is wrong."""
    folder = _catalogue(tmp_path, lambda queues: queues["reports"].update(nonsense=1))
    with pytest.raises(CatalogueError) as raised:
        loaded({"celery-fleet:nmae": "x"}, root=folder)
    assert {finding.path for finding in raised.value.findings} == {"celery-fleet:nmae", "queues.reports.nonsense"}


def test_a_cluster_without_keda_registers_nothing() -> None:
    """The finding names the key that would have it installed."""
    served = {group: kinds for group, kinds in SERVED.items() if group != "keda.sh/v1alpha1"}
    with pytest.raises(CatalogueError) as raised:
        loaded(stage=Stage(served=served))
    assert [finding.path for finding in raised.value.findings] == ["celery-fleet:platform.keda"]


def test_an_operator_that_is_not_there_registers_nothing() -> None:
    """Its kinds are looked for before anything is made."""
    config = {"celery-fleet:monitoring": '{"mode": "operator"}'}
    with pytest.raises(CatalogueError) as raised:
        loaded(config)
    [finding] = raised.value.findings
    assert finding.path == "celery-fleet:monitoring.mode"
    assert "PodMonitor, PrometheusRule" in finding.problem


@of_its_own
def test_an_operator_that_is_there_is_told_what_to_watch() -> None:
    """Once its kinds are found; without a word nobody looks, and nothing is made for it."""
    config = {"celery-fleet:monitoring": '{"mode": "operator"}'}
    served = {**SERVED, "monitoring.coreos.com/v1": frozenset({"PodMonitor", "PrometheusRule", "ServiceMonitor"})}
    recorded = run_stack(config, stage=Stage(served=served))
    assert len(recorded.of("PrometheusRule")) == 5
    assert not run_stack().of("Observability")


@of_its_own
def test_whoever_brings_a_prometheus_says_how_it_reads() -> None:
    """As the sandbox does, without a change of the committed file."""
    known = loaded(variables={**VARIABLES, "FLEET_MONITORING": "plain"})
    recorded = record(lambda: build_stack(known))
    assert recorded.one("Observability").urn
    assert not recorded.of("PrometheusRule")


@of_its_own
def test_what_is_missing_can_be_installed() -> None:
    """The broker waits for the operator that this stack brings."""
    recorded = run_stack({"celery-fleet:platform": '{"keda": "install", "rabbitmqClusterOperator": "install"}'})
    assert [item.inputs["chart"] for item in recorded.of("Release")] == ["keda"]
    operator = recorded.one("ConfigFile")
    assert operator.urn in recorded.waits_for(recorded.one("RabbitmqCluster"))


def test_an_application_that_cannot_be_imported_registers_nothing(tmp_path: Path) -> None:
    """It is asked before the first resource, and its own words are told."""
    from fleet.inspection import start_inspection

    inspection = start_inspection("no.such:application", str(tmp_path))
    with pytest.raises(FleetError, match=r"no\.such:application"):
        inspection.facts()


@of_its_own
def test_a_build_cache_stands_beside_the_images_of_a_registry() -> None:
    """Where one was asked for."""
    config = {"celery-fleet:images": '{"registry": "registry.example/team", "cache": true}'}
    images = run_stack(config).of("Image")
    assert {item.inputs["cacheTo"][0]["registry"]["ref"] for item in images} == {
        "registry.example/team/celery-fleet/cache:web",
        "registry.example/team/celery-fleet/cache:worker",
    }


@of_its_own
def test_what_a_stack_says_about_the_web_layer_reaches_its_pods_and_tokens_stand_in_one_secret_alone() -> None:
    """Whoever reads the graph, the exports or another pod finds no token."""
    token = "shop:a-token-that-nobody-guesses"
    config = {"celery-fleet:webTokens": token, "celery-fleet:web": '{"maxBody": "256Ki", "rate": "30/m", "burst": 5}'}
    recorded = run_stack(config)
    holders = [item for item in recorded.resources if token in json.dumps(item.inputs)]
    (container,) = recorded.one("Deployment", "web").inputs["spec"]["template"]["spec"]["containers"]
    stated = {
        item["name"]: item["value"]
        for item in container["env"]
        if item["name"].startswith("FLEET_WEB_") and "value" in item
    }
    assert [item.name for item in holders] == ["web-tokens"]
    assert holders[0].secret_paths == {"stringData.tokens"}
    assert token not in json.dumps(recorded.exports)
    assert stated == {"FLEET_WEB_MAX_BODY_BYTES": "262144", "FLEET_WEB_RATE_PER_SECOND": "0.5", "FLEET_WEB_BURST": "5"}
