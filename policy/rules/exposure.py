"""Who reaches what from the internet: nobody, but for the load balancer in front of the web layer.

That one is made by its controller from an Ingress, whose networks the stack states (`celery-fleet:aws.web.inboundCidrs`): the one thing that
callers are meant to reach, behind TLS.
Sources: EKS user guide, "Cluster API server endpoint" (without `publicAccessCidrs` a public endpoint takes 0.0.0.0/0); AWS Load Balancer Controller
3.5, docs/guide/service/annotations.md (scheme, source ranges).
"""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from policy.graph import UNKNOWN, Resource, at, items, section
from policy.rule import ELSEWHERE, Finding, Level, ResourceRule

WIDEST_PREFIX = {4: 8, 6: 16}
"""IP version -> the shortest prefix of a network that somebody may be; a shorter one is a good part of the internet, however it is cut."""

SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"

PROD = {"prod": Level.MANDATORY, ELSEWHERE: Level.ADVISORY}

CLUSTER = "aws:eks/cluster:Cluster"


def is_anywhere(network: Any) -> bool:
    """Whether a network is the internet, or most of it; what is no network, or not known, is not."""
    try:
        parsed = ipaddress.ip_network(network, strict=False) if isinstance(network, str) else None
    except ValueError:
        return False
    return parsed is not None and parsed.prefixlen < WIDEST_PREFIX[parsed.version]


def _places(values: Iterable[Any], where: str) -> Iterator[str]:
    """The places of a list that name anywhere."""
    return (f"{where}[{index}]" for index, value in enumerate(values) if is_anywhere(value))


def _open_places(resource: Resource) -> Iterator[str]:
    inputs = resource.properties
    match resource.kind:
        case "SecurityGroup" | "DefaultSecurityGroup":
            for index, rule in enumerate(items(inputs, "ingress")):
                for field in ("cidrBlocks", "ipv6CidrBlocks"):
                    yield from _places(items(rule, field), f"ingress[{index}].{field}")
        case "SecurityGroupIngressRule":
            yield from (field for field in ("cidrIpv4", "cidrIpv6") if is_anywhere(at(inputs, field)))
        case "SecurityGroupRule" if at(inputs, "type") == "ingress":
            for field in ("cidrBlocks", "ipv6CidrBlocks"):
                yield from _places(items(inputs, field), field)
        case "Cluster" if _is_public(resource) and _is_open(resource):
            yield "vpcConfig.publicAccessCidrs"
        case "Service" if at(inputs, "spec.type") == "LoadBalancer":
            ranges = at(inputs, "spec.loadBalancerSourceRanges")
            internal = section(inputs, "metadata.annotations").get(SCHEME) in ("internal", UNKNOWN)
            if not internal and (not ranges or any(map(is_anywhere, items(inputs, "spec.loadBalancerSourceRanges")))):
                yield "spec.loadBalancerSourceRanges"


def _is_public(cluster: Resource) -> bool:
    return at(cluster.properties, "vpcConfig.endpointPublicAccess") in (None, True)


def _is_open(cluster: Resource) -> bool:
    stated = at(cluster.properties, "vpcConfig.publicAccessCidrs")
    return not stated or any(map(is_anywhere, items(cluster.properties, "vpcConfig.publicAccessCidrs")))


def _open_to_anywhere(resource: Resource) -> Iterator[Finding]:
    for where in _open_places(resource):
        yield Finding(resource=resource, where=where, problem="lets the whole internet in")


def _public_endpoint(resource: Resource) -> Iterator[Finding]:
    if _is_public(resource) and not _is_open(resource):
        yield Finding(
            resource=resource,
            where="vpcConfig.endpointPublicAccess",
            problem="lets networks outside the VPC reach the Kubernetes API",
        )


RULES = (
    ResourceRule(
        id="open-networks",
        says="Nothing takes the whole internet in; the load balancer of the web layer, whose networks its stack states, is made by its Ingress.",
        reason="Whoever scans the internet finds the endpoint within the hour, and one missing patch or leaked key is then enough.",
        fix="Name the networks that callers come from (celery-fleet:aws.endpoint.publicCidrs for the Kubernetes API), or a security group.",
        types=(
            "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
            "aws:ec2/securityGroup:SecurityGroup",
            "aws:ec2/securityGroupRule:SecurityGroupRule",
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            CLUSTER,
            "kubernetes:core/v1:Service",
        ),
        levels=PROD,
        check=_open_to_anywhere,
    ),
    ResourceRule(
        id="private-endpoint",
        says="The Kubernetes API of prod answers inside the VPC alone.",
        reason="A leaked credential or a flaw of the API server can be used from every network that is named; inside the VPC alone, from none.",
        fix="Run pulumi in the VPC or over a VPN and empty celery-fleet:aws.endpoint.publicCidrs; keep them while your pipeline stands outside.",
        types=(CLUSTER,),
        levels={"prod": Level.ADVISORY},
        check=_public_endpoint,
    ),
)
