"""The ways into a fleet from outside its cluster."""

from typing import Any

import pytest

from app.web.__main__ import GRACEFUL_SECONDS, KEEP_ALIVE_SECONDS
from fleet.documents import web_document
from fleet.errors import FleetError
from infra.manifests.ingress import (
    DRAIN_SECONDS,
    BrokerBalancer,
    WebIngress,
    auto_mode_class,
    broker_balancer,
    web_ingress,
)
from infra.namespace import FleetNamespace, FleetNamespaceArgs
from infra.objects import KubernetesObject
from infra.web import Web, WebArgs
from tests.infra.kubernetes_schemas import kubernetes_errors
from tests.infra.recording import Recorded, record
from tests.infra.samples import IMAGE, sample_plan

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"


def _one(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest as it is registered, with its outputs resolved."""
    return record(lambda: KubernetesObject("way", manifest)).resources[0].inputs


def web_way(**changes: Any) -> dict[str, Any]:
    """The Ingress of the web layer."""
    fields: dict[str, Any] = {"certificate_arn": CERTIFICATE, "inbound_cidrs": ("0.0.0.0/0",)}
    plan = sample_plan("prod")
    found: dict[str, Any] = {}

    def program() -> None:
        KubernetesObject("way", web_ingress(plan.fleet, WebIngress(**{**fields, **changes}), plan.web))

    found.update(record(program).resources[0].inputs)
    return found


def annotation(way: dict[str, Any], name: str) -> Any:
    """What the controller is told by a name."""
    return way["metadata"]["annotations"].get(f"alb.ingress.kubernetes.io/{name}")


@pytest.mark.parametrize("version", ["1.35", "1.36"])
def test_kubernetes_takes_every_way_in(version: str) -> None:
    """No field is misspelt, missing or of the wrong type."""
    ways = [
        web_way(hostname="tasks.example.org"),
        broker_way(),
        broker_way(certificate_arn=CERTIFICATE),
        auto_mode_class("celery-fleet", {})["class"],
        web(DRAIN_SECONDS).one("Deployment").inputs,
    ]
    assert [kubernetes_errors(way, version) for way in ways] == [[]] * 5


def test_requests_come_in_by_tls_alone() -> None:
    """Whoever asks in clear is sent to the other port; old versions and weak ciphers are not spoken."""
    way = web_way()
    assert annotation(way, "listen-ports") == '[{"HTTP": 80}, {"HTTPS": 443}]'
    assert annotation(way, "ssl-redirect") == "443"
    assert annotation(way, "certificate-arn") == CERTIFICATE
    assert annotation(way, "ssl-policy") == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


def test_without_a_certificate_there_is_no_way_in() -> None:
    """Tasks and their results would travel in clear; what to do instead is said."""
    with pytest.raises(FleetError, match="certificateArn") as raised:
        web_way(certificate_arn=None)
    assert "port-forward" in raised.value.fix


def test_a_host_name_finds_its_certificate() -> None:
    """The controller looks for one among those of the account."""
    way = web_way(certificate_arn=None, hostname="tasks.example.org")
    assert way["spec"]["rules"][0]["host"] == "tasks.example.org"
    assert annotation(way, "certificate-arn") is None
    assert "host" not in web_way()["spec"]["rules"][0]


@pytest.mark.parametrize(
    ("internal", "scheme"),
    [pytest.param(False, "internet-facing", id="outside"), pytest.param(True, "internal", id="inside")],
)
def test_it_stands_where_it_was_asked_for(internal: bool, scheme: str) -> None:
    """In public or in private subnets; named, because the controller's own default changes with its flags."""
    assert annotation(web_way(internal=internal), "scheme") == scheme


def test_only_the_named_networks_come_in() -> None:
    """The networks may be known only once they are made."""
    assert (
        annotation(web_way(inbound_cidrs=("10.0.0.0/16", "192.0.2.0/24")), "inbound-cidrs")
        == "10.0.0.0/16,192.0.2.0/24"
    )


def test_a_web_acl_is_in_front_where_there_is_one() -> None:
    """And nothing of the kind where there is none."""
    arn = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/1"
    assert annotation(web_way(waf_acl_arn=arn), "wafv2-acl-arn") == arn
    assert annotation(web_way(), "wafv2-acl-arn") is None


def test_requests_go_straight_to_pods_that_are_ready() -> None:
    """By the path that the pod's own probe asks, on the Service of the web layer."""
    way = web_way()
    assert (annotation(way, "target-type"), annotation(way, "healthcheck-path")) == ("ip", "/readyz")
    paths = way["spec"]["rules"][0]["http"]["paths"]
    assert {item["backend"]["service"]["name"] for item in paths} == {"web"}
    assert {item["backend"]["service"]["port"]["name"] for item in paths} == {"http"}
    assert way["spec"]["ingressClassName"] == "alb"


def test_only_what_callers_ask_is_routed() -> None:
    """Metrics and probes stay inside; that every answer to callers has its path is held beside the web layer."""
    sent = {item["path"]: item["pathType"] for item in web_way()["spec"]["rules"][0]["http"]["paths"]}
    assert sent == {
        "/tasks": "Prefix",
        "/queues": "Exact",
        "/fleet": "Prefix",
        "/docs": "Exact",
        "/openapi.json": "Exact",
    }


def web(drain_seconds: int) -> Recorded:
    """The web layer, as it stands behind a load balancer or not."""
    plan = sample_plan("prod")
    args = WebArgs(
        document=web_document(plan),
        image=IMAGE,
        results_secret="results-1",
        plan=plan.web,
        drain_seconds=drain_seconds,
    )
    return record(lambda: Web("web", args))


def test_a_pod_leaves_the_load_balancer_before_it_stops() -> None:
    """It goes on while requests may still come, ends those that it has, and is not killed before that."""
    pod = web(DRAIN_SECONDS).one("Deployment").inputs["spec"]["template"]["spec"]
    assert pod["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 15}}}
    assert 15 + GRACEFUL_SECONDS < pod["terminationGracePeriodSeconds"] == 30
    assert "deregistration_delay.timeout_seconds=30" in annotation(web_way(), "target-group-attributes").split(",")


def test_a_pod_without_a_load_balancer_stops_at_once() -> None:
    """The Service of the cluster leaves it out by itself."""
    assert "lifecycle" not in web(0).one("Deployment").inputs["spec"]["template"]["spec"]["containers"][0]


def test_the_web_layer_keeps_connections_longer_than_the_load_balancer() -> None:
    """Else some requests go down a connection that is just being closed, and fail."""
    assert "idle_timeout.timeout_seconds=60" in annotation(web_way(), "load-balancer-attributes").split(",")
    assert KEEP_ALIVE_SECONDS > 60


@pytest.mark.parametrize("gates", [pytest.param(True, id="asked-for"), pytest.param(False, id="not-asked-for")])
def test_pods_wait_for_the_load_balancers_word_where_asked(gates: bool) -> None:
    """A roll-out then never takes the last pod that the load balancer knows."""
    recorded = record(lambda: FleetNamespace("fleet", FleetNamespaceArgs(fleet="celery-fleet", readiness_gates=gates)))
    told = recorded.one("Namespace").inputs["metadata"]["labels"].get("elbv2.k8s.aws/pod-readiness-gate-inject")
    assert told == ("enabled" if gates else None)


def broker_way(**changes: Any) -> dict[str, Any]:
    """The Service in front of the broker."""
    fields: dict[str, Any] = {"cidrs": ("10.0.0.0/16",)}
    return _one(broker_balancer("celery-fleet", BrokerBalancer(**{**fields, **changes})))


def test_the_broker_is_reached_inside_the_vpc_alone() -> None:
    """For AMQP, from the named networks, in whatever zone its nodes are."""
    way = broker_way()
    told = {
        name.removeprefix("service.beta.kubernetes.io/aws-load-balancer-"): value
        for name, value in way["metadata"]["annotations"].items()
    }
    assert told == {
        "scheme": "internal",
        "nlb-target-type": "ip",
        "attributes": "load_balancing.cross_zone.enabled=true",
        "target-group-attributes": "preserve_client_ip.enabled=false",
    }
    spec = way["spec"]
    assert (spec["type"], spec["loadBalancerSourceRanges"]) == ("LoadBalancer", ["10.0.0.0/16"])
    assert spec["ports"] == [{"name": "amqp", "port": 5672, "targetPort": 5672}]
    assert spec["selector"] == {"app.kubernetes.io/name": "broker"}
    assert spec["allocateLoadBalancerNodePorts"] is False


def test_with_a_certificate_tls_ends_in_front_of_the_broker() -> None:
    """On the port that is AMQPS everywhere."""
    way = broker_way(certificate_arn=CERTIFICATE)
    told = way["metadata"]["annotations"]
    assert told["service.beta.kubernetes.io/aws-load-balancer-ssl-cert"] == CERTIFICATE
    assert told["service.beta.kubernetes.io/aws-load-balancer-ssl-ports"] == "5671"
    assert way["spec"]["ports"] == [{"name": "amqps", "port": 5671, "targetPort": 5672}]


def test_tls_of_the_nodes_own_passes_through() -> None:
    """Clients verify the broker itself; what lies between cannot read."""
    way = broker_way(broker_tls=True)
    assert way["spec"]["ports"] == [{"name": "amqps", "port": 5671, "targetPort": 5671}]
    assert not [name for name in way["metadata"]["annotations"] if "ssl" in name or "protocol" in name]


def test_a_load_balancer_that_ends_tls_begins_it_anew_towards_nodes_that_speak_it() -> None:
    """They listen on no plain port."""
    way = broker_way(broker_tls=True, certificate_arn=CERTIFICATE)
    assert way["spec"]["ports"] == [{"name": "amqps", "port": 5671, "targetPort": 5671}]
    assert way["metadata"]["annotations"]["service.beta.kubernetes.io/aws-load-balancer-backend-protocol"] == "ssl"


@pytest.mark.parametrize(
    ("auto_mode", "name"),
    [
        pytest.param(False, "service.k8s.aws/nlb", id="own-controller"),
        pytest.param(True, "eks.amazonaws.com/nlb", id="auto-mode"),
    ],
)
def test_the_class_says_whose_load_balancer_it_is(auto_mode: bool, name: str) -> None:
    """Without one the cloud provider of Kubernetes might make a Classic one."""
    assert broker_way(auto_mode=auto_mode)["spec"]["loadBalancerClass"] == name


def test_auto_mode_has_a_class_of_its_own_under_the_same_name() -> None:
    """So the Ingress is the same; what EKS makes for it is tagged like everything else."""
    found = auto_mode_class("celery-fleet", {"owner": "platform"})
    assert found["class"]["metadata"]["name"] == web_way()["spec"]["ingressClassName"]
    assert found["class"]["spec"]["controller"] == "eks.amazonaws.com/alb"
    assert found["class"]["spec"]["parameters"]["name"] == found["class-parameters"]["metadata"]["name"]
    assert found["class-parameters"]["spec"]["tags"] == [{"key": "owner", "value": "platform"}]
