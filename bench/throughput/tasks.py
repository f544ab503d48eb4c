"""The tasks of the bench, in two applications: one that a fleet configures, and one as Celery comes, with a classic queue and early acknowledgement."""

import os
import time
from pathlib import Path
from typing import Any

from celery import Celery

STOCK_VARIABLE = "BENCH_STOCK_BROKER"
"""URL of the broker of the stock application."""

NOOP, MARK, STAMP = "throughput.noop", "throughput.mark", "throughput.stamp"

durable = Celery("durable", set_as_current=False)
stock = Celery("stock", broker=os.environ.get(STOCK_VARIABLE, "memory://"), set_as_current=False)


def noop() -> None:
    """What is measured is everything else."""


def mark(log: str) -> None:
    """Says when its turn came, on the clock that all processes of a machine share."""
    _write(log, time.monotonic())


def stamp(log: str, sent: float) -> None:
    """Says how long it waited."""
    _write(log, time.monotonic() - sent)


def _write(log: str, number: float) -> None:
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(f"{number:.6f}\n")


def register(app: Any) -> None:
    """All three, in an application."""
    for name, task in ((NOOP, noop), (MARK, mark), (STAMP, stamp)):
        app.task(name=name, ignore_result=True, shared=False)(task)


register(durable)
register(stock)
