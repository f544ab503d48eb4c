"""Asks workers for their busy slots.

Invariant: a round is bounded, however many pods there are and whatever they answer; a pod that does not answer, or answers in another's name (an address
is given to the next pod as soon as it is free), is left out.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException

import msgspec

from app.scale_in.deciding import WorkerPod
from fleet.metrics import METRICS_PORT

ANSWER_SECONDS = 2.0
"""What a pod in the same cluster has for each step of its answer."""

ROUND_SECONDS = 5.0
"""What all of them have together."""

AT_ONCE = 32

LARGEST_ANSWER_BYTES = 4096


class _Busy(msgspec.Struct):
    """What of `/busy` is asked for (`app.worker.serving`)."""

    pod: str
    busy: int


def ask_busy(pods: Sequence[WorkerPod], *, port: int = METRICS_PORT) -> dict[str, int]:
    """Name of a pod -> slots that run a task now, of those that answer in time."""
    if not pods:
        return {}
    pool = ThreadPoolExecutor(max_workers=min(AT_ONCE, len(pods)))
    asked = {pool.submit(_ask, pod.address, port): pod for pod in pods}
    answered, _ = wait(asked, timeout=ROUND_SECONDS)
    # Whoever is late ends by itself, soon: every step has its own bound.
    pool.shutdown(wait=False, cancel_futures=True)
    found = {asked[future].name: future.result() for future in answered}
    return {name: told.busy for name, told in found.items() if told is not None and told.pod == name and told.busy >= 0}


def _ask(address: str, port: int) -> _Busy | None:
    with (
        suppress(OSError, HTTPException, msgspec.DecodeError),
        closing(HTTPConnection(address, port, timeout=ANSWER_SECONDS)) as connection,
    ):
        connection.request("GET", "/busy")
        answer = connection.getresponse()
        if answer.status == 200:
            return msgspec.json.decode(answer.read(LARGEST_ANSWER_BYTES), type=_Busy)
    return None
