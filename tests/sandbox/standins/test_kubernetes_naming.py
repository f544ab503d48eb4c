"""Names are invented once and kept.

Source of the behaviour: pulumi-kubernetes v4.32 `provider/pkg/metadata/naming.go` and `provider/pkg/provider/util.go`.
"""

from __future__ import annotations

import re

import pytest

from sandbox.standins.kubernetes.naming import (
    AUTONAMED_ANNOTATION,
    Kind,
    assign_name,
    kind_of,
    kind_of_token,
    object_id,
    parse_id,
)
from sandbox.standins.kubernetes.values import Manifest
from sandbox.standins.plugin_server import PluginError
from sandbox.standins.property_values import UNKNOWN
from sandbox.standins.urns import unique_name, urn_name, urn_type

URN = "urn:pulumi:local::fleet::celery-fleet:web:Web$kubernetes:core/v1:ConfigMap::plan"


def assigned(manifest: Manifest, previous: Manifest | None = None, seed: bytes = b"seed") -> Manifest:
    return assign_name(manifest, previous or {}, urn=URN, seed=seed, proposed=None)


def test_an_unnamed_object_gets_its_resource_name_and_eight_hexadecimal_digits() -> None:
    """Two stacks in one cluster do not collide, and tooling can see that the name was invented."""
    metadata = assigned({"kind": "ConfigMap"})["metadata"]
    assert re.fullmatch(r"plan-[0-9a-f]{8}", metadata["name"])
    assert metadata["annotations"] == {AUTONAMED_ANNOTATION: "true"}


def test_the_same_seed_gives_the_same_name() -> None:
    """A plan made by a preview is the one the update carries out."""
    assert assigned({}) == assigned({})
    assert unique_name("plan-", b"one") != unique_name("plan-", b"two")


def test_a_name_once_invented_is_adopted_by_the_next_inputs() -> None:
    """An update does not rename the object."""
    first = assigned({}, seed=b"one")
    assert assigned({"data": {"a": "1"}}, first, seed=b"two")["metadata"]["name"] == first["metadata"]["name"]


@pytest.mark.parametrize("metadata", [{"name": "fixed"}, {"name": UNKNOWN}], ids=["given", "given-but-not-known-yet"])
def test_a_name_the_program_gives_is_left_alone(metadata: Manifest) -> None:
    """The program's own name carries no mark of an invented one."""
    assert assigned({"metadata": metadata})["metadata"] == metadata


def test_a_previous_name_that_the_program_gave_is_not_adopted() -> None:
    """A program that stops naming an object is told by the plan, not silently kept at the old name."""
    assert "name" not in assigned({"metadata": {}}, {"metadata": {"name": "fixed"}})["metadata"]


def test_a_name_proposed_by_the_stack_settings_is_used() -> None:
    """`pulumi:autonaming` decides where it is set."""
    named = assign_name({}, {}, urn=URN, seed=b"", proposed="fleet-plan")
    assert named["metadata"]["name"] == "fleet-plan"


def test_kinds_are_read_from_tokens_and_from_objects() -> None:
    """The core group has no name in the API."""
    assert urn_type(URN) == "kubernetes:core/v1:ConfigMap"
    assert urn_name(URN) == "plan"
    assert kind_of_token("kubernetes:core/v1:ConfigMap") == Kind("", "v1", "ConfigMap")
    assert kind_of({"apiVersion": "rabbitmq.com/v1beta1", "kind": "Queue"}) == Kind("rabbitmq.com", "v1beta1", "Queue")
    with pytest.raises(PluginError, match="both a group and a version"):
        kind_of_token("kubernetes:core:ConfigMap")


@pytest.mark.parametrize(
    ("namespace", "name", "resource_id"),
    [pytest.param("fleet", "web", "fleet/web", id="namespaced"), pytest.param("", "fleet", "fleet", id="cluster-wide")],
)
def test_an_id_names_the_object_and_is_read_back(namespace: str, name: str, resource_id: str) -> None:
    """`pulumi import` takes the same ids that the state shows."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    assert object_id({"metadata": metadata}) == resource_id
    assert parse_id(resource_id) == (namespace, name)
