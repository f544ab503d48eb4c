"""The sandbox's one node in the place of every node group that a stack on EKS declares, and of the several nodes that pods are to lie on.

Invariant: only pods that choose a node group of the fleet, by their node selector or their required node affinity (RabbitMQ's operator knows no
selector), and pods that share no node with their like are changed; tolerations, requests and spreading stay as they were declared, so a pod that
could not run on its group does not run here either. The node is in a zone (`ZONE_LABEL`), so spreading over zones finds the one.
"""

from typing import Any

from sandbox.standins.admission import change_of_new_pods

NAME = "one-node-for-every-group"
LABEL_PREFIX = "celery-fleet/"
"""What the labels of node groups begin with."""

TOGETHER = "one-node-for-several-pods"
HOST_LABEL = "kubernetes.io/hostname"
ZONE_LABEL = "topology.kubernetes.io/zone"
"""The node has to have it: a pod that must be spread over zones runs on no node without one."""


def one_node_for_every_group() -> list[dict[str, Any]]:
    """The policy that takes the selector of a node group from new pods, and its binding."""
    selects = f"has(object.spec.nodeSelector) && object.spec.nodeSelector.exists(key, key.startsWith('{LABEL_PREFIX}'))"
    term = f"term.matchExpressions.exists(rule, rule.key.startsWith('{LABEL_PREFIX}'))"
    node_affinity = "object.spec.affinity.nodeAffinity"
    required = f"{node_affinity}.requiredDuringSchedulingIgnoredDuringExecution"
    prefers = (
        f"has(object.spec.affinity) && has({node_affinity}) && has({required})"
        f" && {required}.nodeSelectorTerms.exists(term, has(term.matchExpressions) && {term})"
    )
    drop = (
        f'[JSONPatch{{op: "remove", path: "/spec/nodeSelector"}}].filter(patch, {selects})'
        f' + [JSONPatch{{op: "remove", path: "/spec/affinity/nodeAffinity"}}].filter(patch, {prefers})'
    )
    return change_of_new_pods(
        NAME,
        when=("chooses-a-node-group", f"({selects}) || ({prefers})"),
        mutation={"patchType": "JSONPatch", "jsonPatch": {"expression": drop}},
    )


def one_node_for_several_pods() -> list[dict[str, Any]]:
    """The policy that lets pods that want a node each (the nodes of a broker) share this one, and its binding.

    The whole of a pod's anti-affinity goes: there is one node to choose from.
    """
    anti = "object.spec.affinity.podAntiAffinity"
    required = f"{anti}.requiredDuringSchedulingIgnoredDuringExecution"
    apart = (
        f"has(object.spec.affinity) && has({anti}) && has({required})"
        f" && {required}.exists(term, term.topologyKey == '{HOST_LABEL}')"
    )
    drop = '[JSONPatch{op: "remove", path: "/spec/affinity/podAntiAffinity"}]'
    return change_of_new_pods(
        TOGETHER,
        when=("wants-a-node-of-its-own", apart),
        mutation={"patchType": "JSONPatch", "jsonPatch": {"expression": drop}},
    )
