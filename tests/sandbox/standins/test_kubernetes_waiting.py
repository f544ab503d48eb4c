"""What an object's annotations say of waiting for it: for what, how long, and for what it owns when it goes.

Source of the behaviour: pulumi-kubernetes v4.32 `provider/pkg/jsonpath/jsonpath.go` and
`provider/pkg/await/condition/{custom,jsonpath}.go`.
"""

from __future__ import annotations

import pytest

from sandbox.standins.kubernetes.wait_for import parse_wait_for
from sandbox.standins.kubernetes.waiting import allowed_seconds, deletion_propagation
from sandbox.standins.plugin_server import PluginError

BROKER = {
    "metadata": {"generation": 2},
    "status": {
        "phase": "Running",
        "observedGeneration": 2,
        "conditions": [
            {"type": "AllReplicasReady", "status": "True"},
            {"type": "Old", "status": "True", "observedGeneration": 1},
        ],
        "ports": [{"name": "amqp", "port": 5672}],
    },
}


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("condition=AllReplicasReady", True),
        ("condition=allreplicasready=true", True),
        ("condition=AllReplicasReady=False", False),
        ("condition=Ready", False),
        ("condition=Old", False),
        ("jsonpath={.status.phase}=Running", True),
        ("jsonpath={.status.phase}=Failed", False),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.missing}", False),
        ("jsonpath={.status.ports[0].port}=5672", True),
        ('jsonpath={.status.ports[?(@.name=="amqp")].port}=5672', True),
        ("jsonpath={.status['phase']}=Running", True),
        ('["condition=AllReplicasReady", "jsonpath={.status.phase}=Running"]', True),
        ('["condition=AllReplicasReady", "condition=Ready"]', False),
    ],
)
def test_conditions_of_the_wait_annotation(expression: str, met: bool) -> None:
    """A condition about an older generation does not count; of a list, all have to be met."""
    assert all(condition.is_met(BROKER) for condition in parse_wait_for(expression)) is met


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("Ready", 'expected a "jsonpath=" or "condition=" prefix'),
        ("jsonpath=.status.phase=Running", "wrapped in brackets"),
        ("jsonpath={.status.phase}=", "format should be"),
        ("jsonpath={.status.phase}=a=b", "format should be"),
        ("jsonpath={.status..phase}", "cannot read"),
        ("[]", "at least one condition"),
    ],
)
def test_a_wait_that_cannot_be_understood_is_refused(expression: str, said: str) -> None:
    """It never counts as met."""
    with pytest.raises(PluginError, match=said):
        parse_wait_for(expression)


@pytest.mark.parametrize(
    ("timeout", "annotated", "seconds"),
    [
        pytest.param(30, "90", 30, id="custom-timeout-first"),
        pytest.param(0, "90", 90, id="annotation"),
        pytest.param(0, "", 600, id="ten-minutes"),
    ],
)
def test_how_long_a_wait_may_take(timeout: float, annotated: str, seconds: float) -> None:
    """Source: pulumi-kubernetes v4.32 `provider/pkg/metadata/overrides.go` (TimeoutDuration)."""
    assert allowed_seconds({"metadata": {"annotations": {"pulumi.com/timeoutSeconds": annotated}}}, timeout) == seconds


@pytest.mark.parametrize(
    ("annotated", "policy"), [("", "Foreground"), ("background", "Background"), ("Orphan", "Orphan")]
)
def test_what_becomes_of_what_a_deleted_object_owns(annotated: str, policy: str) -> None:
    """Source: pulumi-kubernetes v4.32 `provider/pkg/metadata/overrides.go` (DeletionPropagation)."""
    assert (
        deletion_propagation({"metadata": {"annotations": {"pulumi.com/deletionPropagationPolicy": annotated}}})
        == policy
    )
