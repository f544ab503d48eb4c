"""`make demo`: a realistic mix through the web layer, watched until all of it is done and the fleet is back at its minimum.

The invariant: what is counted as sent was accepted by the web layer (202), and what is counted as done was counted by a worker.
"""

import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live

from fleet.errors import FleetError
from ops import table
from ops.mix import Call, mixed_calls
from ops.observing import Observer, QueueView, observing
from ops.target import Target

SAMPLE_APPLICATION = "app.celery_app:celery_app"
SENDERS = 12
"""Requests in flight: a burst, yet no more than one small web pod answers at once."""

ATTEMPTS = 8
RETRY_SECONDS = 1.0
SEND_TIMEOUT_SECONDS = 15.0
LOOK_SECONDS = 2.0
LOG_SECONDS = 10.0
TIMEOUT_SECONDS = 900.0


@dataclass(kw_only=True)
class Sending:
    """What has been sent so far; filled by the senders, read by the watcher."""

    total: int
    accepted: dict[str, int] = field(default_factory=dict)
    """Queue -> tasks accepted."""
    refused: list[str] = field(default_factory=list)
    """Why tasks were not accepted."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def took(self, queue: str) -> None:
        """One task was accepted."""
        with self._lock:
            self.accepted[queue] = self.accepted.get(queue, 0) + 1

    def refuse(self, reason: str) -> None:
        """One task was not accepted."""
        with self._lock:
            self.refused.append(reason)

    @property
    def over(self) -> bool:
        """Whether every task was accepted or refused."""
        with self._lock:
            return sum(self.accepted.values()) + len(self.refused) >= self.total


def send(
    client: httpx.Client, call: Call, sending: Sending, ended: threading.Event, started: float | None = None
) -> None:
    """Send one task when it is due; a web layer that says 503 is asked again after the time it names."""
    reason = ""
    if started is not None:
        ended.wait(max(0.0, started + call.due_seconds - time.monotonic()))
    for _ in range(ATTEMPTS):
        if ended.is_set():
            return
        pause = RETRY_SECONDS
        try:
            response = client.post(f"/tasks/{call.task}", json=call.body)
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__} {error}".strip()
        else:
            if response.status_code == httpx.codes.ACCEPTED:
                sending.took(str(response.json()["queue"]))
                return
            reason = f"{call.task}: {response.status_code} {response.text[:200]}"
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            pause = float(response.headers.get("Retry-After", pause))
        ended.wait(pause)
    sending.refuse(reason)


def settled(views: Sequence[QueueView], sending: Sending) -> bool:
    """Whether everything sent is done and the fleet is back at its minimum."""
    return sending.over and all(
        view.counters.finished >= sending.accepted.get(view.name, 0) and view.resting for view in views
    )


def run_demo(
    target: Target,
    *,
    scale: float = 1.0,
    as_json: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Send the mix, watch it, sum up.

    Raises: FleetError when tasks were refused, or not everything was done in time.
    """
    if target.plan.application != SAMPLE_APPLICATION:
        raise FleetError(
            "queues.yaml: application",
            f"the demo sends the sample application's tasks, and this fleet runs {target.plan.application}",
            "Send your own: POST /tasks/<name> on the address that `make status` prints.",
        )
    calls = mixed_calls(scale, orders_per_second=_orders_peak(target))
    sending, ended = Sending(total=len(calls)), threading.Event()
    started = time.monotonic()
    with observing(target) as observer:
        start = observer.counters()
        with (
            httpx.Client(
                base_url=observer.web.base_url,
                timeout=SEND_TIMEOUT_SECONDS,
                limits=httpx.Limits(max_connections=SENDERS),
            ) as client,
            ThreadPoolExecutor(SENDERS) as senders,
        ):
            for call in calls:
                senders.submit(send, client, call, sending, ended, started)
            try:
                views, peaks = watch(observer, sending, start, quiet=as_json, timeout_seconds=timeout_seconds)
            finally:
                ended.set()
                senders.shutdown(cancel_futures=True)
    seconds = time.monotonic() - started
    if as_json:
        sys.stdout.write(json.dumps(summary_document(target, views, sending, peaks, seconds), indent=2) + "\n")
    else:
        for line in summary_lines(target, views, sending, peaks, seconds):
            Console().print(line, highlight=False)
    if sending.refused:
        raise FleetError(
            f"{observer.web.base_url}tasks",
            f"{len(sending.refused)} of {sending.total} tasks were not accepted",
            f"The first: {sending.refused[0]}",
        )


def _orders_peak(target: Target) -> float:
    """The peak that the queue of the orders was planned for: above it no promise was made."""
    return next(
        (queue.promise.peak_per_second for queue in target.plan.queues if "app.tasks.orders.*" in queue.tasks), 30.0
    )


def watch(
    observer: Observer,
    sending: Sending,
    start: Mapping[str, Any],
    *,
    quiet: bool,
    timeout_seconds: float,
) -> tuple[list[QueueView], dict[str, int]]:
    """Show the table until the fleet has settled; the last views and the most pods seen of each queue.

    Raises: FleetError with what is left of each queue when that takes longer than `timeout_seconds`.
    """
    plan, peaks = observer.target.plan, dict[str, int]()
    console = Console(stderr=quiet)
    started, told = time.monotonic(), float("-inf")
    with Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext() as live:
        while True:
            views = observer.look(start)
            for view in views:
                peaks[view.name] = max(peaks.get(view.name, 0), view.replicas or 0)
            now = time.monotonic()
            if live is not None:
                title = f"{sum(sending.accepted.values())} of {sending.total} tasks sent, {now - started:.0f} s"
                live.update(table.queue_table(plan, views, sent=sending.accepted, title=title), refresh=True)
            elif now - told > LOG_SECONDS:
                told = now
                console.print(f"{now - started:4.0f} s  {table.queue_line(views, sending.accepted)}", soft_wrap=True)
            if settled(views, sending):
                return views, peaks
            if now - started > timeout_seconds:
                raise FleetError(
                    "demo",
                    f"not settled after {timeout_seconds:.0f} s: {table.queue_line(unsettled(views, sending), sending.accepted)}",
                    "Look at the pods with `make status` and `kubectl logs`; tasks that were accepted are kept.",
                )
            time.sleep(LOOK_SECONDS)


def unsettled(views: Sequence[QueueView], sending: Sending) -> list[QueueView]:
    """The queues that still have something to do."""
    return [view for view in views if view.counters.finished < sending.accepted.get(view.name, 0) or not view.resting]


def summary_lines(
    target: Target, views: Sequence[QueueView], sending: Sending, peaks: Mapping[str, int], seconds: float
) -> list[str]:
    """What the demo showed, one line a queue."""
    queues = {queue.name: queue for queue in target.plan.queues}
    lines = [f"\n{sum(sending.accepted.values())} tasks done in {seconds:.0f} s; the fleet is back at its minimum."]
    for view in views:
        queue = queues[view.name]
        kept = table.is_kept(queue, view)
        word = {True: "[green]promise kept[/]", False: "[yellow]promise missed[/]", None: "no task measured"}[kept]
        lines.append(
            f"  {view.name}: {word}, {table.kept_text(queue, view)} within "
            f"{table.seconds_text(queue.promise.wait_seconds)} ({queue.promise.percentile:g}% promised); "
            f"{view.minimum} -> {peaks.get(view.name, 0)} -> {view.replicas} pods"
        )
    return lines


def summary_document(
    target: Target, views: Sequence[QueueView], sending: Sending, peaks: Mapping[str, int], seconds: float
) -> dict[str, Any]:
    """The same for programs: `seconds`, `sent`, `refused`, and of each queue its view with `sent` and `peak_replicas`."""
    queues = {queue.name: queue for queue in target.plan.queues}
    return {
        "seconds": round(seconds, 1),
        "sent": sum(sending.accepted.values()),
        "refused": len(sending.refused),
        "queues": {
            view.name: table.view_document(queues[view.name], view)
            | {"sent": sending.accepted.get(view.name, 0), "peak_replicas": peaks.get(view.name, 0)}
            for view in views
        },
    }
