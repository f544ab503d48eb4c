"""What a real autoscaler read and what it decided, recorded while load comes and goes, and what the model makes of the same readings.

Invariant: the values are those of the API that the HorizontalPodAutoscaler itself asks (`external.metrics.k8s.io`, served by KEDA), and only the
readings reach the model, never the real decisions: its replicas follow from its own, but for zero, which is KEDA's.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from urllib.parse import quote

from fleet.scaling import HPA_SYNC_SECONDS, AutoscalingPlan
from fleet.simulate import horizontal_autoscaler, scaled_object
from fleet.simulate.autoscaler import average_value_replicas
from tests.cluster.running_fleet import RunningFleet

SAMPLE_SECONDS = 2.0
READING_LAG_SECONDS = 3.0
"""A recorded change and a recorded reading are each up to a sample late."""

SCALED_OBJECT_LABEL = "scaledobject.keda.sh/name"

Timeline = list[tuple[float, float]]


@dataclass
class Recording:
    """One Deployment's autoscaler over time, in seconds since the recording began."""

    values: Timeline = field(default_factory=list)
    """Sum of its external metric."""
    replicas: Timeline = field(default_factory=list)
    """Replicas that the Deployment was told to have."""


def _metric_paths(fleet: RunningFleet, deployments: tuple[str, ...]) -> Mapping[str, str]:
    """Deployment -> path of the metric that its HorizontalPodAutoscaler reads."""
    found = {}
    for item in fleet.objects("horizontalpodautoscalers.autoscaling"):
        name = item["spec"]["scaleTargetRef"]["name"]
        if name in deployments:
            metric = item["spec"]["metrics"][0]["external"]["metric"]
            selector = quote(f"{SCALED_OBJECT_LABEL}={metric['selector']['matchLabels'][SCALED_OBJECT_LABEL]}")
            api = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{fleet.namespace}"
            found[name] = f"{api}/{metric['name']}?labelSelector={selector}"
    return found


def quantity(text: str) -> float:
    """A metric's value: Kubernetes writes 3.5 as `3500m`."""
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


@contextmanager
def recorded(fleet: RunningFleet, deployments: tuple[str, ...]) -> Iterator[Mapping[str, Recording]]:
    """Deployment -> what is recorded while the block runs."""
    paths = _metric_paths(fleet, deployments)
    recordings = {name: Recording() for name in deployments}
    ended = threading.Event()
    begin = time.monotonic()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            for name, count in fleet.replicas().items():
                if name in recordings:
                    recordings[name].replicas.append((time.monotonic() - begin, count))
            for name, path in paths.items():
                said = fleet.kubectl("get", "--raw", path, check=False)
                if said:
                    total = sum(quantity(item["value"]) for item in json.loads(said)["items"])
                    recordings[name].values.append((time.monotonic() - begin, total))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield recordings
    finally:
        ended.set()
        thread.join()


def _last_before(timeline: Timeline, seconds: float) -> float:
    return next((value for when, value in reversed(timeline) if when <= seconds), timeline[0][1])


def modelled(recording: Recording, plan: AutoscalingPlan) -> Timeline:
    """The replicas that the model of the autoscaler wants at each sync, from the recorded readings alone.

    The real controller syncs every 15 s at a phase of its own, which its first change of the replicas tells: the first that neither comes from zero
    nor goes there, for those are KEDA's, at KEDA's moments.
    """
    spec = scaled_object(plan)
    autoscaler = horizontal_autoscaler(spec)
    changes = [(when, before, after) for (_, before), (when, after) in pairwise(recording.replicas) if before != after]
    first_change = next((when for when, before, after in changes if 0 not in (before, after)), changes[0][0])
    seconds = first_change % HPA_SYNC_SECONDS
    current = int(recording.replicas[0][1])
    decided: Timeline = [(0.0, current)]
    while seconds <= recording.replicas[-1][0]:
        real, value = int(_last_before(recording.replicas, seconds)), _last_before(recording.values, seconds)
        if real != current and 0 in (real, current):
            current = min(real, 1)
            decided.append((seconds, current))
        current = autoscaler.sync(seconds, current, partial(average_value_replicas, value, spec.target))
        decided.append((seconds, current))
        seconds += HPA_SYNC_SECONDS
    return decided


def disagreements(real: Timeline, model: Timeline) -> Timeline:
    """Moments of the real timeline whose replicas lie outside what the model has within one sync period before and after.

    The real controller reads the metric between two recorded readings, so while it moves the real replicas may lie between two of the model's.
    """
    reach = HPA_SYNC_SECONDS + READING_LAG_SECONDS

    def near(seconds: float) -> set[float]:
        return {_last_before(model, seconds - reach)} | {value for when, value in model if abs(when - seconds) <= reach}

    return [(when, replicas) for when, replicas in real if not min(near(when)) <= replicas <= max(near(when))]
