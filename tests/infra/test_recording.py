"""The harness itself: it must not let a wrong program pass."""

import pulumi
import pytest

from infra.objects import KubernetesObject
from tests.infra.recording import record

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "fleet"}, "data": {"key": "value"}}


def test_an_exception_inside_apply_fails_the_run() -> None:
    """What goes wrong after the program's last line is not lost."""

    def program() -> None:
        made = KubernetesObject("map", CONFIG_MAP)
        pulumi.export("name", made.metadata.apply(lambda metadata: metadata["no-such-key"]))

    with pytest.raises(KeyError):
        record(program)


def test_a_failed_run_leaves_nothing_to_the_next() -> None:
    """Every run has an engine of its own."""

    def failing() -> None:
        KubernetesObject("first", CONFIG_MAP)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        record(failing)
    recorded = record(lambda: KubernetesObject("second", CONFIG_MAP))
    assert [item.name for item in recorded.resources] == ["second"]


def test_secrets_are_told_from_plain_values() -> None:
    """The path of a value that travelled as a secret is recorded, also inside a mapping."""

    def program() -> None:
        manifest = {**CONFIG_MAP, "data": {"open": "1", "hidden": pulumi.Output.secret("2")}}
        KubernetesObject("map", manifest)

    assert record(program).one("ConfigMap").secret_paths == {"data.hidden"}


def test_order_is_told_through_components() -> None:
    """A child waits for what its component depends on."""

    class Pair(pulumi.ComponentResource):
        def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
            super().__init__("test:index:Pair", name, None, opts)
            KubernetesObject(f"{name}-child", CONFIG_MAP, opts=pulumi.ResourceOptions(parent=self))
            self.register_outputs({})

    def program() -> None:
        first = KubernetesObject("first", CONFIG_MAP)
        Pair("pair", pulumi.ResourceOptions(depends_on=[first]))

    recorded = record(program)
    child = next(item for item in recorded.resources if item.name == "pair-child")
    first = next(item for item in recorded.resources if item.name == "first")
    assert first.urn in recorded.waits_for(child)
    assert first.urn not in child.depends_on
