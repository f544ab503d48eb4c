"""The rules as the engine meets them: through the SDK's policies, with its proxies in place of plain data."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policy.graph import UNKNOWN, Resource, environment_of
from policy.pack import NAME, Pack, plain, start
from tests.policy.samples import ABSENT, stack

IMAGE = "spec/template/spec/containers/0/image"

Said = tuple[str, str, str]
"""Policy, level, name of the resource."""


def _arguments(resource: Resource) -> ResourceValidationArgs:
    properties: Any = unknown_checking_proxy(dict(resource.properties))
    options: Any = SimpleNamespace()
    return ResourceValidationArgs(resource.typ, properties, resource.urn, resource.name, options, None)


def _ask(policies: Sequence[Policy], resources: Sequence[Resource]) -> list[Said]:
    """What the pack says of a stack, asked as the engine asks: every policy of each resource, then of all of them."""
    said: list[Said] = []

    def reporting(policy: Policy, name: str) -> Any:
        level = policy.enforcement_level
        assert level is not None
        return lambda message, urn=None: said.append((policy.name, level.value, (urn or name).rpartition("::")[2]))

    for resource in resources:
        for policy in policies:
            if isinstance(policy, ResourceValidationPolicy):
                policy.validate(_arguments(resource), reporting(policy, resource.name))
    outputs: Any = SimpleNamespace(resources=[_with_defaults(resource) for resource in resources])
    for policy in policies:
        if isinstance(policy, StackValidationPolicy):
            policy.validate(outputs, reporting(policy, ""))
    return said


def _with_defaults(resource: Resource) -> Any:
    """The outputs of a resource: an API server says of every Deployment how many replicas it has."""
    outputs = dict(resource.properties)
    if resource.kind == "Deployment":
        outputs["spec"] = {"replicas": 1, **outputs["spec"]}
    return SimpleNamespace(
        resource_type=resource.typ, name=resource.name, urn=resource.urn, props=unknown_checking_proxy(outputs)
    )


def test_a_stack_that_meets_the_rules_hears_nothing() -> None:
    """Although its cluster fills in what the program leaves to an autoscaler."""
    assert _ask(Pack().policies(), stack()) == []


@pytest.mark.parametrize(
    ("environment", "change", "said"),
    [
        pytest.param("prod", {"io_worker": {IMAGE: "worker:latest"}}, ("image-tag", "mandatory", "io-worker"), id="mandatory"),
        pytest.param("staging", {"io_worker": {IMAGE: "worker:1"}}, ("image-digest", "mandatory", "io-worker"), id="mandatory-here"),
        pytest.param("dev", {"io_worker": {IMAGE: "worker:1"}}, ("image-digest-advisory", "advisory", "io-worker"), id="advice-there"),
        pytest.param(
            "prod", {"cluster": {"vpcConfig": {"publicAccessCidrs": ["203.0.113.7/32"]}}}, ("private-endpoint", "advisory", "cluster"), id="advice"
        ),
        pytest.param("prod", {"io_worker": {"spec/replicas": 3}}, ("scaled-replicas", "mandatory", "io-worker"), id="of-the-stack"),
    ],
)  # fmt: skip
def test_a_finding_reaches_the_engine_at_its_level(environment: str, change: dict[str, Any], said: Said) -> None:
    """By the policy that is named after the rule, on the resource that it is about."""
    assert _ask(Pack().policies(), stack(environment, **change)) == [said]


def test_an_update_judges_anew_what_its_preview_judged() -> None:
    """One process may be asked of a resource twice."""
    policies = Pack().policies()
    assert [name for name, *_ in _ask(policies, stack(io_worker={"spec/replicas": 3}))] == ["scaled-replicas"]
    assert _ask(policies, stack()) == []
    assert [name for name, *_ in _ask(policies, stack(logs={"kmsKeyId": ABSENT}))] == ["encryption"]


def test_what_is_not_known_yet_is_told_as_such() -> None:
    """Below lists too; the SDK's own answer would be that the whole policy cannot run."""
    proxy = unknown_checking_proxy({"a": [UNKNOWN_STRING_VALUE, {"b": UNKNOWN_STRING_VALUE, "c": 2.0}], "d": None})
    assert plain(proxy) == {"a": [UNKNOWN, {"b": UNKNOWN, "c": 2}], "d": None}
    assert _ask(Pack().policies(), stack(io_worker={IMAGE: UNKNOWN_STRING_VALUE})) == []


def test_the_environment_is_the_stack_of_the_urn() -> None:
    """Also for a resource below components."""
    assert (
        environment_of("urn:pulumi:prod::celery-fleet::celery-fleet:aws:Cluster$aws:kms/key:Key::cluster-key") == "prod"
    )


def test_the_pack_is_served_whole() -> None:
    """Under names that the engine takes, each once."""
    served: dict[str, Any] = {}
    start(lambda **arguments: served.update(arguments))
    names = [policy.name for policy in served["policies"]]
    assert served["name"] == NAME
    assert len(set(names)) == len(names)
    assert {policy.enforcement_level for policy in served["policies"]} == {
        EnforcementLevel.MANDATORY, EnforcementLevel.ADVISORY
    }  # fmt: skip
