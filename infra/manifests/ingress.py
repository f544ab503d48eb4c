"""The ways into a fleet from outside its cluster: a load balancer in front of the web layer, and one in front of the broker.

Invariant: nothing comes in without TLS where the internet is, nothing reaches the broker from outside the VPC, and what only operators ask (metrics,
probes) is not routed. A roll-out fails no request: a pod leaves the load balancer before it stops, and a new one is in it before the old one goes.
Source: aws-load-balancer-controller 3.5, docs/guide/ingress/annotations.md, docs/guide/service/annotations.md and docs/deploy/pod_readiness_gate.md;
EKS user guide, "Create an IngressClass to configure an Application Load Balancer" and "Use Service Annotations to configure Network Load Balancers".
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from fleet.errors import FleetError
from fleet.web import WebPlan
from infra.manifests.broker import BROKER_NAME
from infra.manifests.metadata import Manifest, cluster_metadata, metadata, selector
from infra.manifests.tls import ENCRYPTED, PLAIN, broker_ports
from infra.manifests.web import NAME, SERVICE_PORT_NAME

ALB_CLASS = "alb"
"""By this name the controller's chart makes its class."""

NLB_CLASS = "service.k8s.aws/nlb"
AUTO_MODE_ALB = "eks.amazonaws.com/alb"
AUTO_MODE_NLB = "eks.amazonaws.com/nlb"

BROKER_BALANCER = "broker-balancer"

PUBLIC_PATHS = {"/tasks": "Prefix", "/queues": "Exact", "/fleet": "Prefix", "/docs": "Exact", "/openapi.json": "Exact"}
"""Path -> how it is matched: what the web layer answers to callers. For anything else the load balancer itself answers 404."""

READY_PATH = "/readyz"

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
"""TLS 1.3 and 1.2, ciphers with forward secrecy and authenticated encryption alone.

Source: Elastic Load Balancing user guide, "Security policies for your Application Load Balancer".
"""

IDLE_SECONDS = 60
"""The web layer keeps a connection for longer (`app.web`), so that the load balancer never sends a request down one that is being closed."""

DRAIN_SECONDS = 15
"""How long a pod goes on after it was told to end: until then new requests may still be sent to it.

The controller hears of it, tells the load balancer, and that one tells all its nodes. Source: EKS best practices guide, "Load Balancing", section on
graceful shutdown (a preStop hook that sleeps).
"""


@dataclass(frozen=True, kw_only=True)
class WebIngress:
    """The load balancer in front of the web layer."""

    certificate_arn: pulumi.Input[str] | None = None
    """ACM certificate; without one the controller looks for one of the host name."""
    hostname: str | None = None
    """Host name of requests; any without one."""
    inbound_cidrs: tuple[pulumi.Input[str], ...]
    """Networks that reach it."""
    internal: bool = False
    """Whether it stands in private subnets."""
    waf_acl_arn: pulumi.Input[str] | None = None
    """Web ACL of AWS WAF in front of it."""


@dataclass(frozen=True, kw_only=True)
class BrokerBalancer:
    """The load balancer in front of the broker nodes; never outside the VPC."""

    cidrs: tuple[pulumi.Input[str], ...]
    """Networks that reach it: the VPC's, and those of its peers.

    Its own addresses are in the VPC, as those of all pods are: with it the network policy lets every pod of the cluster ask for the broker's password.
    """
    certificate_arn: pulumi.Input[str] | None = None
    """ACM certificate: TLS ends in the load balancer, which speaks to the nodes as they speak; without one it hands on what it gets."""
    broker_tls: bool = False
    """Whether the nodes speak TLS, with a certificate for their names inside the cluster."""
    auto_mode: bool = False


def web_ingress(fleet: str, way: WebIngress, plan: WebPlan) -> Manifest:
    """The Ingress of the web layer: an Application Load Balancer that sends requests straight to the pods.

    Raises: FleetError when there is neither a certificate nor a host name to find one by: requests and results would travel in clear.
    """
    if way.certificate_arn is None and way.hostname is None:
        raise FleetError(
            "celery-fleet:aws.web",
            "names neither certificateArn nor hostname, so its load balancer would have no TLS",
            "State one, or reach the web layer by kubectl port-forward.",
        )
    prefix, given = "alb.ingress.kubernetes.io", _web_annotations(way, plan)
    annotations = {f"{prefix}/{name}": value for name, value in given.items() if value is not None}
    service = {"service": {"name": NAME, "port": {"name": SERVICE_PORT_NAME}}}
    paths = [{"path": path, "pathType": kind, "backend": service} for path, kind in PUBLIC_PATHS.items()]
    rule: Manifest = {"http": {"paths": paths}}
    if way.hostname is not None:
        rule["host"] = way.hostname
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {**metadata(fleet, NAME, "web"), "annotations": annotations},
        "spec": {"ingressClassName": ALB_CLASS, "rules": [rule]},
    }


def _web_annotations(way: WebIngress, plan: WebPlan) -> dict[str, pulumi.Input[str] | None]:
    return {
        "scheme": "internal" if way.internal else "internet-facing",
        "target-type": "ip",
        "listen-ports": '[{"HTTP": 80}, {"HTTPS": 443}]',
        "ssl-redirect": "443",
        "ssl-policy": TLS_POLICY,
        "certificate-arn": way.certificate_arn,
        "inbound-cidrs": _joined(way.inbound_cidrs),
        "wafv2-acl-arn": way.waf_acl_arn,
        "healthcheck-path": READY_PATH,
        "healthcheck-interval-seconds": "10",
        "healthcheck-timeout-seconds": "5",
        "healthy-threshold-count": "2",
        "unhealthy-threshold-count": "2",
        "success-codes": "200",
        "load-balancer-attributes": (
            f"idle_timeout.timeout_seconds={IDLE_SECONDS},routing.http.drop_invalid_header_fields.enabled=true"
        ),
        # Requests under way may go on for as long as the pod does.
        "target-group-attributes": (
            f"deregistration_delay.timeout_seconds={plan.grace_seconds},"
            "load_balancing.algorithm.type=least_outstanding_requests"
        ),
    }


def broker_balancer(fleet: str, way: BrokerBalancer) -> Manifest:
    """The Service that asks for an internal Network Load Balancer in front of the broker nodes, for AMQP alone."""
    ends_tls, node_port = way.certificate_arn is not None, broker_ports(tls=way.broker_tls).amqp
    port = ENCRYPTED.amqp if ends_tls or way.broker_tls else PLAIN.amqp
    given: dict[str, pulumi.Input[str] | None] = {
        "scheme": "internal",
        "nlb-target-type": "ip",
        # Brokers are few: without it a zone whose node is away has a load balancer that leads nowhere.
        "attributes": "load_balancing.cross_zone.enabled=true",
        # The network policy then sees the load balancer's own addresses, which are in the VPC.
        "target-group-attributes": "preserve_client_ip.enabled=false",
        "ssl-cert": way.certificate_arn,
        "ssl-ports": str(port) if ends_tls else None,
        "ssl-negotiation-policy": TLS_POLICY if ends_tls else None,
        "backend-protocol": "ssl" if ends_tls and way.broker_tls else None,
    }
    prefix = "service.beta.kubernetes.io/aws-load-balancer"
    annotations = {f"{prefix}-{name}": value for name, value in given.items() if value is not None}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata(fleet, BROKER_BALANCER, "broker"), "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": AUTO_MODE_NLB if way.auto_mode else NLB_CLASS,
            "loadBalancerSourceRanges": list(way.cidrs),
            # Targets are pods; nobody needs a port of every node.
            "allocateLoadBalancerNodePorts": False,
            "selector": selector(BROKER_NAME),
            "ports": [{"name": "amqp" if port == PLAIN.amqp else "amqps", "port": port, "targetPort": node_port}],
        },
    }


def auto_mode_class(fleet: str, tags: Mapping[str, str]) -> dict[str, Manifest]:
    """The class of Ingresses that EKS Auto Mode serves, and what all its load balancers have in common."""
    named = cluster_metadata(fleet, ALB_CLASS, "fleet")
    parameters = {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": ALB_CLASS}
    return {
        "class-parameters": {
            "apiVersion": "eks.amazonaws.com/v1",
            "kind": "IngressClassParams",
            "metadata": named,
            "spec": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        },
        "class": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": named,
            "spec": {"controller": AUTO_MODE_ALB, "parameters": parameters},
        },
    }


def _joined(texts: tuple[pulumi.Input[str], ...]) -> pulumi.Output[str]:
    return pulumi.Output.all(*texts).apply(",".join)
