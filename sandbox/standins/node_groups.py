"""The sandbox's one node in the place of every node group that a stack on EKS declares.

Invariant: only pods that choose a node group of the fleet are changed, by their node selector or their required node affinity (RabbitMQ's
operator knows no selector); tolerations, requests and spreading stay as they were declared, so a pod that could not run on its group does not
run here either.
"""

from typing import Any

from sandbox.standins.admission import change_of_new_pods

NAME = "one-node-for-every-group"
LABEL_PREFIX = "celery-fleet/"
"""What the labels of node groups begin with."""


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
