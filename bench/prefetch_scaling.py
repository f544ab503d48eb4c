"""What the term for running work may divide by where a slot holds several messages: `python -m bench.prefetch_scaling`.

A discrete-event simulation of one queue under the mid and the short formula (HPA and KEDA rules, statistics every 5 s and 3 s old, pods that start in 5
to 10 s), for each way to read busy slots from unacknowledged messages. It prints a line a run and keeps all in `bench/results/prefetch-scaling.json`.
"""

import heapq
import math
import os
import random
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.results_file import keep_figures

MEAN_SECONDS, P99_SECONDS, SLOTS = 0.015, 0.06, 8
PEAK_PER_SECOND = 1600.0
TRACE_SECONDS = 420.0
MAX_PODS = 40
MULTIPLIERS = (4, 16)
PROMISES = {"mid": (30.0, 30.0, 0.95, 30.0, 1), "short": (1.0, 10.0, 0.9, 120.0, 3)}
"""Regime -> promised wait, horizon of the backlog term, busy share, scale-down window, minimum."""

FORMS: dict[str, Callable[[int, int, int], float]] = {
    "undivided": lambda unacked, multiplier, pods: unacked,
    "divided": lambda unacked, multiplier, pods: unacked / multiplier,
    "capped": lambda unacked, multiplier, pods: min(unacked, pods * SLOTS),
}
"""Busy slots as read from unacknowledged messages; `capped` needs the number of consumers, which KEDA's formula does not have."""

TRACES: dict[str, Callable[[float], float]] = {
    "steady": lambda now: 0.6,
    "step": lambda now: 1.0 if now >= 120 else 0.2,
    "flash": lambda now: 1.0 if 120 <= now < 180 or 300 <= now < 360 else 0.15,
    "ramp": lambda now: 0.1 + 0.9 * min(1.0, now / 300),
}


@dataclass(kw_only=True, eq=False)
class Pod:
    """One worker: what runs, what waits in it, and whether it still takes messages."""

    running: int = 0
    waiting: deque[float] = field(default_factory=deque)
    open: bool = True


class Queue:
    """One queue, its pods and its autoscaler, on one clock."""

    def __init__(self, form: str, multiplier: int, regime: str, trace: str, seed: int) -> None:
        self.busy, self.load, self.multiplier = FORMS[form], TRACES[trace], multiplier
        self.wait, self.horizon, self.share, self.window, self.minimum = PROMISES[regime]
        self.random = random.Random(seed)  # noqa: S311 -- a simulation
        ratio = math.log(P99_SECONDS / MEAN_SECONDS)
        self.sigma = 2.326 - math.sqrt(5.41 - 2 * ratio)
        self.ready: deque[float] = deque()
        self.pods: list[Pod] = []
        self.events: list[tuple[float, int, str, Pod | None]] = []
        self.number = self.turn = self.late = self.started = self.most = 0
        self.starting: dict[int, Pod] = {}
        self.pod_seconds = 0.0
        self.samples: deque[tuple[float, int, int]] = deque([(0.0, 0, 0)])
        self.wishes: deque[tuple[float, int]] = deque()

    def at(self, when: float, what: str, pod: Pod | None = None) -> None:
        self.number += 1
        heapq.heappush(self.events, (when, self.number, what, pod))

    def run(self) -> None:
        for _ in range(max(self.minimum, math.ceil(PEAK_PER_SECOND * self.load(0) * MEAN_SECONDS / SLOTS))):
            self.pods.append(Pod())
        for what, first in (("arrive", 0.0), ("sample", 0.0), ("sync", 7.0)):
            self.at(first, what)
        before = 0.0
        while self.events:
            now, _, what, pod = heapq.heappop(self.events)
            if now > TRACE_SECONDS:
                break
            self.pod_seconds += (now - before) * (len(self.pods) + len(self.starting))
            before = now
            getattr(self, what)(now, pod)

    def arrive(self, now: float, _: object) -> None:
        self.at(now + self.random.expovariate(PEAK_PER_SECOND * self.load(now)), "arrive")
        self.ready.append(now)
        self.deliver(now)

    def deliver(self, now: float) -> None:
        """To the next consumer in turn that has credit, as RabbitMQ does."""
        tried = 0
        while self.ready and tried < len(self.pods):
            pod = self.pods[self.turn % len(self.pods)]
            self.turn += 1
            if pod.running + len(pod.waiting) >= SLOTS * self.multiplier:
                tried += 1
                continue
            tried = 0
            pod.waiting.append(self.ready.popleft())
            self.begin(now, pod)

    def begin(self, now: float, pod: Pod) -> None:
        while pod.waiting and pod.running < SLOTS and pod.open:
            self.started += 1
            self.late += now - pod.waiting.popleft() > self.wait
            pod.running += 1
            mean = math.log(MEAN_SECONDS) - self.sigma**2 / 2
            self.at(now + self.random.lognormvariate(mean, self.sigma), "finish", pod)

    def finish(self, now: float, pod: Pod) -> None:
        pod.running -= 1
        if pod.open:
            self.begin(now, pod)
            self.deliver(now)

    def sample(self, now: float, _: object) -> None:
        self.at(now + 5, "sample")
        unacked = sum(pod.running + len(pod.waiting) for pod in self.pods)
        self.samples.append((now + 3, unacked, len(self.ready)))

    def sync(self, now: float, _: object) -> None:
        """The HPA: 10 % tolerance, the highest wish of the scale-down window."""
        self.at(now + 15, "sync")
        while len(self.samples) > 1 and self.samples[1][0] <= now:
            self.samples.popleft()
        _seen, unacked, ready = self.samples[0]
        present = len(self.pods) + len(self.starting)
        wanted = self.busy(unacked, self.multiplier, len(self.pods)) / self.share + ready * MEAN_SECONDS / self.horizon
        value = wanted / SLOTS
        wish = present if abs(value / present - 1) <= 0.1 else math.ceil(value)
        wish = max(self.minimum, min(MAX_PODS, wish))
        self.wishes.append((now, wish))
        while self.wishes[0][0] < now - self.window:
            self.wishes.popleft()
        self.scale(now, max(wish, min(present, max(kept for _, kept in self.wishes))))

    def scale(self, now: float, wish: int) -> None:
        present = len(self.pods) + len(self.starting)
        self.most = max(self.most, wish)
        for _ in range(wish - present):
            pod = Pod()
            self.starting[id(pod)] = pod
            self.at(now + self.random.uniform(5, 10), "ready_pod", pod)
        for _ in range(min(present - wish, len(self.pods) - 1)):
            # A warm shutdown: what runs is finished, what waits in the worker goes back to the head of the queue.
            pod = self.pods.pop(self.random.randrange(len(self.pods)))
            pod.open = False
            self.ready.extendleft(reversed(pod.waiting))
            pod.waiting.clear()
        self.deliver(now)

    def ready_pod(self, now: float, pod: Pod) -> None:
        del self.starting[id(pod)]
        self.pods.append(pod)
        self.deliver(now)


def main() -> None:
    """Every form, multiplier, regime and trace."""
    figures: dict[str, object] = {}
    runs = [("undivided", 1), *((form, multiplier) for multiplier in MULTIPLIERS for form in FORMS)]
    for regime in PROMISES:
        for trace in TRACES:
            for form, multiplier in runs:
                queue = Queue(form, multiplier, regime, trace, seed=1)
                queue.run()
                shown = {
                    "in_time_percent": round(100 * (1 - queue.late / queue.started), 2),
                    "mean_pods": round(queue.pod_seconds / TRACE_SECONDS, 2),
                    "most_pods": queue.most,
                }
                figures[f"{regime}_{trace}_x{multiplier}_{form}"] = shown
                sys.stdout.write(f"{regime:6}{trace:8}x{multiplier:<3}{form:10} {shown}\n")
                sys.stdout.flush()
    keep_figures("prefetch-scaling", "python -m bench.prefetch_scaling", os.environ, figures)


if __name__ == "__main__":
    main()
