"""The ways into a fleet in AWS, as the stack's settings ask for them.

Invariant: without a word there is none. The web layer has one where TLS has a certificate or a name to find one by; the broker has one inside the VPC
alone.
"""

from infra.manifests.ingress import BrokerBalancer, WebIngress, auto_mode_class, broker_balancer, web_ingress
from infra.manifests.metadata import Manifest
from infra.ways_in import WaysInArgs
from stacks.aws_base import AwsBase
from stacks.aws_checks import has_web_balancer


def ways_in(base: AwsBase) -> WaysInArgs | None:
    """What is to be registered; None where nothing is."""
    plan, spec, web = base.loaded.plan, base.aws.spec, base.aws.spec.web
    found: dict[str, Manifest] = {}
    classes: dict[str, Manifest] = {}
    if has_web_balancer(spec):
        way = WebIngress(
            certificate_arn=web.certificate_arn,
            hostname=web.hostname,
            inbound_cidrs=tuple(web.inbound_cidrs),
            internal=web.internal,
            waf_acl_arn=web.waf_acl_arn,
        )
        found["web"] = web_ingress(plan.fleet, way, plan.web)
        if base.auto_mode:
            classes = auto_mode_class(plan.fleet, base.place.tags)
    if spec.broker_load_balancer:
        way_to_broker = BrokerBalancer(
            cidrs=(base.network.cidr,),
            broker_tls=base.loaded.settings.broker_issuer is not None,
            auto_mode=base.auto_mode,
        )
        found["broker"] = broker_balancer(plan.fleet, way_to_broker)
    return WaysInArgs(manifests=found, classes=classes) if found else None
