"""Which versions a stack runs, as its own resources state them.

What only a cluster of one's own brings (an operator that is `existing`) states no version and is not listed.
"""

import re
from collections.abc import Iterable, Iterator

from stacks.review.events import State
from stacks.review.masking import MASK, UNKNOWN

KUBERNETES = "Kubernetes"

RELEASE_URL = re.compile(r"github\.com/[^/]+/(?P<part>[^/]+)/releases/download/v?(?P<version>[^/]+)/")
IMAGE_TAG = re.compile(r"[^@]*/[^/:@]+:(?P<tag>[^@]+)")


def versions_of(states: Iterable[State]) -> dict[str, str]:
    """Part -> version, of what the stack itself installs."""
    found = {part: version for state in states for part, version in _stated(state)}
    return dict(sorted((part, version) for part, version in found.items() if version not in {"", MASK, UNKNOWN}))


def _stated(state: State) -> Iterator[tuple[str, str]]:
    match state.type:
        case "aws:eks/cluster:Cluster":
            yield KUBERNETES, _text(state, "version")
        case "aws:elasticache/replicationGroup:ReplicationGroup":
            yield "ElastiCache", _text(state, "engineVersion")
        case "kubernetes:helm.sh/v3:Release":
            yield f"chart {_text(state, 'chart').rpartition('/')[2]}", _text(state, "version")
        case "kubernetes:yaml/v2:ConfigFile":
            if found := RELEASE_URL.search(_text(state, "file")):
                yield found["part"], found["version"]
        case "kubernetes:rabbitmq.com/v1beta1:RabbitmqCluster":
            spec = state.inputs.get("spec")
            image = spec.get("image") if isinstance(spec, dict) else None
            if isinstance(image, str) and (tag := IMAGE_TAG.match(image)):
                yield "RabbitMQ", tag["tag"]


def _text(state: State, key: str) -> str:
    value = state.inputs.get(key)
    return value if isinstance(value, str) else ""
