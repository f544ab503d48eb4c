"""One contract for every component: what a person who composes them may rely on."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import pulumi
import pytest

import infra
from fleet.plan import Plan
from tests.infra.aws.samples import AWS_COMPONENTS, AwsBuild
from tests.infra.recording import Recorded, record
from tests.infra.samples import COMPONENTS, PASSWORD, Build, sample_plan


def _without_plan(build: AwsBuild) -> Build:
    def made(name: str, _: Plan) -> pulumi.ComponentResource:
        return build(name)

    return made


ALL = {**COMPONENTS, **{name: _without_plan(build) for name, build in AWS_COMPONENTS.items()}}
CASES = [pytest.param(build, id=name) for name, build in ALL.items()]


def _defined() -> dict[str, type[pulumi.ComponentResource]]:
    found = {}
    for module in pkgutil.walk_packages(infra.__path__, "infra."):
        for name, item in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(item, pulumi.ComponentResource) and item.__module__ == module.name:
                found[name] = item
    return found


@cache
def _two(build: Build) -> Recorded:
    """Two instances of a component, side by side."""
    plan = sample_plan("prod")

    def program() -> None:
        build("one", plan)
        build("two", plan)

    return record(program)


def test_every_component_is_held_to_the_contract() -> None:
    """Whoever adds a component adds it to the samples."""
    assert set(_defined()) == set(ALL)


@pytest.mark.parametrize("component", [pytest.param(item, id=name) for name, item in _defined().items()])
def test_options_are_keyword_only(component: type[pulumi.ComponentResource]) -> None:
    """A component takes a name, its arguments, and the rest by keyword."""
    parameters = list(inspect.signature(component).parameters.values())
    assert [item.name for item in parameters[:2]] == ["name", "args"]
    assert {item.kind for item in parameters[2:]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("build", CASES)
def test_children_have_their_component_as_parent_and_carry_its_name(build: Build) -> None:
    """Nothing is left at the top of the stack, and no child name is fixed; a component may stand in another."""
    resources = _two(build).resources
    components = {item.urn: item for item in resources if not item.custom}
    children = [item for item in resources if item.name not in {"one", "two"}]
    assert children
    assert len(resources) - len(children) == 2
    for child in children:
        assert child.name.startswith(f"{components[child.parent].name}-")


@pytest.mark.parametrize("build", CASES)
def test_outputs_are_registered_once(build: Build) -> None:
    """A component says what it offers exactly once, and offers something."""
    recorded = _two(build)
    for component in (item for item in recorded.resources if item.name in {"one", "two"}):
        said = recorded.outputs[component.urn]
        assert len(said) == 1
        assert said[0]


@pytest.mark.parametrize("build", CASES)
def test_two_instances_live_side_by_side(build: Build) -> None:
    """No name inside the stack is taken twice."""
    urns = [item.urn for item in _two(build).resources]
    assert len(set(urns)) == len(urns)


@pytest.mark.parametrize("build", CASES)
def test_every_object_carries_the_labels_of_its_fleet(build: Build) -> None:
    """Whatever is in the cluster can be traced to the fleet it is part of, pods included."""
    for labels in _labels(_two(build)):
        assert labels["app.kubernetes.io/part-of"] == "celery-fleet"
        assert labels["app.kubernetes.io/name"]
        assert labels["app.kubernetes.io/component"]


def _labels(recorded: Recorded) -> Iterator[dict[str, str]]:
    for item in recorded.resources:
        if item.typ.startswith("kubernetes:") and "metadata" in item.inputs:
            yield item.inputs["metadata"].get("labels", {})
            template = item.inputs.get("spec", {}).get("template", {})
            # The template of a node pool makes nodes.
            if "containers" in template.get("spec", {}):
                yield template["metadata"]["labels"]


@pytest.mark.parametrize("build", CASES)
def test_no_secret_travels_in_clear(build: Build) -> None:
    """The password stands only where the engine knows that it is a secret."""
    for item in _two(build).resources:
        for path, value in _leaves(item.inputs):
            if PASSWORD in value:
                assert any(path == secret or path.startswith(f"{secret}.") for secret in item.secret_paths), path


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _leaves(child, f"{path}[{index}]")
    else:
        yield path, str(value)
