"""What AWS adds to a resource: its id, its ARN, and every output that no input gives.

The invariant: an output that always has a value on AWS has one here, in the same shape; in a preview it is not known yet.

Source: the outputs of each type in pulumi-aws 7.51; the form of ids and ARNs from the service authorization reference.
"""

from __future__ import annotations

from typing import Final

from sandbox.standins.aws.account import Account, hexadecimal
from sandbox.standins.aws.asked import Answer, Answering, Asked
from sandbox.standins.aws.checking import DEFAULTS_KEY
from sandbox.standins.aws.eks_answers import EKS_ANSWERS
from sandbox.standins.aws.network_answers import NETWORK_ANSWERS
from sandbox.standins.aws.package_types import ListOf, MapOf, OneOf, ResourceType, Scalar, Type
from sandbox.standins.aws.service_answers import SERVICE_ANSWERS
from sandbox.standins.property_values import UNKNOWN, Properties, Unknown, Value

ANSWERS: Final[dict[str, Answering]] = {**NETWORK_ANSWERS, **SERVICE_ANSWERS, **EKS_ANSWERS}

COMPUTED_INSIDE: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "aws:eks/cluster:Cluster": (("vpcConfig", "clusterSecurityGroupId"), ("vpcConfig", "vpcId")),
}
"""Type -> outputs inside an object whose other properties are inputs."""

CHANGING: Final[dict[str, dict[str, str]]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": ""},
    "aws:eks/cluster:Cluster": {"platformVersion": "version"},
    "aws:eks/nodeGroup:NodeGroup": {"releaseVersion": "version"},
}
"""Type -> outputs that an update changes, each with the input that causes it; an empty one stands for any input."""

_ZEROS: Final[dict[str, Value]] = {"string": "", "boolean": False, "integer": 0, "number": 0, "any": None}


def planned(account: Account, resource: ResourceType, inputs: Properties) -> Properties:
    """The state that a preview of a creation shows: what only AWS can say is not known."""
    state = _stated(inputs)
    known = _from_settings(account, resource, inputs)
    for name, described in resource.outputs.items():
        if described.required and name not in state:
            state[name] = known.get(name, UNKNOWN)
    for outer, inner in COMPUTED_INSIDE.get(resource.token, ()):
        if isinstance(state.get(outer), dict):
            state[outer] = {inner: UNKNOWN, **state[outer]}
    return state


def made(account: Account, resource: ResourceType, urn_name: str, inputs: Properties) -> Answer:
    """Id and state of a new resource."""
    asked = Asked(account, resource.token, urn_name, _stated(inputs))
    answering = ANSWERS.get(resource.token)
    given = answering(asked) if answering is not None else Answer(f"{urn_name}-{hexadecimal(8)}", {})
    inner = {outer for outer, _ in COMPUTED_INSIDE.get(resource.token, ())}
    state = {**_stated(inputs), **_from_settings(account, resource, inputs)}
    for name, value in given.outputs.items():
        state[name] = {**value, **state[name]} if name in inner and name in state else state.get(name, value)
    for name, described in resource.outputs.items():
        if described.required and state.get(name) is None:
            state[name] = _zero(described.type)
    return Answer(given.resource_id, {name: value for name, value in state.items() if value is not None})


def changed(
    account: Account,
    resource: ResourceType,
    old_inputs: Properties,
    old_state: Properties,
    inputs: Properties,
    *,
    preview: bool,
) -> Properties:
    """The state after an update: the new inputs, and what AWS had added before."""
    inner = {outer for outer, _ in COMPUTED_INSIDE.get(resource.token, ())}
    # What AWS would choose stays as it is when a program no longer chooses it.
    kept = {
        name: value
        for name, value in old_state.items()
        if name not in old_inputs or (name in resource.outputs and resource.outputs[name].required)
    }
    state = {**kept, **_stated(inputs), **_from_settings(account, resource, inputs)}
    for name in inner & set(state):
        if isinstance(old_state.get(name), dict) and isinstance(state[name], dict):
            added = {key: old_state[name][key] for _, key in COMPUTED_INSIDE[resource.token] if key in old_state[name]}
            state[name] = {**added, **state[name]}
    for name, cause in CHANGING.get(resource.token, {}).items():
        if not cause or old_inputs.get(cause) != inputs.get(cause):
            state[name] = UNKNOWN if preview else _next(old_state.get(name))
    for name, described in resource.outputs.items():
        if described.required and state.get(name) is None:
            state[name] = UNKNOWN if preview else _zero(described.type)
    return {name: value for name, value in state.items() if value is not None}


def _stated(inputs: Properties) -> Properties:
    return {name: value for name, value in inputs.items() if name != DEFAULTS_KEY and value is not None}


def _from_settings(account: Account, resource: ResourceType, inputs: Properties) -> Properties:
    """The outputs that the provider's own settings decide."""
    found: Properties = {}
    if "region" in resource.outputs:
        found["region"] = inputs.get("region") or account.region
    if "tagsAll" in resource.outputs:
        tags = inputs.get("tags") or {}
        found["tagsAll"] = tags if isinstance(tags, Unknown) else {**account.default_tags, **tags}
    return found


def _next(value: Value) -> Value:
    return value + 1 if isinstance(value, int) else value


def _zero(wanted: Type) -> Value:
    match wanted:
        case Scalar(kind):
            return _ZEROS[kind]
        case ListOf():
            return []
        case MapOf():
            return {}
        case OneOf(options):
            return _zero(options[0])
    return None
