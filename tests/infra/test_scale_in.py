"""The scale-in controller: what it runs, and how little it may do."""

from typing import Any

import pulumi
import pytest

from fleet.documents import ScaleInDocument
from infra.placement import eks_placements
from infra.scale_in import ScaleIn, ScaleInArgs
from policy.pod_security import restricted_errors
from tests.infra.kubernetes_schemas import kubernetes_errors
from tests.infra.recording import Recorded, record
from tests.infra.samples import IMAGE

DOCUMENT = ScaleInDocument(fleet="shop", queues=("render", "train"))


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """The controller of two queues."""
    args = ScaleInArgs(document=DOCUMENT, image=IMAGE, placement=eks_placements("karpenter").system)
    return record(lambda: ScaleIn("scale-in", args))


def pod_of(recorded: Recorded) -> dict[str, Any]:
    spec: dict[str, Any] = recorded.one("Deployment", "scale-in").inputs["spec"]["template"]["spec"]
    return spec


def test_its_account_lists_and_patches_pods_of_its_namespace(recorded: Recorded) -> None:
    """One role of that namespace, one subject, two verbs; nothing of the cluster's."""
    assert recorded.one("Role", "scale-in").inputs["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]}
    ]
    binding = recorded.one("RoleBinding", "scale-in").inputs
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "scale-in"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "scale-in", "namespace": "shop"}]
    assert {item.inputs["metadata"]["namespace"] for item in recorded.resources if item.custom} == {"shop"}
    assert recorded.of("ClusterRole") + recorded.of("ClusterRoleBinding") == []


def test_its_token_is_stated_and_its_account_gives_none_by_itself(recorded: Recorded) -> None:
    """A pod that somebody else starts with this account has none."""
    pod = pod_of(recorded)
    assert pod["serviceAccountName"] == "scale-in"
    assert pod["automountServiceAccountToken"] is False
    assert recorded.one("ServiceAccount").inputs["automountServiceAccountToken"] is False
    [volume] = [item for item in pod["volumes"] if item["name"] == "account"]
    assert volume["projected"]["sources"] == [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    [mount] = [item for item in pod["containers"][0]["volumeMounts"] if item["name"] == "account"]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert mount["readOnly"] is True


def test_it_knows_no_secret_of_the_fleet(recorded: Recorded) -> None:
    """Neither broker nor results store: it talks to pods and to the API server."""
    variables = {item["name"] for item in pod_of(recorded)["containers"][0]["env"]}
    assert variables == {"FLEET_DOCUMENT", "FLEET_POD_NAME"}
    assert "secretKeyRef" not in str(pod_of(recorded))


def test_there_is_one_of_it_on_the_nodes_of_the_system(recorded: Recorded) -> None:
    """The old pod is gone before the new one comes; ready is one whose last round reached the API server."""
    spec, pod = recorded.one("Deployment", "scale-in").inputs["spec"], pod_of(recorded)
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert pod["nodeSelector"] == {"celery-fleet/nodes": "system"}
    container = pod["containers"][0]
    assert container["command"] == ["python", "-m", "app.scale_in"]
    assert [container[f"{probe}Probe"]["exec"]["command"][-1] for probe in ("startup", "readiness", "liveness")] == [
        "live", "ready", "live",
    ]  # fmt: skip
    assert container["resources"] == {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "96Mi"}}


def test_it_may_do_its_work_before_it_starts(recorded: Recorded) -> None:
    """Its names are plain text, so the order is said."""
    waits = recorded.waits_for(recorded.one("Deployment"))
    for kind in ("ServiceAccount", "Role", "RoleBinding", "ConfigMap"):
        assert recorded.one(kind).urn in waits


def test_other_queues_are_another_pod(recorded: Recorded) -> None:
    """Its document has a generated name."""
    document = recorded.one("ConfigMap")
    assert document.inputs["data"] == {"document.json": '{"fleet":"shop","queues":["render","train"]}'}
    assert "name" not in document.inputs["metadata"]


def test_its_objects_are_what_kubernetes_takes(recorded: Recorded) -> None:
    """With the pod that the namespace enforces."""
    manifests = recorded.manifests()
    assert [error for manifest in manifests for error in kubernetes_errors(manifest, "1.36")] == []
    assert len(manifests) == 5
    assert restricted_errors(pod_of(recorded)) == []


def test_an_image_that_is_not_built_yet_is_no_obstacle() -> None:
    """In a preview the digest is unknown."""

    def program() -> None:
        image: Any = pulumi.Output.from_input(pulumi.UNKNOWN)
        ScaleIn("scale-in", ScaleInArgs(document=DOCUMENT, image=image))

    assert record(program, preview=True).one("Deployment").inputs["spec"]["replicas"] == 1
