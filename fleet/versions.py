"""Every version of the fleet's parts, in one place: what is deployed, what a cluster has to bring, and which of them work together.

Invariant: an image, chart or release is named here and nowhere else, below a line that says where newer ones are looked for (renovate.json). The
numbers of Celery and kombu that are installed stand in `requirements/`, because images are built from there; the series they belong to stands here.
"""

import re
from dataclasses import dataclass

KUBERNETES_MINIMUM = (1, 35)
"""Oldest Kubernetes that is supported."""

# renovate: datasource=endoflife-date depName=amazon-eks
KUBERNETES = "1.36"
"""The one everything is tested on."""

# renovate: datasource=github-releases depName=rabbitmq/rabbitmq-server extractVersion=^v(?<version>.*)$
RABBITMQ = "4.3.6"
RABBITMQ_IMAGE = f"docker.io/library/rabbitmq:{RABBITMQ}-management"
VALKEY_IMAGE = "docker.io/valkey/valkey:8.1"
PYTHON_IMAGE = (
    "docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b"
)
"""Python 3.13.15 on Debian trixie, for every architecture: what a tag leads to changes, and with it the image that nobody meant to change."""

# renovate: datasource=helm depName=cert-manager registryUrl=https://charts.jetstack.io extractVersion=^v(?<version>.*)$
CERT_MANAGER = "1.19.2"
"""Chart and application version alike."""

# renovate: datasource=helm depName=metrics-server registryUrl=https://kubernetes-sigs.github.io/metrics-server
METRICS_SERVER_CHART = "3.13.0"
# renovate: datasource=helm depName=keda registryUrl=https://kedacore.github.io/charts
KEDA = "2.21.0"
"""Chart and application version alike."""

# renovate: datasource=github-releases depName=rabbitmq/cluster-operator extractVersion=^v(?<version>.*)$
RABBITMQ_CLUSTER_OPERATOR = "2.21.1"
# renovate: datasource=github-releases depName=rabbitmq/messaging-topology-operator extractVersion=^v(?<version>.*)$
RABBITMQ_TOPOLOGY_OPERATOR = "1.20.1"

# renovate: datasource=docker depName=public.ecr.aws/karpenter/karpenter
KARPENTER = "1.14.1"
"""Chart and application version alike."""

# renovate: datasource=github-releases depName=awslabs/amazon-eks-ami
NODE_IMAGE = "v20260714"
"""Release of EKS's Amazon Linux 2023 image that Karpenter starts, for Kubernetes 1.35 and 1.36 (amazon-eks-ami, CHANGELOG.md). Pinned: nodes of
`@latest` would all be replaced whenever AWS releases another."""

# renovate: datasource=helm depName=aws-load-balancer-controller registryUrl=https://aws.github.io/eks-charts
LOAD_BALANCER_CONTROLLER = "3.5.0"
"""AWS Load Balancer Controller; chart and application version alike."""

CELERY = "5.7"
KOMBU = "5.7"

PINNED = {
    "Kubernetes": KUBERNETES,
    "RabbitMQ": RABBITMQ,
    "cert-manager": CERT_MANAGER,
    "KEDA": KEDA,
    "RabbitMQ cluster operator": RABBITMQ_CLUSTER_OPERATOR,
    "RabbitMQ topology operator": RABBITMQ_TOPOLOGY_OPERATOR,
    "Celery": CELERY,
    "kombu": KOMBU,
}
"""Part -> its version here; of Celery and kombu the series."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row of the matrix: where a part has at least a version, another has to be in a range."""

    part: str
    since: str
    """The rule holds for this version of the part and for later ones."""
    needs: str
    least: str
    below: str | None
    reason: str
    """What goes wrong otherwise."""
    source: str


MATRIX = (
    Rule(
        part="RabbitMQ", since="4.3", needs="Celery", least="5.7", below="5.8",
        reason="RabbitMQ 4.3 refuses the transient, non-exclusive queues that an older Celery declares for events and remote control",
        source="RabbitMQ 4.3.0 release notes; celery#10287; everything here is tried on 5.7",
    ),
    Rule(
        part="RabbitMQ", since="4.3", needs="kombu", least="5.7", below="5.8",
        reason="RabbitMQ 4.x has no global prefetch, and an older kombu asks for it",
        source="kombu#2481, kombu#2531; everything here is tried on 5.7",
    ),
    Rule(
        part="Celery", since="5.7", needs="kombu", least="5.7", below=None,
        reason="Celery 5.7 calls what kombu 5.7 added",
        source="Celery 5.7.0, requirements (kombu>=5.7.0)",
    ),
    Rule(
        part="RabbitMQ cluster operator", since="2.21", needs="RabbitMQ", least="4.3", below="4.4",
        reason="the settings the fleet writes are those of RabbitMQ 4.3",
        source="tried: RabbitMQ 4.3.6 by cluster operator 2.21.1",
    ),
    Rule(
        part="RabbitMQ topology operator", since="1.20", needs="cert-manager", least="1.0", below=None,
        reason="the operator's admission webhooks take their certificate from cert-manager",
        source="topology operator 1.20.1, messaging-topology-operator-with-certmanager.yaml (cert-manager.io/v1)",
    ),
    Rule(
        part="KEDA", since="2.21", needs="Kubernetes", least="1.33", below="1.37",
        reason="KEDA supports three versions of Kubernetes at a time",
        source="KEDA docs, Kubernetes compatibility (2.20: 1.33 to 1.35); 1.36 with 2.21.0 is tried here",
    ),
    Rule(
        part="RabbitMQ cluster operator", since="2.21", needs="Kubernetes", least="1.35", below=None,
        reason="older versions of Kubernetes are out of standard support",
        source="Amazon EKS docs, Kubernetes version calendar",
    ),
)  # fmt: skip
"""Which versions work together; each row says what breaks otherwise and where that is known from."""


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """Two versions that do not work together."""

    rule: Rule
    part: str
    """The version of the part."""
    found: str
    """The version of what it needs."""

    @property
    def wanted(self) -> str:
        """The range that would be right, in words."""
        return f"{self.rule.least} or later" + (f", below {self.rule.below}" if self.rule.below else "")


def mismatches(versions: dict[str, str], matrix: tuple[Rule, ...] = MATRIX) -> list[Mismatch]:
    """Rows of the matrix that these versions break; a part whose version is not known breaks none."""
    return [
        Mismatch(rule=rule, part=versions[rule.part], found=versions[rule.needs])
        for rule in matrix
        if rule.part in versions
        and rule.needs in versions
        and _order(versions[rule.part]) >= _order(rule.since)
        and not _within(versions[rule.needs], rule)
    ]


def _within(version: str, rule: Rule) -> bool:
    order = _order(version)
    return order >= _order(rule.least) and (rule.below is None or order < _order(rule.below))


def _order(version: str) -> tuple[int, ...]:
    """What versions are compared by: `5.7.0rc1` is of the series 5.7.0, because a release candidate speaks its protocol."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in match[1].split(".")) if match else ()
