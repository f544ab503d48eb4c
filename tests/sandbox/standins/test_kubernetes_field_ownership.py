"""Who owns which field, as far as an update has to know.

Source of the behaviour: pulumi-kubernetes v4.32 `provider/pkg/await/await.go` (fixCSAFieldManagers, handleSSAIgnoreFields,
patchForce).
"""

from __future__ import annotations

from sandbox.standins.kubernetes.field_ownership import must_force, takeover_patch, without_ignored
from sandbox.standins.kubernetes.values import Manifest

OWN = "pulumi-kubernetes-1a2b3c4d"


def entry(manager: str, operation: str, fields: Manifest, subresource: str = "") -> Manifest:
    return {
        "manager": manager,
        "operation": operation,
        "fieldsV1": fields,
        **({"subresource": subresource} if subresource else {}),
    }


def live(*entries: Manifest, **spec: object) -> Manifest:
    return {"metadata": {"resourceVersion": "7", "managedFields": list(entries)}, "spec": spec}


def test_the_creators_fields_join_our_own() -> None:
    """Nothing we created stays with a manager that never applies again."""
    found = live(
        entry("pulumi-kubernetes", "Update", {"f:spec": {"f:a": {}}}),
        entry(OWN, "Apply", {"f:spec": {"f:b": {}}}),
        entry("keda", "Update", {"f:spec": {"f:replicas": {}}}, "scale"),
    )
    managed, version = takeover_patch(found, OWN)
    assert managed["value"][0]["manager"] == "keda"
    assert managed["value"][1] == entry(OWN, "Apply", {"f:spec": {"f:a": {}, "f:b": {}}})
    assert version["value"] == "7"


def test_controllers_keep_theirs_and_there_is_nothing_to_take_twice() -> None:
    """The autoscaler's number of replicas never becomes ours."""
    assert takeover_patch(live(entry(OWN, "Apply", {}), entry("kube-controller-manager", "Update", {})), OWN) == []


def test_fields_are_only_forced_when_somebody_says_so_or_nobody_owns_them() -> None:
    """A conflict with another manager is an error, not a silent take-over."""
    owned = live(entry("kubectl-edit", "Update", {}))
    assert not must_force({}, owned, always=False, preview=False)
    assert must_force(
        {"metadata": {"annotations": {"pulumi.com/patchForce": "true"}}}, owned, always=False, preview=False
    )
    assert must_force({}, owned, always=True, preview=False)
    assert must_force({}, live(), always=False, preview=False)
    created = live(entry("pulumi-kubernetes", "Update", {}))
    assert must_force({}, created, always=False, preview=True)
    assert not must_force({}, created, always=False, preview=False)


def test_an_ignored_field_stays_with_its_owner() -> None:
    """Theirs is left out of the apply, ours keeps its live value, and what does not exist yet is declared."""
    inputs: Manifest = {"spec": {"replicas": 1, "paused": False}}
    theirs = live(entry("keda", "Update", {"f:spec": {"f:replicas": {}}}, "scale"), replicas=5)
    assert without_ignored(inputs, theirs, ["spec.replicas"], OWN) == {"spec": {"paused": False}}
    ours = live(entry(OWN, "Apply", {"f:spec": {"f:replicas": {}}}), replicas=5)
    assert without_ignored(inputs, ours, ["spec.replicas"], OWN)["spec"]["replicas"] == 5
    assert without_ignored(inputs, live(), ["spec.replicas"], OWN)["spec"]["replicas"] == 1
    assert inputs == {"spec": {"replicas": 1, "paused": False}}
