"""Ten thousand messages and requests that nobody should send, through the broker, a worker and the web layer: `python -m bench.malformed`.

With the sandbox's fleet up, or against the broker that `FLEET_TEST_BROKER` names. The figures go into `bench/results/malformed.json`; the run fails where one
of them was taken up, was lost, ended a process, or was answered with anything but a refusal.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import amqp
from yarl import URL

from app.web.limits import DEFAULTS
from bench.results_file import keep_figures
from bench.throughput import tasks
from bench.throughput.place import QUEUE, Place, place, web
from bench.throughput.sample import is_alive
from tests.app.malformed import BadRequest, bad_requests, malformed_messages
from tests.cluster.running_fleet import eventually

SEED = 1
MESSAGES = REQUESTS = 5000
PORT = 18098
CLIENTS = 8
SETTLE_SECONDS = 300.0


def messages(here: Place) -> dict[str, Any]:
    """What becomes of the messages; a good one after them says that the worker goes on."""
    log = here.folder / "ran"
    kinds: Counter[str] = Counter()
    with here.worker("durable", slots=2, multiplier=1) as process:
        connection = here.client("producer")
        channel = connection.channel()
        channel.confirm_select()
        for sent in malformed_messages(SEED, MESSAGES, task=tasks.MARK):
            headers = {} if sent.headers is None else {"application_headers": sent.headers}
            wire = amqp.Message(sent.body, delivery_mode=2, **headers, **sent.properties)
            amqp.Channel.basic_publish(channel, wire, exchange="tasks", routing_key=QUEUE)
            kinds[sent.kind] += 1
        app = here.durable()
        app.tasks[tasks.MARK].apply_async([str(log)])
        app.close()
        eventually(
            lambda: True if log.exists() else None,
            within_seconds=SETTLE_SECONDS,
            waiting_for="the task behind them",
            every_seconds=0.5,
        )
        dead = eventually(
            lambda: found if (found := _count(here, f"{QUEUE}-dead")) >= MESSAGES else None,
            within_seconds=SETTLE_SECONDS,
            waiting_for="dead letters",
            every_seconds=1,
        )
        connection.collect()
        alive = is_alive(process)
    ran = len(log.read_text().splitlines()) - 1
    return {"sent": MESSAGES, "kinds": len(kinds), "dead_lettered": dead, "ran": ran, "workers_ended": int(not alive)}


def _count(here: Place, queue: str) -> int:
    connection = here.client("reader")
    found = int(connection.channel().queue_declare(queue, passive=True).message_count)
    connection.close()
    return found


async def _ask_all(address: str) -> Counter[int]:
    asked = bad_requests(
        SEED, REQUESTS, task=tasks.MARK, call={"args": ["log"]}, body_bytes=DEFAULTS.max_body_bytes
    )  # fmt: skip
    answers: Counter[int] = Counter()

    async def client(session: aiohttp.ClientSession) -> None:
        for bad in asked:
            answers[await _ask(session, address, bad)] += 1

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(CLIENTS)))
    return answers


async def _ask(session: aiohttp.ClientSession, address: str, bad: BadRequest) -> int:
    url = URL(address + bad.path, encoded=True)
    async with session.request(bad.method, url, data=bad.content, headers=bad.headers) as answer:
        text = await answer.text()
        if not 400 <= answer.status < 500 or "detail" not in text:
            raise RuntimeError(f"{bad} was answered with {answer.status}: {text[:200]}")
        return answer.status


def requests(here: Place) -> dict[str, Any]:
    """What the web layer answers, and what it published."""
    before = _count(here, QUEUE)
    with web(here, PORT) as (address, process):
        answers = asyncio.run(_ask_all(address))
        alive = is_alive(process)
    return {
        "sent": REQUESTS,
        "refused": sum(answers.values()),
        "refused_by_status": {str(status): count for status, count in sorted(answers.items())},
        "published": _count(here, QUEUE) - before,
        "processes_ended": int(not alive),
    }


def main() -> int:
    """Send them all."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, place(Path(folder)) as here:
        figures = {"messages": messages(here), "requests": requests(here)}
    for name, found in figures.items():
        sys.stdout.write(f"{name}: {found}\n")
    keep_figures("malformed", "python -m bench.malformed", os.environ, figures)
    sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")
    sent, asked = figures["messages"], figures["requests"]
    kept = sent["dead_lettered"] == MESSAGES and asked["refused"] == REQUESTS
    return (
        0
        if kept and not (sent["ran"] or sent["workers_ended"] or asked["published"] or asked["processes_ended"])
        else 1
    )


if __name__ == "__main__":
    sys.exit(main())
