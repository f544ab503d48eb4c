"""The discrete events of one broker queue: tasks, slots, pods, and what the broker's statistics show of them.

Tasks start in the order of their arrival, each on the slot that has been free longest (RabbitMQ serves consumers in turn). Between two events
that change pods or look at the queue, tasks are served in one tight loop over a heap of slots. A pod is paid for from when it is wanted until it is
gone. What a pod holds ahead (a prefetch multiplier above 1) is counted as unacknowledged and otherwise started as if it waited in the queue: such
tasks run for milliseconds, and `fleet check` keeps their wait in a worker to a share of the promise. Told to stop, a pod takes no new task and
finishes those in hand; what outlasts the grace is interrupted and counted (its second run is not simulated). Which pods stop follows the
ReplicaSet controller: those that are not ready first, then the youngest, in powers of two of their age.
Source: kubernetes pkg/controller/controller_utils.go, `ActivePodsWithRanks`.
"""

import heapq
import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fleet.simulate.model import Floats, Workload, World

_UNFINISHED_FACTOR = 4.0
"""A policy that has not served everything after this many lengths of the trace never will: the rest counts as late."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The queue at one moment."""

    seconds: float
    ready: int
    """Messages that no worker has."""
    busy: int
    """Messages in a worker's hands, those of stopping pods and those held ahead included."""
    arrived: int
    replicas: int
    """Wanted pods, starting ones included."""
    ready_pods: int
    """Pods that take tasks."""
    live_busy: int
    """Busy slots of those."""


class Controller(Protocol):
    """What decides the number of pods."""

    def initial(self, workload: Workload) -> int:
        """Pods that are ready when the trace begins."""

    def next_wake(self) -> float:
        """When it decides next; infinity for never again."""

    def wake(self, now: float, view: "Simulation") -> int:
        """The pods that are wanted from now on."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What happened."""

    workload: Workload
    starts: Floats
    """When each task started; infinity for one that never did."""
    pod_seconds: float
    replicas: tuple[tuple[float, int], ...]
    """(seconds, wanted pods) at each change, the first at 0."""
    samples: tuple[Sample, ...]
    interrupted: int
    """Tasks that outlasted the grace of a stopping pod."""
    end_seconds: float
    """Until when pods are paid for: the end of the trace, or of its last task."""


class Simulation:
    """One run; `view` of its controller."""

    def __init__(
        self, workload: Workload, world: World, controller: Controller, *, concurrency: int, grace_seconds: float,
        seed: int, first_sample: float = 0.0, instant: bool = False, prefetch_multiplier: int = 1,
    ) -> None:  # fmt: skip
        """`seed` is of the pods' start-up times and `first_sample` the phase of the statistics' clock.

        `instant`: pods appear when they are wanted and the least busy are the first to go, as for one who knows everything.
        """
        self.workload = workload
        self.replicas = 0
        self.samples: list[Sample] = []
        self._world = world
        self._controller = controller
        self._concurrency = concurrency
        self._grace_seconds = grace_seconds
        self._held_ahead = concurrency * (prefetch_multiplier - 1)
        self._first_sample = first_sample
        self._instant = instant
        self._random = np.random.default_rng(seed)
        self._arrivals: list[float] = workload.arrivals.tolist()
        self._runtimes: list[float] = workload.runtimes.tolist()
        self._starts: list[float] = []
        self._slots: list[tuple[float, int]] = []
        self._starting: list[tuple[float, int]] = []
        self._created: dict[int, float] = {}
        self._ready_since: dict[int, float] = {}
        self._stopping: list[float] = []
        self._next_pod = 0
        self._pod_seconds = 0.0
        self._interrupted = 0
        self._timeline: list[tuple[float, int]] = []

    # What a controller may look at.

    @property
    def ready_pods(self) -> int:
        """Pods that take tasks."""
        return len(self._ready_since)

    @property
    def started(self) -> int:
        """Tasks that have started; the next one to start has this index."""
        return len(self._starts)

    @property
    def slots(self) -> list[tuple[float, int]]:
        """(time from which it is free, pod) of every slot that takes tasks."""
        return self._slots

    def visible(self, now: float) -> list[Sample]:
        """The newest sample that the broker's management API shows, after the one before it; fewer at the beginning."""
        shown = len(self.samples)
        while shown and self.samples[shown - 1].seconds > now - self._world.statistics_delay_seconds:
            shown -= 1
        return self.samples[max(0, shown - 2) : shown]

    def run(self) -> Run:
        """Everything until the last task has finished and the trace has ended."""
        tasks, controller = len(self._arrivals), self._controller
        duration = self.workload.duration_seconds
        self._begin(controller.initial(self.workload))
        next_sample = self._first_sample
        end = math.inf
        while True:
            now = min(next_sample, controller.next_wake(), self._starting[0][0] if self._starting else math.inf)
            self._serve(now)
            if len(self._starts) == tasks and end == math.inf:
                end = max(duration, self._last_finish())
            if now >= min(end, _UNFINISHED_FACTOR * duration):
                return self._finish(min(end, now))
            if self._starting and self._starting[0][0] == now:
                self._become_ready(now, heapq.heappop(self._starting)[1])
            elif next_sample == now:
                self._sample(now)
                next_sample = now + self._world.statistics_every_seconds
            else:
                self._scale(now, controller.wake(now, self))

    def _serve(self, until: float) -> None:
        """Start every task that can start before `until`."""
        arrivals, runtimes, starts, slots = self._arrivals, self._runtimes, self._starts, self._slots
        replace, append = heapq.heapreplace, starts.append
        index, tasks = len(starts), len(arrivals)
        if not slots:
            return
        while index < tasks:
            arrival = arrivals[index]
            free, pod = slots[0]
            start = free if free > arrival else arrival
            if start >= until:
                break
            replace(slots, (start + runtimes[index], pod))
            append(start)
            index += 1

    def _last_finish(self) -> float:
        return max((*(free for free, _ in self._slots), *self._stopping), default=0.0)

    def _sample(self, now: float) -> None:
        live = sum(1 for free, _ in self._slots if free > now)
        self._stopping = [finish for finish in self._stopping if finish > now]
        arrived = bisect_right(self._arrivals, now)
        waiting = arrived - len(self._starts)
        held = min(waiting, self._held_ahead * len(self._ready_since))
        self.samples.append(
            Sample(
                seconds=now,
                ready=waiting - held,
                busy=live + len(self._stopping) + held,
                arrived=arrived,
                replicas=self.replicas,
                ready_pods=len(self._ready_since),
                live_busy=live,
            )
        )

    def _begin(self, replicas: int) -> None:
        self.replicas = replicas
        self._timeline.append((0.0, replicas))
        for _ in range(replicas):
            self._become_ready(0.0, self._create(0.0))

    def _create(self, now: float) -> int:
        pod = self._next_pod
        self._next_pod += 1
        self._created[pod] = now
        return pod

    def _become_ready(self, now: float, pod: int) -> None:
        self._ready_since[pod] = now
        for _ in range(self._concurrency):
            heapq.heappush(self._slots, (now, pod))

    def _scale(self, now: float, wanted: int) -> None:
        if wanted == self.replicas:
            return
        for _ in range(wanted - self.replicas):
            pod = self._create(now)
            if self._instant:
                self._become_ready(now, pod)
            else:
                heapq.heappush(self._starting, (now + float(self._random.uniform(*self._world.startup_seconds)), pod))
        if wanted < self.replicas:
            self._stop(now, self.replicas - wanted)
        self.replicas = wanted
        self._timeline.append((now, wanted))

    def _stop(self, now: float, count: int) -> None:
        self._starting.sort()
        for _ in range(min(count, len(self._starting))):
            _, pod = self._starting.pop()
            self._pod_seconds += now - self._created.pop(pod)
            count -= 1
        if count == 0:
            return
        victims = set(self._victims(now, count))
        ends = dict.fromkeys(victims, now)
        for free, pod in self._slots:
            if pod in victims and free > now:
                finish = min(free, now + self._grace_seconds)
                self._interrupted += finish < free
                self._stopping.append(finish)
                ends[pod] = max(ends[pod], finish)
        self._slots = [slot for slot in self._slots if slot[1] not in victims]
        heapq.heapify(self._slots)
        for pod, end in ends.items():
            self._pod_seconds += end - self._created.pop(pod)
            del self._ready_since[pod]

    def _victims(self, now: float, count: int) -> list[int]:
        pods = list(self._ready_since)
        if self._instant:
            left = dict.fromkeys(pods, now)
            for free, pod in self._slots:
                left[pod] = max(left[pod], free)
            return sorted(pods, key=left.__getitem__)[:count]
        ties = self._random.random(len(pods))
        ages = {pod: now - since for pod, since in self._ready_since.items()}
        ranks = {
            pod: (math.floor(math.log2(ages[pod] * 1e9)) if ages[pod] > 0 else -1, tie)
            for pod, tie in zip(pods, ties, strict=True)
        }
        return sorted(pods, key=ranks.__getitem__)[:count]

    def _finish(self, end: float) -> Run:
        paid = self._pod_seconds + sum(max(0.0, end - created) for created in self._created.values())
        starts = np.full(len(self._arrivals), math.inf)
        starts[: len(self._starts)] = self._starts
        return Run(
            workload=self.workload,
            starts=starts,
            pod_seconds=paid,
            replicas=tuple(self._timeline),
            samples=tuple(self.samples),
            interrupted=self._interrupted,
            end_seconds=end,
        )
