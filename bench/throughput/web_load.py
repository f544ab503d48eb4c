"""Requests to the web layer: as many as it takes, and at half of that, beside an endpoint of the same server that does nothing."""

import asyncio
import statistics
import time
from functools import partial
from typing import Any

import aiohttp
import psutil

from bench.throughput import tasks
from bench.throughput.place import Place, web
from bench.throughput.sample import Sample, cpu_of, measure_rounds, memory_of, percentile, ratio, summed_up

PORT = 18099
CLIENTS = 16
PATHS = {"noop": "/noop", "post": f"/tasks/{tasks.NOOP}"}
BODY: dict[str, Any] = {"args": [], "kwargs": {}}


def measure(here: Place, *, count: int, rounds: int, tell: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """Figures by endpoint, and ratios."""
    with web(here, PORT) as (address, process):
        for path in PATHS.values():
            asyncio.run(_saturate(address + path, count // 4, process))

        def saturated(path: str) -> Sample:
            return asyncio.run(_saturate(address + path, count, process))

        found = measure_rounds({name: partial(saturated, path) for name, path in PATHS.items()}, rounds, tell)
        full = statistics.median(each["post"].per_second for each in found)
        half = [asyncio.run(_steady(address + PATHS["post"], per_second=full / 2, seconds=3)) for _ in range(rounds)]
        memory = round(memory_of(process))
    figures = {name: summed_up([each[name] for each in found]) for name in PATHS}
    usual = sorted(half, key=lambda latencies: percentile(latencies, 99))[len(half) // 2]
    figures["post"] |= {
        "half_load_per_second": round(full / 2),
        "half_load_p50_ms": round(1000 * percentile(usual, 50), 2),
        "half_load_p99_ms": round(1000 * percentile(usual, 99), 2),
        "memory_mib": memory,
    }
    here.purge()
    return figures, {"post_over_noop": ratio(found, "post", "noop")}


async def _saturate(url: str, count: int, process: psutil.Process) -> Sample:
    left = iter(range(count))
    latencies: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS)) as session:

        async def client() -> None:
            for _ in left:
                latencies.append(await _ask(session, url))

        began, cpu = time.perf_counter(), cpu_of(process)
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        seconds = time.perf_counter() - began
    return Sample(count=count, seconds=seconds, cpu_seconds=cpu_of(process) - cpu, latencies=tuple(latencies))


async def _steady(url: str, *, per_second: float, seconds: float) -> list[float]:
    """Sorted latencies at a steady rate, whatever earlier requests take."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=4 * CLIENTS)) as session:
        began = asyncio.get_running_loop().time()
        asked = []
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - asyncio.get_running_loop().time()))
            asked.append(asyncio.create_task(_ask(session, url)))
        return sorted(await asyncio.gather(*asked))


async def _ask(session: aiohttp.ClientSession, url: str) -> float:
    began = time.perf_counter()
    async with session.post(url, json=BODY) as answer:
        await answer.read()
        if answer.status != 202:
            raise RuntimeError(f"{url} answered {answer.status}: {await answer.text()}")
    return time.perf_counter() - began
