"""What one measurement of one variant found, and what many say together."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One measurement."""

    count: int
    seconds: float
    cpu_seconds: float
    """Of the process that is measured, its children included."""
    latencies: tuple[float, ...] = ()
    """Seconds; none where calls are not made one by one."""
    memory_mib: float | None = None
    """Resident, of the process that is measured and its children."""

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


def is_alive(process: psutil.Process) -> bool:
    """Whether it has not ended; one that nobody has waited for yet still counts as running for psutil (7.2, `is_running`)."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and the children that it has."""
    found = [process, *process.children(recursive=True)]
    return float(sum(times.user + times.system for times in (each.cpu_times() for each in found)))


def memory_of(process: psutil.Process) -> float:
    """MiB that a process and its children hold, what they share counted once (PSS)."""
    found = [process, *process.children(recursive=True)]
    return float(sum(each.memory_full_info().pss for each in found)) / 2**20


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Of values in ascending order."""
    return ordered[len(ordered) * percent // 100]


def summed_up(samples: Sequence[Sample]) -> dict[str, Any]:
    """Medians over the rounds; percentiles over all calls."""
    figures: dict[str, Any] = {
        "per_second": round(statistics.median(sample.per_second for sample in samples)),
        "cpu_ms_per_task": round(
            statistics.median(1000 * sample.cpu_seconds / sample.count for sample in samples), 3
        ),
    }  # fmt: skip
    latencies = sorted(latency for sample in samples for latency in sample.latencies)
    if latencies:
        figures["p50_ms"] = round(1000 * percentile(latencies, 50), 3)
        figures["p99_ms"] = round(1000 * percentile(latencies, 99), 3)
    if memories := [sample.memory_mib for sample in samples if sample.memory_mib is not None]:
        figures["memory_mib"] = round(statistics.median(memories))
    return figures


def ratio(rounds: Sequence[Mapping[str, Sample]], one: str, other: str) -> float:
    """Median over the rounds of the rates' ratio: what disturbs the machine in a round disturbs both."""
    return round(statistics.median(each[one].per_second / each[other].per_second for each in rounds), 2)


def measure_rounds(
    variants: Mapping[str, Callable[[], Sample]], rounds: int, tell: Callable[[str], None]
) -> list[dict[str, Sample]]:
    """Every variant once a round, in an order that turns with the rounds."""
    found = []
    names = list(variants)
    for number in range(rounds):
        turned = names[number % len(names) :] + names[: number % len(names)]
        measured = {name: variants[name]() for name in turned}
        found.append(measured)
        tell(f"round {number + 1}: " + ", ".join(f"{name} {measured[name].per_second:.0f}/s" for name in names))
    return found
