"""KEDA's part: from and to zero, what counts as activity, and that the simulated ScaledObject is the one that is deployed."""

import math
from typing import Any

import msgspec
import pytest

from fleet.scaling import AutoscalingPlan
from fleet.simulate.autoscaler import HorizontalAutoscaler, average_value_replicas
from fleet.simulate.engine import Run, Simulation
from fleet.simulate.formulas import parse_formula
from fleet.simulate.keda import KedaController, ScaledObject, horizontal_autoscaler, proposal, scaled_object
from infra.manifests.autoscaling import scaled_object as manifest
from tests.fleet.simulate.scripted import WORLD, sample_plan, work


def observed(*tasks: tuple[float, float], formula: str = "total", cooldown: float = 30.0, lasts: float = 120.0) -> Run:
    """One task a pod, asleep at first; samples at 0, 5, …, seen 3 s later; polls at 0, 5, …; syncs at 7, 22, 37, …."""
    spec = ScaledObject(
        metric=parse_formula(formula),
        target=1.0,
        min_replicas=0,
        max_replicas=4,
        polling_seconds=5,
        cooldown_seconds=cooldown,
    )
    controller = KedaController(spec, sync_seconds=15, first_sync=7, first_poll=0)
    return Simulation(
        work(*tasks, lasts=lasts), WORLD, controller, concurrency=1, grace_seconds=math.inf, seed=1, first_sample=0
    ).run()


@pytest.mark.parametrize(
    ("cooldown", "asleep_at"),
    [pytest.param(30, 75, id="half-a-minute"), pytest.param(36, 80, id="a-little-more-is-one-poll-more"), pytest.param(0, 45, id="none")],
)  # fmt: skip
def test_a_queue_wakes_at_a_poll_and_sleeps_after_the_cooldown(cooldown: float, asleep_at: float) -> None:
    """A task at 10 is in the sample of 10, seen at the poll of 15; it runs from 20 to 40, and 40 is the last poll that sees it."""
    result = observed((10.0, 20.0), cooldown=cooldown)
    assert result.starts.tolist() == [20.0]
    assert list(result.replicas) == [(0.0, 0), (15, 1), (asleep_at, 0)]
    assert result.pod_seconds == asleep_at - 15


def test_with_a_formula_activity_is_its_value_alone() -> None:
    """A formula without a term for running work puts a busy queue to sleep; the pod still finishes what it has."""
    asleep = observed((10.0, 80.0), formula="ready*1", lasts=200.0)
    awake = observed((10.0, 80.0), formula="total - ready + ready*1", lasts=200.0)
    assert list(asleep.replicas) == [(0.0, 0), (15, 1), (60, 0)]
    assert list(awake.replicas) == [(0.0, 0), (15, 1), (135, 0)]
    assert (asleep.pod_seconds, awake.pod_seconds) == (85, 120)


def test_a_burst_on_a_sleeping_queue_gets_its_pods_at_the_next_sync() -> None:
    """Four tasks at 10: KEDA wakes one pod at 15, the autoscaler wants all four at 22, they are there at 27."""
    result = observed(*((10.0, 30.0),) * 4)
    assert result.starts.tolist() == [20.0, 27.0, 27.0, 27.0]
    assert list(result.replicas[1:3]) == [(15, 1), (22, 4)]


def behaviour(autoscaler: HorizontalAutoscaler) -> dict[str, Any]:
    """In the words of a manifest, with the defaults that Kubernetes fills in left out."""
    up, down = autoscaler.scale_up, autoscaler.scale_down
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": up.stabilization_seconds,
            "selectPolicy": "Max",
            "policies": [
                {"type": policy.kind, "value": policy.value, "periodSeconds": policy.period_seconds}
                for policy in up.policies
            ],
        },
        "scaleDown": {"stabilizationWindowSeconds": down.stabilization_seconds},
    }


@pytest.mark.parametrize("environment", ["local", "prod"])
def test_the_simulated_scaled_object_is_the_deployed_one(environment: str) -> None:
    """Every number of the manifest that scales, for every queue of the sample, in both kinds of regime."""
    plan = sample_plan(environment)
    for queue in plan.queues:
        spec = manifest(plan.fleet, plan.topology.vhost, queue, queue.topology.shards[0])["spec"]
        simulated = scaled_object(queue.autoscaling)
        assert (simulated.min_replicas, simulated.max_replicas) == (spec["minReplicaCount"], spec["maxReplicaCount"])
        assert (simulated.polling_seconds, simulated.cooldown_seconds) == (
            spec["pollingInterval"],
            spec["cooldownPeriod"],
        )
        advanced = spec["advanced"]
        assert behaviour(horizontal_autoscaler(simulated)) == advanced["horizontalPodAutoscalerConfig"]["behavior"]
        modifiers = advanced.get(
            "scalingModifiers", {"formula": "total", "target": spec["triggers"][0]["metadata"]["value"]}
        )
        values = {"total": 37.0, "ready": 20.0}
        assert simulated.metric(values) == parse_formula(modifiers["formula"])(values)
        assert simulated.target == pytest.approx(float(modifiers["target"]), rel=1e-5)


def test_a_plan_gives_the_recommendation_for_recorded_values() -> None:
    """What a recorded timeline is replayed with: 8 busy slots and 60 waiting tasks of 2 s on a promise of 60 s."""
    plan: AutoscalingPlan = msgspec.structs.replace(
        sample_plan("prod").queues[2].autoscaling, formula="(max(total - ready, 0)/0.9 + ready*2/60)/1", target=1.0
    )
    propose = proposal(scaled_object(plan))
    assert propose({"total": 68.0, "ready": 60.0}, 8) == 11
    assert average_value_replicas(10.888, 1, 8) == 11
