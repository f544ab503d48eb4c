"""A broker that speaks TLS: its certificate, whoever is told of it, and the authority behind it."""

from collections.abc import Awaitable
from functools import cache
from typing import Any

import pulumi
import pytest

from fleet.units import parse_duration_seconds
from infra.authority import BrokerAuthority, BrokerAuthorityArgs, believing
from infra.manifests.tls import broker_ports
from infra.platform import Platform, PlatformArgs, PlatformPart, Provision
from tests.infra.definitions import DEFINITIONS, schema_errors
from tests.infra.recording import Recorded, record
from tests.infra.samples import COMPONENTS, ISSUER, OVER_TLS_COMPONENTS, sample_plan

FLEET = "celery-fleet"
POD_MAKERS = ("Beat", "DelayedDelivery", "QueueWorkers", "Web")
OWN = "celery-fleet-broker"


@cache
def made(component: str, environment: str = "local", *, tls: bool = True) -> Recorded:
    """One component of a fleet whose broker speaks TLS, or does not."""
    plan, build = sample_plan(environment), (OVER_TLS_COMPONENTS if tls else COMPONENTS)[component]
    return record(lambda: build("thing", plan))


def pods(recorded: Recorded) -> list[dict[str, Any]]:
    """The pods that a component's workloads make."""
    return [item.inputs["spec"]["template"]["spec"] for item in [*recorded.of("Deployment"), *recorded.of("Job")]]


def test_the_broker_listens_with_tls_alone() -> None:
    """Its certificate and the authority's come from one Secret, which is there before it."""
    recorded = made("Broker", "prod")
    cluster = recorded.one("RabbitmqCluster")
    assert cluster.inputs["spec"]["tls"] == {
        "secretName": "broker-tls", "caSecretName": "broker-tls", "disableNonTLSListeners": True,
    }  # fmt: skip
    certificate = recorded.one("Certificate", "broker-tls")
    assert certificate.inputs["spec"]["secretName"] == "broker-tls"
    assert certificate.inputs["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}
    assert certificate.urn in cluster.depends_on


def test_clients_need_no_certificate() -> None:
    """They have a password; the operator's own word for a broker with a `caSecretName` would shut them all out. Metrics are not in clear either."""
    lines = made("Broker").one("RabbitmqCluster").inputs["spec"]["rabbitmq"]["additionalConfig"].splitlines()
    assert "ssl_options.verify = verify_none" in lines
    # Without it RabbitMQ 4.3.6 keeps answering on 15692 in clear.
    assert "prometheus.tcp.listener = none" in lines
    plain = made("Broker", tls=False).one("RabbitmqCluster").inputs["spec"]["rabbitmq"]["additionalConfig"]
    assert "ssl_options" not in plain


def test_a_broker_that_speaks_in_clear_has_no_certificate() -> None:
    """And needs no cert-manager."""
    recorded = made("Broker", tls=False)
    assert recorded.of("Certificate") == []
    assert "tls" not in recorded.one("RabbitmqCluster").inputs["spec"]


def test_the_certificate_is_for_the_service_and_for_each_node() -> None:
    """Clients ask the Service, the cluster operator each node (2.21, `getClientInfoForPod`), and nobody anything else."""
    names = made("Broker", "prod").one("Certificate").inputs["spec"]["dnsNames"]
    nodes = [f"broker-server-{index}.broker-nodes.celery-fleet.svc" for index in range(3)]
    services = ["broker", "broker.celery-fleet", "broker.celery-fleet.svc", "broker.celery-fleet.svc.cluster.local"]
    assert set(names) == {*services, *nodes, *(f"{node}.cluster.local" for node in nodes)}
    assert len(made("Broker", "local").one("Certificate").inputs["spec"]["dnsNames"]) == 6


def test_certificates_are_renewed_long_before_they_end() -> None:
    """A month for whoever has to notice; each with a key of its own."""
    spec = made("Broker").one("Certificate").inputs["spec"]
    assert spec["issuerRef"] == {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": ISSUER}
    assert (spec["duration"], spec["renewBefore"]) == ("2160h0m0s", "720h0m0s")
    assert spec["privateKey"]["rotationPolicy"] == "Always"


@pytest.mark.parametrize("component", POD_MAKERS)
def test_pods_are_told_to_speak_tls_and_whom_to_believe(component: str) -> None:
    """Web, workers, beat and the Job alike; the name is the host that they are told."""
    for pod in pods(made(component)):
        container = pod["containers"][0]
        told = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert (told["FLEET_BROKER_HOST"], told["FLEET_BROKER_PORT"]) == ("broker", "5671")
        assert (told["FLEET_BROKER_TLS"], told["FLEET_BROKER_CA"]) == ("true", "/etc/broker-authority/ca.crt")
        [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "broker-authority"]
        # A subPath would not follow the Secret when the authority is renewed.
        assert mount == {"name": "broker-authority", "mountPath": "/etc/broker-authority", "readOnly": True}


@pytest.mark.parametrize("component", POD_MAKERS)
def test_no_pod_mounts_the_brokers_key(component: str) -> None:
    """Whoever has it is the broker to everybody."""
    for pod in pods(made(component)):
        [secret] = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "broker-authority"]
        assert secret == {"secretName": "broker-tls", "items": [{"key": "ca.crt", "path": "ca.crt"}]}


@pytest.mark.parametrize("component", POD_MAKERS)
def test_nothing_of_it_is_in_a_pod_whose_broker_speaks_in_clear(component: str) -> None:
    """Its Deployments are as they were before there was a choice."""
    for pod in pods(made(component, tls=False)):
        told = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
        assert told["FLEET_BROKER_PORT"] == "5672"
        assert {"FLEET_BROKER_TLS", "FLEET_BROKER_CA"}.isdisjoint(told)
        assert "broker-tls" not in str(pod["volumes"])


def test_another_protocol_is_another_job() -> None:
    """A Job cannot be changed; the new one tries the new way before any worker is rolled."""
    names = {tls: made("DelayedDelivery", tls=tls).one("Job").inputs["metadata"]["name"] for tls in (True, False)}
    assert names[True] == f"{names[False]}-tls"


def test_the_autoscaler_asks_over_tls() -> None:
    """Every trigger, at the name that the certificate is for."""
    for item in made("QueueWorkers").of("ScaledObject"):
        hosts = {trigger["metadata"]["host"] for trigger in item.inputs["spec"]["triggers"]}
        assert hosts == {"https://broker.celery-fleet.svc:15671"}


def test_the_autoscaler_is_told_whom_to_believe() -> None:
    """KEDA takes `tls` and `ca` from no trigger's metadata; the key beside the authority's certificate is not read."""
    recorded = made("BrokerTopology")
    authentication = recorded.one("TriggerAuthentication")
    switch = recorded.one("ConfigMap")
    assert switch.inputs["data"] == {"tls": "enable"}
    assert switch.urn in authentication.depends_on
    spec = authentication.inputs["spec"]
    assert {"parameter": "ca", "name": "broker-tls", "key": "ca.crt"} in spec["secretTargetRef"]
    assert [entry["parameter"] for entry in spec["secretTargetRef"]] == ["username", "password", "ca"]
    [entry] = spec["configMapTargetRef"]
    assert (entry["parameter"], entry["key"]) == ("tls", "tls")
    assert entry["name"] == switch.outputs["metadata"]["name"]


def test_the_autoscaler_of_a_broker_in_clear_is_told_nothing() -> None:
    recorded = made("BrokerTopology", tls=False)
    assert recorded.of("ConfigMap") == []
    assert recorded.one("TriggerAuthentication").inputs["spec"].keys() == {"secretTargetRef"}


@pytest.mark.parametrize(
    ("tls", "ports"),
    [pytest.param(True, (5671, 15671, 15691), id="over-tls"), pytest.param(False, (5672, 15672, 15692), id="in-clear")],
)
def test_ports_are_those_that_the_cluster_operator_opens(tls: bool, ports: tuple[int, int, int]) -> None:
    """AMQP, management, Prometheus (cluster operator 2.21, `internal/resource/service.go`)."""
    found = broker_ports(tls=tls)
    assert (found.amqp, found.management, found.prometheus) == ports


# The authority.


def authority(issuer: str, *, made_here: bool) -> Recorded:
    """The authority of a fleet."""
    args = BrokerAuthorityArgs(fleet=FLEET, issuer=issuer, made_here=made_here)
    return record(lambda: BrokerAuthority("authority", args))


def test_a_stack_that_makes_its_authority_makes_it_from_nothing() -> None:
    """It signs itself, then signs for brokers; its key stays, so that what it signed is believed after its certificate was renewed."""
    recorded = authority(OWN, made_here=True)
    itself, issuer = recorded.one("ClusterIssuer", f"{OWN}-itself"), recorded.one("ClusterIssuer", OWN)
    certificate = recorded.one("Certificate", OWN)
    spec = certificate.inputs["spec"]
    assert itself.inputs["spec"] == {"selfSigned": {}}
    assert issuer.inputs["spec"] == {"ca": {"secretName": spec["secretName"]}}
    assert (spec["isCA"], spec["privateKey"]["rotationPolicy"]) == (True, "Never")
    assert certificate.inputs["metadata"]["namespace"] == "cert-manager"
    assert itself.urn in certificate.depends_on
    assert certificate.urn in issuer.depends_on
    assert issuer.urn in recorded.one("Certificate", "broker-authority").depends_on


def test_a_renewed_authority_reaches_everybody_before_the_old_one_ends() -> None:
    """Each certificate brings its authority along, and lives for less than the authority's last year."""
    recorded = authority(OWN, made_here=True)
    year = parse_hours(recorded.one("Certificate", OWN).inputs["spec"]["renewBefore"])
    assert parse_hours(recorded.one("Certificate", "broker-authority").inputs["spec"]["duration"]) < year


def parse_hours(text: str) -> float:
    """Hours of a duration in Go's words."""
    return parse_duration_seconds(text.removesuffix("0m0s")) / 3600


def test_a_named_issuer_is_left_alone_and_believed() -> None:
    """Only its certificate is brought beside the topology operator."""
    recorded = authority("of-the-company", made_here=False)
    assert recorded.of("ClusterIssuer") == []
    trusted = recorded.one("Certificate").inputs
    assert trusted["metadata"]["namespace"] == "rabbitmq-system"
    assert trusted["spec"]["issuerRef"]["name"] == "of-the-company"


def platform(authority: BrokerAuthorityArgs | None, *, known: bool = True) -> Recorded:
    """The platform, everything of it installed."""
    parts = dict.fromkeys(PlatformPart, Provision.INSTALL)
    args = PlatformArgs(parts=parts, authority=authority, cluster_is_known=known)
    return record(lambda: Platform("platform", args))


def test_the_topology_operator_starts_with_the_authority() -> None:
    """It reads whom it believes once; cert-manager makes the authority, in a namespace that the cluster operator brings."""
    recorded = platform(BrokerAuthorityArgs(fleet=FLEET, issuer=OWN, made_here=True))
    operator = next(item for item in recorded.of("ConfigFile") if "rabbitmqTopologyOperator" in item.name)
    waits = {recorded.by_urn()[urn].name for urn in recorded.waits_for(operator)}
    assert "platform-authority-trusted" in waits
    trusted = next(item for item in recorded.resources if item.name == "platform-authority-trusted")
    assert {recorded.by_urn()[urn].name for urn in recorded.waits_for(trusted)} >= {
        "platform-certManager", "platform-rabbitmqClusterOperator", "platform-authority-issuer",
    }  # fmt: skip


def test_a_first_preview_shows_the_authority() -> None:
    """Release manifests are left out of it; what a program registers itself is not."""
    recorded = platform(BrokerAuthorityArgs(fleet=FLEET, issuer=OWN, made_here=True), known=False)
    assert len(recorded.of("ClusterIssuer")) == 2


def test_without_tls_there_is_no_authority() -> None:
    recorded = platform(None)
    assert [*recorded.of("ClusterIssuer"), *recorded.of("Certificate")] == []


@pytest.mark.parametrize(
    ("typ", "changed"),
    [
        pytest.param("kubernetes:apps/v1:Deployment", True, id="deployment"),
        pytest.param("kubernetes:core/v1:ServiceAccount", False, id="anything-else"),
    ],
)
def test_the_operators_deployment_mounts_the_authority_beside_what_it_has(typ: str, changed: bool) -> None:
    """As a file in the folder where its image has its authorities, which hides none of them."""
    container = {"name": "manager", "volumeMounts": [{"name": "cert", "mountPath": "/tmp/certs"}]}  # noqa: S108 -- of a pod
    pod = {"containers": [container], "volumes": [{"name": "cert", "secret": {"secretName": "webhook"}}]}
    props = {"spec": {"replicas": 1, "template": {"metadata": {}, "spec": pod}}}
    result = believing(pulumi.ResourceTransformArgs(True, typ, "operator", props, pulumi.ResourceOptions()))
    assert not isinstance(result, Awaitable)
    if not changed:
        assert result is None
        return
    assert result is not None
    spec: Any = result.props["spec"]
    found = spec["template"]["spec"]
    assert [mount["mountPath"] for mount in found["containers"][0]["volumeMounts"]] == [
        "/tmp/certs", "/etc/ssl/certs/celery-fleet-broker.crt",  # noqa: S108 -- of a pod
    ]  # fmt: skip
    assert found["containers"][0]["volumeMounts"][1]["subPath"] == "celery-fleet-broker.crt"
    assert found["volumes"][1]["secret"] == {
        "secretName": "broker-authority", "items": [{"key": "ca.crt", "path": "celery-fleet-broker.crt"}],
    }  # fmt: skip


@pytest.mark.skipif(not DEFINITIONS.is_dir(), reason=f"needs upstream's CustomResourceDefinitions in {DEFINITIONS}")
@pytest.mark.parametrize("component", [*OVER_TLS_COMPONENTS, "BrokerAuthority"])
def test_operators_take_every_custom_resource(component: str) -> None:
    """No field is misspelt, missing or of the wrong type."""
    recorded = made(component, "prod", tls=component in OVER_TLS_COMPONENTS)
    groups = ("kubernetes:rabbitmq.com/", "kubernetes:keda.sh/", "kubernetes:cert-manager.io/")
    custom = [item for item in recorded.resources if item.typ.startswith(groups)]
    assert {item.name: errors for item in custom if (errors := schema_errors(item.inputs))} == {}
