"""The objects made for a RabbitmqCluster have the names, ports and safeguards of the real operator's.

Upstream: rabbitmq/cluster-operator v2.21.1 `internal/resource/{statefulset,service,headless_service,role}.go`,
`internal/metadata/label.go`.
"""

from typing import Any

import pytest

from sandbox.standins.rabbitmq_operators.cluster_spec import RabbitmqCluster
from sandbox.standins.rabbitmq_operators.services import (
    client_service,
    nodes_service,
    peer_discovery_binding,
    peer_discovery_role,
    service_account,
)
from sandbox.standins.rabbitmq_operators.statefulset import (
    broker_statefulset,
    refused_scale_down,
    refused_scale_up_from_zero,
    refused_storage_change,
)
from sandbox.standins.rabbitmq_operators.strategic_merge import POD_LIST_KEYS, merge_strategically


def cluster(*, annotations: dict[str, str] | None = None, **spec: Any) -> RabbitmqCluster:
    metadata = {
        "name": "broker",
        "namespace": "fleet",
        "uid": "u1",
        "generation": 1,
        "labels": {"team": "orders", "app.kubernetes.io/name": "other"},
        "annotations": annotations or {},
    }
    return RabbitmqCluster.from_resource({"metadata": metadata, "spec": {"image": "rabbitmq:4.3.6", **spec}})


def stateful_set(wanted: RabbitmqCluster) -> dict[str, Any]:
    return broker_statefulset(wanted, template_annotations={})


def pod(wanted: RabbitmqCluster) -> dict[str, Any]:
    spec: dict[str, Any] = stateful_set(wanted)["spec"]["template"]["spec"]
    return spec


def ports(service: dict[str, Any]) -> dict[str, int]:
    return {port["name"]: port["port"] for port in service["spec"]["ports"]}


def test_children_have_the_names_others_rely_on() -> None:
    """Clients, monitors and the topology operator look these up."""
    children = [
        client_service(cluster()),
        nodes_service(cluster()),
        service_account(cluster()),
        peer_discovery_role(cluster()),
        peer_discovery_binding(cluster()),
        stateful_set(cluster()),
    ]
    assert [(child["kind"], child["metadata"]["name"]) for child in children] == [
        ("Service", "broker"),
        ("Service", "broker-nodes"),
        ("ServiceAccount", "broker-server"),
        ("Role", "broker-peer-discovery"),
        ("RoleBinding", "broker-server"),
        ("StatefulSet", "broker-server"),
    ]
    for child in children:
        assert child["metadata"]["namespace"] == "fleet"
        assert child["metadata"]["ownerReferences"][0]["uid"] == "u1"
        assert child["metadata"]["labels"] == {
            "app.kubernetes.io/name": "broker",
            "app.kubernetes.io/component": "rabbitmq",
            "app.kubernetes.io/part-of": "rabbitmq",
            "team": "orders",
        }


def test_kubernetes_own_annotations_stay_with_the_rabbitmqcluster() -> None:
    """What kubectl noted there is no business of the children."""
    wanted = cluster(annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}", "owner": "orders"})
    assert service_account(wanted)["metadata"]["annotations"] == {"owner": "orders"}


def test_the_client_service_has_the_ports_that_are_open() -> None:
    """A plain broker with streams."""
    wanted = cluster(rabbitmq={"additionalPlugins": ["rabbitmq_stream"]})
    assert ports(client_service(wanted)) == {"amqp": 5672, "management": 15672, "stream": 5552, "prometheus": 15692}


def test_tls_adds_ports_and_moves_the_metrics() -> None:
    """One Prometheus port at a time, or every node would be scraped twice."""
    both = ports(client_service(cluster(tls={"secretName": "cert"})))
    assert both == {"amqp": 5672, "management": 15672, "amqps": 5671, "management-tls": 15671, "prometheus-tls": 15691}
    tls_only = ports(client_service(cluster(tls={"secretName": "cert", "disableNonTLSListeners": True})))
    assert tls_only == {"amqps": 5671, "management-tls": 15671, "prometheus-tls": 15691}


def test_the_service_takes_the_users_settings_and_override() -> None:
    """Type, annotations, and a patch of its spec."""
    service = client_service(
        cluster(
            service={"type": "LoadBalancer", "annotations": {"lb": "internal"}, "labels": {"zone": "a"}},
            override={"service": {"spec": {"ports": [{"name": "amqp", "port": 5672, "nodePort": 30000}]}}},
        )
    )
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["metadata"]["annotations"]["lb"] == "internal"
    assert service["metadata"]["labels"]["zone"] == "a"
    assert service["spec"]["ports"][0] == {
        "name": "amqp",
        "port": 5672,
        "targetPort": 5672,
        "protocol": "TCP",
        "appProtocol": "amqp",
        "nodePort": 30000,
    }


def test_nodes_find_each_other_before_they_are_ready() -> None:
    """A cluster forms from nodes that are not ready yet."""
    service = nodes_service(cluster())
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    assert ports(service) == {"epmd": 4369, "cluster-rpc": 25672}


def test_a_broker_pod_is_confined() -> None:
    """uid 999, read-only root, no capability; in every container."""
    assert pod(cluster())["securityContext"] == {
        "fsGroup": 0,
        "runAsUser": 999,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in [*pod(cluster())["initContainers"], *pod(cluster())["containers"]]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["allowPrivilegeEscalation"] is False


def test_a_broker_pod_is_started_checked_and_drained_as_upstream() -> None:
    """Probes, preStop and grace decide what a rolling restart does."""
    container = pod(cluster())["containers"][0]
    assert container["readinessProbe"]["tcpSocket"] == {"port": "amqp"}
    assert "reached_target_cluster_size" in container["startupProbe"]["exec"]["command"][2]
    drain = container["lifecycle"]["preStop"]["exec"]["command"][2]
    assert drain.startswith('if [ ! -z "$(cat /etc/pod-info/skipPreStopChecks)" ]; then exit 0; fi;')
    assert drain.endswith("rabbitmq-upgrade drain -t 604800")
    assert pod(cluster())["terminationGracePeriodSeconds"] == 604800


def test_the_start_is_delayed_only_where_asked() -> None:
    """The stand-in's default is no delay."""
    assert pod(cluster())["initContainers"][0]["command"][2].endswith("; sleep 0")
    assert pod(cluster(delayStartSeconds=7))["initContainers"][0]["command"][2].endswith("; sleep 7")


def test_the_node_name_is_stable() -> None:
    """A node comes back under the name that its data was written with."""
    environment = {variable["name"]: variable.get("value") for variable in pod(cluster())["containers"][0]["env"]}
    assert environment["RABBITMQ_NODENAME"] == "rabbit@$(MY_POD_NAME).$(K8S_SERVICE_NAME).$(MY_POD_NAMESPACE)"
    assert environment["K8S_SERVICE_NAME"] == "broker-nodes"


def test_further_configuration_files_are_mounted_where_rabbitmq_reads_them() -> None:
    """envConfig, advancedConfig and erlangInetConfig."""
    wanted = cluster(rabbitmq={"envConfig": "A=1", "advancedConfig": "[].", "erlangInetConfig": "{}."})
    mounts = {mount["mountPath"] for mount in pod(wanted)["containers"][0]["volumeMounts"]}
    assert {"/etc/rabbitmq/rabbitmq-env.conf", "/etc/rabbitmq/advanced.config", "/etc/rabbitmq/erl_inetrc"} <= mounts
    assert "server-conf" in {volume["name"] for volume in pod(wanted)["volumes"]}


def test_pods_take_placement_and_pull_secrets() -> None:
    """What decides where a pod runs passes through."""
    wanted = cluster(
        affinity={"nodeAffinity": {}}, tolerations=[{"key": "k"}], imagePullSecrets=[{"name": "registry"}], replicas=3
    )
    assert pod(wanted)["affinity"] == {"nodeAffinity": {}}
    assert pod(wanted)["tolerations"] == [{"key": "k"}]
    assert pod(wanted)["imagePullSecrets"] == [{"name": "registry"}]
    assert pod(wanted)["topologySpreadConstraints"][0]["topologyKey"] == "topology.kubernetes.io/zone"
    off = cluster(annotations={"rabbitmq.com/disable-default-topology-spread-constraints": "true"})
    assert "topologySpreadConstraints" not in pod(off)


def test_volumes_go_with_the_rabbitmqcluster() -> None:
    """The claim is owned by it, so garbage collection takes the data too."""
    claim = stateful_set(cluster(persistence={"storage": "1Gi", "storageClassName": "local"}))["spec"][
        "volumeClaimTemplates"
    ][0]
    assert claim["metadata"]["name"] == "persistence"
    assert (
        claim["metadata"]["ownerReferences"][0] | {"blockOwnerDeletion": False}
        == (claim["metadata"]["ownerReferences"][0])
    )
    assert claim["spec"]["storageClassName"] == "local"


def test_no_storage_means_an_empty_folder() -> None:
    """`storage: 0` has no claim."""
    wanted = cluster(persistence={"storage": "0", "emptyDir": {"medium": "Memory"}})
    assert "volumeClaimTemplates" not in stateful_set(wanted)["spec"]
    assert {"name": "persistence", "emptyDir": {"medium": "Memory"}} in pod(wanted)["volumes"]


def test_an_override_merges_into_the_pod() -> None:
    """Containers by name, environment by name, probes whole."""
    patch = {
        "containers": [
            {
                "name": "rabbitmq",
                "env": [{"name": "EXTRA", "value": "1"}],
                "readinessProbe": {"exec": {"command": ["true"]}},
                "securityContext": {},
            },
            {"name": "sidecar", "image": "sidecar:1"},
        ],
        "nodeSelector": {"role": "broker"},
    }
    patched = pod(cluster(override={"statefulSet": {"spec": {"template": {"spec": patch}}}}))
    assert [container["name"] for container in patched["containers"]] == ["rabbitmq", "sidecar"]
    assert patched["containers"][0]["env"][0]["name"] == "MY_POD_NAME"
    assert patched["containers"][0]["env"][-1] == {"name": "EXTRA", "value": "1"}
    assert patched["containers"][0]["readinessProbe"] == {"exec": {"command": ["true"]}}
    assert "securityContext" not in patched["containers"][0]
    assert patched["nodeSelector"] == {"role": "broker"}


def test_an_override_reaches_the_statefulset_and_its_claims() -> None:
    """Replicas, metadata and claims."""
    override = {
        "metadata": {"labels": {"tier": "broker"}},
        "spec": {
            "minReadySeconds": 5,
            "volumeClaimTemplates": [
                {"metadata": {"name": "persistence"}, "spec": {"resources": {"requests": {"storage": "3Gi"}}}}
            ],
        },
    }
    overridden = stateful_set(cluster(override={"statefulSet": override}))
    assert overridden["metadata"]["labels"]["tier"] == "broker"
    assert overridden["spec"]["minReadySeconds"] == 5
    claim = overridden["spec"]["volumeClaimTemplates"][0]
    assert claim["spec"]["resources"]["requests"]["storage"] == "3Gi"
    assert claim["metadata"]["ownerReferences"][0]["name"] == "broker"


def test_strategic_merge_changes_only_what_the_patch_names() -> None:
    """Neither input changes; unkeyed lists are replaced."""
    original = {"containers": [{"name": "a", "args": ["1", "2"]}], "dnsPolicy": "Default"}
    patch = {"containers": [{"name": "a", "args": ["3"]}, {"name": "b"}], "dnsPolicy": None}
    assert merge_strategically(original, patch, list_keys=POD_LIST_KEYS) == {
        "containers": [{"name": "a", "args": ["3"]}, {"name": "b"}],
        "dnsPolicy": "Default",
    }
    assert original == {"containers": [{"name": "a", "args": ["1", "2"]}], "dnsPolicy": "Default"}


@pytest.mark.parametrize(
    ("current", "desired", "refused"),
    [
        pytest.param(3, 1, True, id="fewer-nodes-would-lose-members"),
        pytest.param(3, 0, False, id="a-stop-keeps-them"),
        pytest.param(1, 3, False, id="more-nodes-are-welcome"),
    ],
)
def test_scale_down_is_refused(current: int, desired: int, *, refused: bool) -> None:
    """Upstream: `reconcile_scale_down.go`."""
    message = refused_scale_down(current, desired)
    assert (message is not None) is refused
    if message:
        assert message == "Cluster Scale down not supported; tried to scale cluster from 3 nodes to 1 nodes"


def test_a_stopped_broker_comes_back_with_the_nodes_it_had() -> None:
    """Upstream: `reconcile_scale_zero.go`."""
    assert refused_scale_up_from_zero("3", 3) is None
    assert refused_scale_up_from_zero(None, 1) is None
    assert "previous number of replicas (3)" in str(refused_scale_up_from_zero("3", 1))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        pytest.param("2Gi", "1Gi", "shrinking persistent volumes is not supported", id="shrinking"),
        pytest.param("0", "1Gi", "changing from ephemeral to persistent storage is not supported", id="to-volumes"),
        pytest.param("1Gi", "2Gi", None, id="growing"),
        pytest.param("1Gi", "1024Mi", None, id="the-same-in-other-words"),
    ],
)
def test_volumes_only_grow(before: str, after: str, message: str | None) -> None:
    """Upstream: `internal/scaling/scaling.go`."""
    current, desired = (stateful_set(cluster(persistence={"storage": size})) for size in (before, after))
    assert refused_storage_change(current, desired) == message


@pytest.mark.parametrize(
    ("version", "needed"),
    [
        pytest.param(None, True, id="unknown-before-the-first-start"),
        pytest.param("4.0.9", True, id="older-ones-ask-the-api"),
        pytest.param("4.3.6", False, id="newer-ones-do-not"),
        pytest.param("4.1.0", False, id="from-4-1-on"),
    ],
)
def test_peer_discovery_gets_a_role_only_where_it_needs_one(version: str | None, *, needed: bool) -> None:
    """Upstream: `rabbitmq_resource_builder.go` (`ShouldCreatePeerDiscoveryRBAC`)."""
    annotations = {"rabbitmq.com/version": version} if version else {}
    assert cluster(annotations=annotations).needs_peer_discovery_role is needed
