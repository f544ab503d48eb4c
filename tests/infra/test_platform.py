"""What a cluster needs: what is installed, in which order, and what is only looked for."""

from collections.abc import Awaitable

import pulumi
import pytest

from fleet.errors import Finding, FleetError
from infra.placement import Placement
from infra.platform import Platform, PlatformArgs, PlatformPart, Provision, place_deployments
from infra.preflight import (
    SERVED_KINDS,
    ClusterAccess,
    ClusterFacts,
    check_cluster,
    needed_groups,
    read_cluster,
)
from tests.infra.recording import Recorded, record

EXISTING = dict.fromkeys(PlatformPart, Provision.EXISTING)
INSTALL = dict.fromkeys(PlatformPart, Provision.INSTALL)
SERVED = {
    group: frozenset(kind for other, kinds in SERVED_KINDS.values() if other == group for kind in kinds)
    for group, _ in SERVED_KINDS.values()
}


def platform(parts: dict[PlatformPart, Provision]) -> Recorded:
    """The platform with these parts."""
    return record(lambda: Platform("platform", PlatformArgs(parts=parts)))


def facts(*, version: tuple[int, int] = (1, 36), without: tuple[str, ...] = ()) -> ClusterFacts:
    """A cluster that serves everything but some groups."""
    kinds = {group: served for group, served in SERVED.items() if group not in without}
    return ClusterFacts(identity="a-cluster", version=version, kinds=kinds)


def check(found: ClusterFacts, parts: dict[PlatformPart, Provision]) -> list[Finding]:
    """The findings of a cluster, in a stack called local."""
    return check_cluster(found, parts, file="Pulumi.local.yaml")


def test_what_exists_is_left_alone() -> None:
    """Nothing is registered for a part that is there already."""
    assert [item.name for item in platform(EXISTING).resources] == ["platform"]


def test_everything_can_be_installed_at_pinned_versions() -> None:
    """Charts by Helm releases, the operators by the manifests of their releases."""
    recorded = platform(INSTALL)
    versions = {item.inputs["chart"]: item.inputs["version"] for item in recorded.of("Release")}
    assert versions == {"cert-manager": "v1.19.2", "metrics-server": "3.13.0", "keda": "2.21.0"}
    files = {item.inputs["file"] for item in recorded.of("ConfigFile")}
    assert any("/cluster-operator/releases/download/v2.21.1/" in file for file in files)
    assert any("/messaging-topology-operator/releases/download/v1.20.1/" in file for file in files)


def test_keda_tells_of_itself_where_it_is_installed() -> None:
    """Its chart opens no metrics by default, and alerts on the autoscaler would be silent for ever."""
    values = {item.inputs["chart"]: item.inputs["values"] for item in platform(INSTALL).of("Release")}
    assert values["keda"] == {"prometheus": {"operator": {"enabled": True}}}


def test_the_topology_operator_comes_after_what_it_needs() -> None:
    """Its webhooks need a certificate, and it watches the other operator's kind."""
    recorded = platform(INSTALL)
    operator = next(item for item in recorded.of("ConfigFile") if "rabbitmqTopologyOperator" in item.name)
    before = {recorded.by_urn()[urn].name for urn in operator.depends_on}
    assert before == {"platform-certManager", "platform-rabbitmqClusterOperator"}


SYSTEM = Placement(
    node_selector={"celery-fleet/nodes": "system"},
    tolerations=({"key": "CriticalAddonsOnly", "operator": "Equal", "value": "true", "effect": "NoSchedule"},),
)
PLACED = {"nodeSelector": {"celery-fleet/nodes": "system"}, "tolerations": list(SYSTEM.tolerations)}


def test_charts_are_told_where_to_run() -> None:
    """Where all nodes are tainted a pod that tolerates nothing waits for ever; cert-manager has four places to say it in."""
    recorded = record(lambda: Platform("platform", PlatformArgs(parts=INSTALL, placement=SYSTEM)))
    values = {item.inputs["chart"]: item.inputs["values"] for item in recorded.of("Release")}
    assert values["keda"] == {"prometheus": {"operator": {"enabled": True}}, **PLACED}
    assert values["cert-manager"] == {
        "crds": {"enabled": True}, **PLACED, "webhook": PLACED, "cainjector": PLACED, "startupapicheck": PLACED,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typ", "changed"),
    [
        pytest.param("kubernetes:apps/v1:Deployment", True, id="deployment"),
        pytest.param("kubernetes:core/v1:ServiceAccount", False, id="anything-else"),
    ],
)
def test_a_releases_manifest_is_told_where_to_run(typ: str, changed: bool) -> None:
    """Its Deployments keep what they say, and run on the nodes that are wanted."""
    props = {"spec": {"replicas": 1, "template": {"metadata": {}, "spec": {"containers": ["manager"]}}}}
    args = pulumi.ResourceTransformArgs(True, typ, "operator", props, pulumi.ResourceOptions())
    result = place_deployments(SYSTEM)(args)
    assert not isinstance(result, Awaitable)
    expected = {"spec": {"replicas": 1, "template": {"metadata": {}, "spec": {"containers": ["manager"], **PLACED}}}}
    assert (result.props if result else None) == (expected if changed else None)


def test_a_preview_without_a_cluster_leaves_out_release_manifests() -> None:
    """The engine cannot ask the plugin to read one before it knows the cluster; charts are shown."""
    recorded = record(lambda: Platform("platform", PlatformArgs(parts=INSTALL, cluster_is_known=False)))
    assert len(recorded.of("Release")) == 3
    assert recorded.of("ConfigFile") == []


def test_a_cluster_with_everything_has_no_findings() -> None:
    """What the sandbox brings is enough."""
    assert check(facts(), EXISTING) == []


@pytest.mark.parametrize(
    ("group", "key"),
    [
        pytest.param("keda.sh/v1alpha1", "celery-fleet:platform.keda", id="no-keda"),
        pytest.param("metrics.k8s.io/v1beta1", "celery-fleet:platform.metricsServer", id="no-metrics-server"),
        pytest.param("rabbitmq.com/v1beta1", "celery-fleet:platform.rabbitmqClusterOperator", id="no-operators"),
    ],
)
def test_what_is_missing_is_named_with_the_key_to_set(group: str, key: str) -> None:
    """The command that would have it installed stands in the finding."""
    found = {finding.path: finding for finding in check(facts(without=(group,)), EXISTING)}
    assert f"pulumi config set --path {key} install" in found[key].fix
    assert group in found[key].problem


def test_what_will_be_installed_is_not_looked_for() -> None:
    """An empty cluster is fine when everything is installed."""
    assert check(ClusterFacts(identity="empty", version=(1, 36), kinds={}), INSTALL) == []
    assert needed_groups(INSTALL) == ()


def test_an_operator_that_exists_has_its_certificates_already() -> None:
    """cert-manager is looked for only where the topology operator is installed."""
    assert "cert-manager.io/v1" not in needed_groups(EXISTING)
    mixed = {**EXISTING, PlatformPart.TOPOLOGY_OPERATOR: Provision.INSTALL}
    assert "cert-manager.io/v1" in needed_groups(mixed)


@pytest.mark.parametrize(
    ("version", "findings"),
    [pytest.param((1, 34), 1, id="too-old"), pytest.param((1, 35), 0, id="oldest"), pytest.param((2, 0), 0, id="new")],
)
def test_an_old_kubernetes_is_refused(version: tuple[int, int], findings: int) -> None:
    """1.35 is the oldest that is supported."""
    assert len(check(facts(version=version), EXISTING)) == findings


def test_a_cluster_that_does_not_answer_is_an_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a preview as well: what cannot be checked must not be shown as fine."""
    nowhere = tmp_path_factory.mktemp("kubeconfig") / "config"
    nowhere.write_text("apiVersion: v1\nkind: Config\n")
    with pytest.raises(FleetError):
        read_cluster(ClusterAccess(kubeconfig=str(nowhere), context="nowhere"), ())
