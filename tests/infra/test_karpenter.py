"""Node pools and node classes: the numbers that they take from the Plan, and what nodes they start."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from fleet.cloud import CLOUDS
from fleet.plan import Plan
from infra.manifests.auto_mode import auto_node_class, auto_node_pools
from infra.manifests.karpenter import CLASS_REFERENCE, EXPIRE_HOURS, controller_values, node_class, node_pools
from infra.manifests.metadata import Manifest
from infra.manifests.workers import WorkerManifest, worker_deployment
from infra.placement import Placement, eks_placements
from tests.fleet.strategies import Raw, catalogues, load_from, sample_catalogue
from tests.infra.definitions import DEFINITIONS, schema_errors
from tests.infra.samples import ROOT, full_plan, sample_plan

KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


def pools_of(plan: Plan, environment: str = "prod") -> dict[str, Any]:
    """Name -> specification of a node pool."""
    made = node_pools(plan, CLOUDS[environment], CLASS_REFERENCE, expire_hours=EXPIRE_HOURS)
    return {manifest["metadata"]["name"]: manifest["spec"] for manifest in made}


def workers_class(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "instance_profile": "nodes",
        "subnet_ids": ["subnet-1a", "subnet-1b"],
        "security_group_id": "sg-1",
        "key_arn": KEY,
        "tags": {"project": "celery-fleet", "environment": "prod"},
    }
    return node_class("celery-fleet", CLOUDS["prod"], **(fields | changes))


def seconds(text: str) -> int:
    """A duration of one unit as Kubernetes writes it."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def worker_pod(plan: Plan, queue: str) -> dict[str, Any]:
    """The pod template of a queue's workers on Karpenter's nodes."""
    found = next(item for item in plan.queues if item.name == queue)
    worker = WorkerManifest(
        fleet=plan.fleet, queue=found, shard=found.topology.shards[0], image="image", document="document",
        results_secret="results-1", placement=eks_placements("karpenter").workers(found),
    )  # fmt: skip
    template: dict[str, Any] = worker_deployment(worker)["spec"]["template"]
    return template


@pytest.mark.skipif(not DEFINITIONS.is_dir(), reason=f"needs upstream's CustomResourceDefinitions in {DEFINITIONS}")
@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_pools_and_class_satisfy_their_definitions(environment: str) -> None:
    """No field is misspelt, missing or of the wrong type; Auto Mode's pools are of the same kind."""
    made = [
        *node_pools(sample_plan(environment), CLOUDS[environment], CLASS_REFERENCE, expire_hours=EXPIRE_HOURS),
        *auto_node_pools(sample_plan(environment), CLOUDS[environment]),
        workers_class(),
        workers_class(key_arn=None, tags={}),
    ]
    assert {item["metadata"]["name"]: errors for item in made if (errors := schema_errors(item))} == {}


def test_there_is_a_pool_for_each_capacity_and_the_two_exclude_each_other() -> None:
    """A spot pool falls back to on-demand nodes: a promise is worth more than the difference."""
    pools = pools_of(sample_plan("prod"))
    assert list(pools) == ["workers-spot", "workers-on-demand"]
    for capacity, kinds in {"spot": ["spot", "on-demand"], "on-demand": ["on-demand"]}.items():
        template = pools[f"workers-{capacity}"]["template"]
        assert template["metadata"]["labels"] == {"celery-fleet/nodes": "workers", "celery-fleet/capacity": capacity}
        assert template["spec"]["taints"] == [{"key": "workload", "value": "celery", "effect": "NoSchedule"}]
        wanted = {item["key"]: item["values"] for item in template["spec"]["requirements"]}
        assert wanted["karpenter.sh/capacity-type"] == kinds
        assert wanted["kubernetes.io/arch"] == ["arm64"]
        assert wanted["node.kubernetes.io/instance-type"] == [
            "c7g.xlarge", "m7g.xlarge", "r7g.xlarge", "c7g.2xlarge", "c7g.4xlarge",
        ]  # fmt: skip
    assert pools["workers-spot"]["weight"] > pools["workers-on-demand"]["weight"]


def test_without_a_spot_queue_there_is_no_spot_pool(tmp_path: Path) -> None:
    """What nobody uses is not there."""
    assert list(pools_of(load_from(sample_catalogue(), tmp_path))) == ["workers-on-demand"]


@pytest.mark.parametrize(
    ("pool", "cores"),
    [
        pytest.param("workers-spot", "20", id="four-nodes-of-four-cores-and-one-more"),
        pytest.param("workers-on-demand", "40", id="nine-and-one-more"),
    ],
)
def test_the_bill_has_a_ceiling(pool: str, cores: str) -> None:
    """The Plan's maximum of nodes, and one that comes before the one that it replaces goes."""
    assert pools_of(sample_plan("prod"))[pool]["limits"] == {"cpu": cores}


@pytest.mark.parametrize("pool", ["workers-spot", "workers-on-demand"])
def test_the_page_says_what_the_pools_are(pool: str) -> None:
    """Its table is of the repository's catalogue in prod."""
    page = (ROOT / "docs" / "explanation" / "nodes.md").read_text(encoding="utf-8")
    spec = pools_of(sample_plan("prod"))[pool]
    grace = spec["template"]["spec"]["terminationGracePeriod"]
    assert f"| `{pool}` | {spec['limits']['cpu']} | {grace} |" in page


@pytest.mark.parametrize(
    ("pool", "policy", "grace_seconds"),
    [
        pytest.param("workers-spot", "WhenEmptyOrUnderutilized", 1020, id="short-tasks-move"),
        pytest.param("workers-on-demand", "WhenEmpty", 1560, id="nodes-with-reports-of-ten-minutes-are-left-alone"),
    ],
)
def test_a_node_goes_as_its_queues_allow(pool: str, policy: str, grace_seconds: int) -> None:
    """The longest grace (thumbnails 120 s on spot, reports 660 s) and a quarter of an hour to evict pods one at a time."""
    spec = pools_of(sample_plan("prod"))[pool]
    assert spec["disruption"]["consolidationPolicy"] == policy
    assert spec["template"]["spec"]["terminationGracePeriod"] == f"{grace_seconds}s"
    assert spec["template"]["spec"]["expireAfter"] == "720h"


def test_no_work_is_moved_in_the_busy_hours() -> None:
    """Empty nodes go at any time, because nothing says otherwise of them."""
    for spec in pools_of(sample_plan("prod")).values():
        assert spec["disruption"]["budgets"] == [
            {"nodes": "10%"},
            {"nodes": "0", "schedule": "0 8 * * mon-fri", "duration": "10h", "reasons": ["Underutilized", "Drifted"]},
        ]


@given(raw=catalogues())
def test_for_every_queue_the_node_waits_longer_than_the_pod(raw: Raw) -> None:
    """A longer grace than the node's is lost when the drain begins; nor does a node go between two scalings, or before a task can end."""
    with tempfile.TemporaryDirectory() as folder:
        plan = load_from(raw, Path(folder))
    pools = pools_of(plan)
    for queue in plan.queues:
        spec = pools[f"workers-{queue.capacity}"]
        node, template = spec["template"]["spec"], worker_pod(plan, queue.name)
        assert template["spec"]["terminationGracePeriodSeconds"] < seconds(node["terminationGracePeriod"])
        assert seconds(node["expireAfter"]) > 2 * seconds(node["terminationGracePeriod"])
        wait = seconds(spec["disruption"]["consolidateAfter"])
        assert wait >= queue.autoscaling.cooldown_seconds
        assert wait >= queue.autoscaling.scale_down_window_seconds
        stay = template["metadata"].get("annotations", {}).get("karpenter.sh/do-not-disrupt")
        assert (stay is not None) == (queue.promise.limit_seconds >= 300)
        if stay is not None:
            assert queue.promise.limit_seconds <= seconds(stay) < seconds(node["expireAfter"])


@given(raw=catalogues())
def test_the_ceiling_never_holds_back_a_pod_that_the_plan_allows(raw: Raw) -> None:
    """Every autoscaler at its maximum at once."""
    with tempfile.TemporaryDirectory() as folder:
        plan = load_from(raw, Path(folder))
    for name, spec in pools_of(plan).items():
        asked = sum(
            queue.autoscaling.max_replicas * len(queue.topology.shards) * queue.resources.cpu_request_millicores
            for queue in plan.queues
            if name == f"workers-{queue.capacity}"
        )
        assert int(spec["limits"]["cpu"]) * 1000 >= asked


@pytest.mark.parametrize(
    ("queue", "stay"),
    [pytest.param("reports", "600s", id="ten-minutes"), pytest.param("mail", None, id="ten-seconds")],
)
def test_long_tasks_keep_their_node_for_a_time(queue: str, stay: str | None) -> None:
    """Where a queue of the other sample has them."""
    annotations = worker_pod(full_plan("prod"), queue)["metadata"].get("annotations", {})
    assert annotations.get("karpenter.sh/do-not-disrupt") == stay


def test_nodes_start_from_a_pinned_image_and_keep_to_themselves() -> None:
    """`@latest` would replace every node whenever AWS releases another; IMDSv2 with one hop; an encrypted disk."""
    spec = workers_class()["spec"]
    (image,) = spec["amiSelectorTerms"]
    family, version = image["alias"].split("@")
    assert family == "al2023"
    assert version.startswith("v2026")
    assert spec["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpProtocolIPv6": "disabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    assert spec["blockDeviceMappings"] == [
        {
            "deviceName": "/dev/xvda",
            "ebs": {
                "volumeType": "gp3",
                "volumeSize": "50Gi",
                "encrypted": True,
                "deleteOnTermination": True,
                "kmsKeyID": KEY,
            },
        }
    ]


def test_nodes_stand_where_the_plan_counts_them() -> None:
    """By id, which needs no tag on anything that is not ours."""
    spec = workers_class()["spec"]
    assert spec["subnetSelectorTerms"] == [{"id": "subnet-1a"}, {"id": "subnet-1b"}]
    assert spec["securityGroupSelectorTerms"] == [{"id": "sg-1"}]
    assert spec["instanceProfile"] == "nodes"
    assert "role" not in spec
    assert spec["tags"] == {"project": "celery-fleet", "environment": "prod"}


def test_auto_mode_has_pools_for_everything() -> None:
    """No pool of its own has our labels; a node lives 21 days at most, its grace included."""
    made = {item["metadata"]["name"]: item["spec"] for item in auto_node_pools(sample_plan("prod"), CLOUDS["prod"])}
    assert list(made) == ["fleet-system", "fleet-broker", "workers-spot", "workers-on-demand"]
    for spec in made.values():
        node = spec["template"]["spec"]
        assert node["nodeClassRef"] == {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "fleet"}
        assert seconds(node["expireAfter"]) + seconds(node["terminationGracePeriod"]) < 21 * 24 * 3600
    assert made["fleet-broker"]["limits"] == {"cpu": "16"}
    assert made["fleet-broker"]["disruption"]["consolidationPolicy"] == "WhenEmpty"


@pytest.mark.parametrize(
    ("kind", "pool"),
    [
        ("system", "fleet-system"),
        ("broker", "fleet-broker"),
        ("on_demand", "workers-on-demand"),
        ("spot", "workers-spot"),
    ],
)
def test_every_pod_finds_the_pool_that_is_made_for_it(kind: str, pool: str) -> None:
    """And no other: what a pod says and what a pool's nodes have are the same words."""
    placement: Placement = getattr(eks_placements("auto"), kind)
    tolerated = {(item["key"], item["value"]) for item in placement.tolerations}
    found = [
        manifest["metadata"]["name"]
        for manifest in auto_node_pools(sample_plan("prod"), CLOUDS["prod"])
        if placement.node_selector.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()
        and {(taint["key"], taint["value"]) for taint in manifest["spec"]["template"]["spec"]["taints"]} <= tolerated
    ]
    assert found == [pool]


def test_auto_modes_class_names_a_role() -> None:
    """And subnets of nodes; AWS's own class has those of the control plane."""
    made = auto_node_class(
        "shop",
        CLOUDS["prod"],
        node_role="node",
        subnet_ids=["subnet-1a"],
        security_group_id="sg-1",
        key_arn=None,
        tags={"project": "shop"},
    )
    assert (made["apiVersion"], made["kind"]) == ("eks.amazonaws.com/v1", "NodeClass")
    assert made["spec"] == {
        "role": "node",
        "subnetSelectorTerms": [{"id": "subnet-1a"}],
        "securityGroupSelectorTerms": [{"id": "sg-1"}],
        "ephemeralStorage": {"size": "50Gi"},
        "tags": {"project": "shop"},
    }


@pytest.mark.parametrize(("system_nodes", "replicas"), [(1, 1), (2, 2), (3, 2)])
def test_the_controller_never_runs_on_nodes_of_its_own(system_nodes: int, replicas: int) -> None:
    """And its replicas never share a node, so there are no more than nodes."""
    values = controller_values(
        "fleet",
        "fleet-karpenter",
        system_nodes=system_nodes,
        scheduling=eks_placements("karpenter").system.scheduling(),
    )
    assert values["replicas"] == replicas
    assert values["settings"] == {"clusterName": "fleet", "interruptionQueue": "fleet-karpenter"}
    assert values["nodeSelector"] == {"celery-fleet/nodes": "system"}
    assert values["tolerations"][0]["key"] == "CriticalAddonsOnly"
