"""Property values keep their marks on the way through the provider.

Source of the behaviour: pulumi-kubernetes v4.32 `provider/pkg/provider/provider.go` (annotateSecrets, checkpointObject).
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.standins.kubernetes.values import Manifest, checkpoint, parse_checkpoint, plain, with_secrets_of
from sandbox.standins.property_values import (
    UNKNOWN,
    UNKNOWN_STRING,
    SecretValue,
    Value,
    has_unknown,
    marshal,
    unmarshal,
)

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.just(UNKNOWN)
VALUES: st.SearchStrategy[Value] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3) | st.builds(SecretValue, inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_is_written_to_a_message_is_read_back_from_it(properties: Manifest) -> None:
    """Secrets and unknowns keep their marks, whole numbers stay whole."""
    assert unmarshal(marshal(properties)) == properties


def test_an_unknown_value_is_recognised_at_any_depth() -> None:
    """A value of another resource that does not exist yet is never sent to the API server."""
    given_value = unmarshal(marshal({"spec": [{"name": SecretValue({"key": UNKNOWN})}]}))
    assert has_unknown(given_value)
    assert marshal({"name": UNKNOWN})["name"] == UNKNOWN_STRING
    assert not has_unknown(unmarshal(marshal({"spec": [{"name": "known"}]})))


def test_a_secret_input_makes_the_same_output_secret_and_nothing_beside_it() -> None:
    """One secret value in a Deployment does not hide the whole Deployment."""
    inputs = {"spec": {"token": SecretValue("hush"), "replicas": 2}, "kind": "Thing"}
    live = {"spec": {"token": "hush", "replicas": 2, "added": True}, "kind": "Thing"}
    marked = with_secrets_of(live, inputs)
    assert marked == {"spec": {"token": SecretValue("hush"), "replicas": 2, "added": True}, "kind": "Thing"}


def test_a_list_with_one_secret_is_secret_as_a_whole() -> None:
    """Controllers reorder lists; a secret must not leak by moving to another place."""
    marked = with_secrets_of({"env": ["a", "b"]}, {"env": ["a", SecretValue("b")]})
    assert marked == {"env": SecretValue(["a", "b"])}


def test_the_data_of_a_secret_is_secret_even_if_the_program_did_not_say_so() -> None:
    """What the operator fills into a Secret is never shown in a diff."""
    marked = with_secrets_of({"kind": "Secret", "data": {"password": "aHVzaA=="}}, {"kind": "Secret"})
    assert marked["data"] == SecretValue({"password": "aHVzaA=="})


def test_a_state_gives_back_the_inputs_and_the_live_object() -> None:
    """The engine keeps one document; the provider needs the two halves of it."""
    inputs = {"kind": "ConfigMap", "data": {"a": "1"}}
    live = {**inputs, "metadata": {"uid": "7"}}
    state = checkpoint(inputs, live, inputs, initial_api_version="v1", field_manager="pulumi-kubernetes-1")
    assert state["__fieldManager"] == "pulumi-kubernetes-1"
    assert parse_checkpoint(unmarshal(marshal(state))) == (inputs, live)


def test_schema_keys_are_spelled_for_python_in_the_state_and_for_the_api_in_requests() -> None:
    """`x-kubernetes-*` keys cannot be Python keyword arguments."""
    live = {"schema": {"x-kubernetes-int-or-string": True}}
    state = checkpoint(live, live, live, initial_api_version="v1", field_manager="m")
    assert state["schema"] == {"x_kubernetes_int_or_string": True}
    assert plain(state["schema"]) == {"x-kubernetes-int-or-string": True}
