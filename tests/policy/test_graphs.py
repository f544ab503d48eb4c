"""The stacks of the repository meet every rule, and the rules read all that they should."""

import pytest

from policy.rules import RESOURCE_RULES, STACK_RULES
from policy.rules.tags import UNTAGGED
from sandbox.standins.aws.package_types import MapOf, resource_type
from tests.infra.aws.samples import AWS_COMPONENTS, component_graph
from tests.infra.recording import record
from tests.infra.samples import COMPONENTS, sample_plan
from tests.policy.samples import broken, recorded_resources
from tests.stacks.programs import EKS_STACKS, eks_graph, run_eks, run_stack

ALL_RULES = (*RESOURCE_RULES, *STACK_RULES)

IN_AWS = {"open-networks", "private-endpoint", "encryption", "tags"}
"""Rules that find nothing to read in a cluster of one's own."""


def test_the_local_stack_meets_every_rule() -> None:
    """Also on a laptop, so that what works there is what comes to prod."""
    resources = recorded_resources(run_stack())
    assert broken(resources, "local") == []
    read = {rule.id for rule in ALL_RULES if any(rule.concerns(item.typ) for item in resources)}
    assert {rule.id for rule in ALL_RULES} - read <= IN_AWS


@pytest.mark.scan
@pytest.mark.parametrize("stack", EKS_STACKS)
def test_a_stack_in_aws_meets_every_rule(stack: str) -> None:
    """No false alarm, advice included, and no rule without something to read."""
    resources = recorded_resources(eks_graph(stack))
    assert broken(resources, stack) == []
    assert [rule.id for rule in ALL_RULES if not any(rule.concerns(item.typ) for item in resources)] == []


def test_a_scale_in_controller_meets_every_rule() -> None:
    """The one pod with a token, and its role."""
    controller = record(lambda: COMPONENTS["ScaleIn"]("scale-in", sample_plan("prod")))
    assert broken(recorded_resources(controller), "prod") == []


@pytest.mark.scan
def test_a_first_preview_meets_every_rule() -> None:
    """When next to nothing is known of what AWS will answer."""
    assert broken(recorded_resources(run_eks("prod", preview=True)), "prod") == []


@pytest.mark.scan
def test_auto_mode_and_load_balancers_meet_every_rule() -> None:
    """What the shipped files leave out, with the networks of its callers named."""
    changed = run_eks("prod", aws={"compute": "auto", "web": {"hostname": "tasks.example.com"}})
    assert broken(recorded_resources(changed), "prod") == []


@pytest.mark.scan
@pytest.mark.parametrize("name", AWS_COMPONENTS)
def test_what_takes_no_tags_is_known(name: str) -> None:
    """As the package says of each type that any component registers."""
    types = {item.typ for item in component_graph(name).resources if item.typ.startswith("aws:")}
    untagged = {typ for typ in types if not _is_taggable(typ)}
    assert untagged == types & UNTAGGED


def test_nothing_that_takes_tags_is_left_out() -> None:
    """Each type of the list, whether it is used or not."""
    assert [typ for typ in sorted(UNTAGGED) if _is_taggable(typ)] == []


def _is_taggable(typ: str) -> bool:
    tags = resource_type(typ).inputs.get("tags")
    return tags is not None and isinstance(tags.type, MapOf)
