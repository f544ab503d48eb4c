"""What a change of the program means for an object.

Source of the behaviour: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (Check, Diff), `diff.go` (forceNew),
`provider/pkg/clients/unstructured.go` (Normalize).
"""

from __future__ import annotations

import asyncio
import copy
import json

import pytest

from sandbox.standins.kubernetes.cluster import Cluster
from sandbox.standins.kubernetes.normalize import canonical_quantity, normalized
from sandbox.standins.kubernetes.planning import Difference, checked, compared, refuse_foreign_type
from sandbox.standins.kubernetes.settings import read_settings
from sandbox.standins.kubernetes.values import Manifest, plain
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import UNKNOWN, SecretValue

CONFIGMAP_URN = "urn:pulumi:local::fleet::kubernetes:core/v1:ConfigMap::plan"


def cluster(**variables: str) -> Cluster:
    return Cluster(read_settings({f"kubernetes:config:{key}": value for key, value in variables.items()}), "fleet")


def difference(old: Manifest, new: Manifest, *, live: Manifest | None = None, **variables: str) -> Difference:
    """What changes when the inputs `old` made the live object and the program now says `new`."""
    return asyncio.run(compared(cluster(**variables), old, old if live is None else live, new, []))


def configmap(name: str = "plan", *, autonamed: bool = False, data: str = "1") -> Manifest:
    annotations = {"annotations": {"pulumi.com/autonamed": "true"}} if autonamed else {}
    metadata = {"name": name, "namespace": "fleet", **annotations}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": data}}


def deployment() -> Manifest:
    container = {"name": "worker", "image": "fleet:1", "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "high", "namespace": "fleet"},
        "spec": {
            "selector": {"matchLabels": {"queue": "high"}},
            "template": {
                "metadata": {"labels": {"queue": "high"}},
                "spec": {"hostNetwork": False, "containers": [container]},
            },
        },
    }


def as_served(manifest: Manifest) -> Manifest:
    """The object as the API server and controllers would have it."""
    live = copy.deepcopy(manifest)
    live["metadata"] |= {"uid": "7", "managedFields": [{"manager": "kubelet"}]}
    live["spec"]["replicas"] = 5
    pod = live["spec"]["template"]["spec"]
    del pod["hostNetwork"]
    pod["restartPolicy"] = "Always"
    pod["containers"][0]["resources"] = {"limits": {"cpu": "1", "memory": "1Gi"}}
    live["status"] = {"readyReplicas": 5}
    return live


def test_what_controllers_and_defaults_wrote_is_no_change() -> None:
    """After KEDA has scaled a worker and the server has filled in defaults, an unchanged program has nothing to do."""
    found = difference(deployment(), deployment(), live=as_served(deployment()))
    assert found.fields == {}


def test_drift_in_a_field_the_program_speaks_about_is_a_change() -> None:
    """Somebody's `kubectl set image` is undone by the next update."""
    live = as_served(deployment())
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "other:2"
    assert list(difference(deployment(), deployment(), live=live).fields) == ["spec.template.spec.containers[0].image"]


def test_a_field_the_program_no_longer_speaks_about_is_deleted() -> None:
    """A label taken out of the program leaves the object."""
    old = configmap()
    old["metadata"]["labels"] = {"team": "a"}
    found = difference(old, configmap())
    assert [(path, change.change.value) for path, change in found.fields.items()] == [("metadata.labels", "delete")]


@pytest.mark.parametrize(
    ("autonamed", "deletes_first"),
    [pytest.param(True, False, id="auto-named-is-made-first"), pytest.param(False, True, id="named-has-to-go-first")],
)
def test_a_configmap_is_replaced_when_its_data_changes(autonamed: bool, deletes_first: bool) -> None:
    """Pods of the new revision see the new data, those of the old one never do."""
    found = difference(configmap(autonamed=autonamed), configmap(autonamed=autonamed, data="2"))
    assert found.replaces == ["data.a"]
    assert found.delete_before_replace is deletes_first


def test_a_configmap_changes_in_place_where_the_provider_says_so() -> None:
    """`enableConfigMapMutable` is honoured."""
    found = difference(configmap(), configmap(data="2"), enableConfigMapMutable="true")
    assert list(found.fields) == ["data.a"]
    assert found.replaces == []


def test_string_data_of_a_secret_equals_the_data_the_server_made_of_it() -> None:
    """The server answers in base64; that is no change."""
    base = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "fleet"}}
    live = {**base, "data": {"password": "aHVzaA=="}, "type": "Opaque"}
    assert (
        difference(
            {**base, "stringData": {"password": "hush"}}, {**base, "stringData": {"password": "hush"}}, live=live
        ).fields
        == {}
    )
    changed = difference(
        {**base, "stringData": {"password": "hush"}}, {**base, "stringData": {"password": "new"}}, live=live
    )
    assert changed.replaces == ["data.password"]


@pytest.mark.parametrize(
    ("api_version", "kind", "section"),
    [
        pytest.param("apps/v1", "Deployment", {"selector": {"matchLabels": {"a": "%s"}}}, id="deployment-selector"),
        pytest.param("apps/v1", "StatefulSet", {"serviceName": "%s"}, id="statefulset-service"),
        pytest.param("batch/v1", "Job", {"template": {"spec": {"containers": [{"image": "%s"}]}}}, id="job-template"),
        pytest.param("v1", "Service", {"clusterIP": "%s"}, id="service-address"),
        pytest.param("v1", "PersistentVolumeClaim", {"storageClassName": "%s"}, id="claim-storage-class"),
        pytest.param("v1", "Pod", {"containers": [{"image": "%s"}]}, id="pod-image"),
    ],
)
def test_a_field_that_cannot_change_in_place_replaces_the_object(
    api_version: str, kind: str, section: Manifest
) -> None:
    """The plan shows the replacement before the API server would refuse the change."""

    def manifest(value: str) -> Manifest:
        spec = json.loads(json.dumps(section).replace("%s", value))
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "fleet"}, "spec": spec}

    found = difference(manifest("one"), manifest("two"))
    assert len(found.replaces) == 1
    assert found.delete_before_replace


def test_a_template_of_a_deployment_changes_in_place() -> None:
    """A new image is a rollout, not a replacement."""
    new = deployment()
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "fleet:2"
    found = difference(deployment(), new, live=as_served(deployment()))
    assert list(found.fields) == ["spec.template.spec.containers[0].image"]
    assert found.replaces == []


def test_a_custom_resource_changes_in_place_and_is_replaced_with_its_name() -> None:
    """The plugin knows nothing about the immutable fields of somebody else's kinds."""
    queue = {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": "Queue",
        "metadata": {"name": "high", "namespace": "fleet"},
        "spec": {"type": "quorum"},
    }
    assert difference(queue, {**queue, "spec": {"type": "classic"}}).replaces == []
    renamed = difference(queue, {**queue, "metadata": {"name": "low", "namespace": "fleet"}})
    assert renamed.replaces == ["metadata.name"]
    assert not renamed.delete_before_replace


def test_a_value_that_is_not_known_yet_counts_as_a_change() -> None:
    """A preview shows that an image will change before it is built."""
    new = deployment()
    new["spec"]["template"]["spec"]["containers"][0]["image"] = UNKNOWN
    old = deployment()
    found = difference(old, new, live=as_served(old))
    assert "spec.template.spec.containers[0].image" in found.fields


def test_ignored_fields_do_not_differ() -> None:
    """`ignore_changes` covers a field and all below it."""
    new = deployment()
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "fleet:2"
    found = asyncio.run(
        compared(cluster(), deployment(), as_served(deployment()), new, ["spec.template.spec.containers[*].image"])
    )
    assert found.fields == {}


def test_checked_inputs_have_a_namespace_and_keep_their_secrets() -> None:
    """The provider's namespace is for objects that name none."""
    given = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {}}, "data": {"a": SecretValue("hush")}}
    inputs = asyncio.run(checked(cluster(), CONFIGMAP_URN, {}, given, seed=b"s"))
    assert plain(inputs)["metadata"]["namespace"] == "fleet"
    assert inputs["data"] == {"a": SecretValue("hush")}


@pytest.mark.parametrize(
    ("token", "said"),
    [
        pytest.param("kubernetes:helm.sh/v4:Chart", "Helm charts", id="helm"),
        pytest.param("kubernetes:yaml/v2:ConfigGroup", "YAML components", id="yaml"),
        pytest.param("kubernetes:apps/v1:DeploymentPatch", "patch resources", id="patch"),
        pytest.param("kubernetes:core/v1:ConfigMapList", "list resources", id="list"),
    ],
)
def test_what_the_stand_in_does_not_speak_is_refused_by_name(token: str, said: str) -> None:
    """Nothing is pretended."""
    with pytest.raises(PluginError, match=said):
        refuse_foreign_type(token)


def test_a_condition_that_cannot_be_read_is_refused_before_anything_is_created() -> None:
    """A misspelt wait would otherwise end in a timeout after ten minutes."""
    given = configmap() | {"metadata": {"name": "x", "annotations": {"pulumi.com/waitFor": "Ready"}}}
    with pytest.raises(PluginError, match='expected a "jsonpath=" or "condition=" prefix'):
        asyncio.run(checked(cluster(), CONFIGMAP_URN, {}, given, seed=b"s"))


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("1000m", "1"),
        ("100m", "100m"),
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1500Mi", "1500Mi"),
        ("1.5Gi", "1536Mi"),
        ("1000", "1k"),
        ("60Mi", "60Mi"),
        ("0", "0"),
        ("half", "half"),
    ],
)
def test_quantities_are_spelled_as_the_server_spells_them(written: str, canonical: str) -> None:
    """Source: Kubernetes 1.36 `apimachinery/pkg/api/resource/quantity.go`."""
    assert canonical_quantity(written) == canonical


def test_custom_resources_are_left_as_they_are_written() -> None:
    """Their server keeps what it was given."""
    cluster_object = {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": "RabbitmqCluster",
        "spec": {"resources": {"limits": {"cpu": "1000m"}}},
    }
    assert normalized(cluster_object) == cluster_object
