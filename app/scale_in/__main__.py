"""The process of the scale-in controller: `python -m app.scale_in`.

Invariant: it ends by a signal alone. An API server that is away, or refuses, is a line in the log and a longer pause; meanwhile pods are stopped in
Kubernetes' own order, by whatever costs stand there, and nothing is lost that would not be anyway.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from threading import Event

from app.logs import set_up_logging
from app.scale_in.api import ApiError, ApiServer, UnreachableError, find_api_server, open_pods
from app.scale_in.asking import ask_busy
from app.scale_in.deciding import WorkerPod, new_costs
from app.worker.health import HealthFiles, run_folder
from fleet.documents import ScaleInDocument, document_path, load_document
from fleet.errors import FleetError
from fleet.scale_in import REFRESH_SECONDS

LONGEST_PAUSE_SECONDS = 60
"""Between two tries where the API server fails; well under the three minutes of the liveness probe."""

EXIT_MISTAKE = 2

logger = logging.getLogger("app.scale_in")


Ask = Callable[[Sequence[WorkerPod]], dict[str, int]]


def refresh_costs(server: ApiServer, document: ScaleInDocument, *, ask: Ask = ask_busy) -> None:
    """One round: list, ask, write.

    Raises: ApiError; where the cost of one pod was refused, after those of the others were written.
    """
    refused: ApiError | None = None
    with open_pods(server, document.fleet) as api:
        pods = api.of_queues(document.fleet, document.queues)
        costs = new_costs(pods, ask(pods))
        for pod, cost in costs.items():
            try:
                api.write_cost(pod, cost)
            except UnreachableError:
                raise
            except ApiError as error:
                refused = error
    if refused is not None:
        raise refused


def pause_seconds(failures: int) -> int:
    """Until the next round, after so many in a row that failed."""
    return REFRESH_SECONDS if not failures else min(LONGEST_PAUSE_SECONDS, REFRESH_SECONDS * 2 ** min(failures, 8))


def run(refresh: Callable[[], None], health: HealthFiles, wait: Callable[[float], bool]) -> None:
    """Round after round, until `wait` says that it is over; the pause comes after a round, so no pod is written to twice within one."""
    failures, told = 0, set[str]()
    while True:
        health.turned()
        try:
            refresh()
        except ApiError as error:
            failures += 1
            health.not_ready()
            if str(error) not in told:
                logger.warning("costs are not refreshed: the API server %s", error)
                told.add(str(error))
        else:
            if failures:
                logger.info("costs are refreshed again, after %d rounds that failed", failures)
            failures = 0
            told.clear()
            health.ready()
        if wait(pause_seconds(failures)):
            return


def main() -> int:
    """Run until a signal ends it."""
    try:
        set_up_logging(os.environ)
        document = load_document(document_path(os.environ), ScaleInDocument)
        server = find_api_server(os.environ)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_MISTAKE
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    logger.info("idle pods of %s are stopped first", ", ".join(document.queues))
    run(lambda: refresh_costs(server, document), HealthFiles(run_folder()), stopped.wait)
    return 0


if __name__ == "__main__":
    sys.exit(main())
