"""A change that the API server makes to new pods, in the place of what a cloud would bring.

Source: Kubernetes 1.36, `MutatingAdmissionPolicy` (admissionregistration.k8s.io/v1, KEP-3962).
"""

from typing import Any

API_VERSION = "admissionregistration.k8s.io/v1"


def change_of_new_pods(name: str, *, when: tuple[str, str], mutation: dict[str, Any]) -> list[dict[str, Any]]:
    """The policy and its binding. `when`: name and CEL expression of the condition; a change that fails refuses the pod."""
    condition, expression = when
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "matchConstraints": {"resourceRules": [pods]},
                "matchConditions": [{"name": condition, "expression": expression}],
                "mutations": [mutation],
            },
        },
        {
            "apiVersion": API_VERSION,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name},
        },
    ]
