"""`python -m app.beat`: the scheduler, one process a fleet, with a heartbeat file touched by its own tick."""

import os
import sys
from typing import Any

from celery.beat import PersistentScheduler

from app.application import load_application
from app.document import producer_document
from app.settings import configure
from app.worker import health
from fleet.errors import FleetError


class WatchedScheduler(PersistentScheduler):
    """Celery's scheduler; a tick that does not come back lets the heartbeat grow old."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Runs what is due and returns the seconds to the next tick, at most a minute."""
        pause = float(super().tick(*args, **kwargs))
        health.touch(health.BEAT)
        health.touch(health.READY)
        return min(pause, 60.0)


def main() -> int:
    """Runs beat until it is told to stop."""
    try:
        document = producer_document()
        app = load_application(document.application)
        configure(app, document, os.environ)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    health.touch(health.BEAT)
    app.start(
        ["beat", "--scheduler=app.beat:WatchedScheduler", "--schedule=/tmp/schedule", "--pidfile=", "--loglevel=INFO"]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
