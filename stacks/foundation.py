"""What a target offers a fleet: a cluster to go to, images, places to run, somewhere for results.

Invariant: the fleet is composed of this alone (`stacks.composition`), so it is the same on either target.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s

from infra.images import Images
from infra.manifests.pods import ResultsAddress
from infra.placement import Placements
from infra.ways_in import WaysInArgs


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """One target, ready for a fleet."""

    provider: k8s.Provider
    images: Images
    placements: Placements
    storage_class: str | None
    """Of the brokers' volumes; None takes the cluster's default."""
    results: ResultsAddress | None = None
    """A results store that is there already; None has one made in the cluster."""
    before_broker: tuple[pulumi.Resource, ...]
    """What a broker and everything after it waits for, and outlives on the way down."""
    before_workers: tuple[pulumi.Resource, ...] = ()
    """What pods of workers need beside it: nodes that can be started."""
    queue_roles: Mapping[str, pulumi.Resource] = field(default_factory=dict)
    """Queue -> what gives its pods their role in AWS."""
    ways_in: WaysInArgs | None = None
    """How the fleet is reached from outside the cluster; None where it is not."""
    before_ways_in: tuple[pulumi.Resource, ...] = ()
    """What makes load balancers of Services and Ingresses."""
    broker_cidrs: tuple[pulumi.Input[str], ...] = ()
    """Networks of a load balancer in front of the broker."""
    web_is_behind_balancer: bool = False
    """Whether requests come to the pods of the web layer from a load balancer outside the cluster."""
    components: tuple[pulumi.Resource, ...] = ()
    """Everything that was made for it."""
    exports: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """What the stack says about it."""
