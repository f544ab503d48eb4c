"""The scheduler of periodic tasks: `python -m app.beat`.

Invariant: one process, and its heartbeat file is written by the scheduler's own tick, so a scheduler that hangs is noticed. What was sent last is kept
in /tmp: after a restart entries that are due are sent again at most once, as Celery's own scheduler does it.
"""

import os
import sys
from typing import Any

from celery.utils.imports import symbol_by_name

from app.application import load_application, register_tasks
from app.logs import keep_celery_from_logging, set_up_logging
from app.settings import configure
from app.worker.health import BEAT, HealthFiles, run_folder
from fleet.documents import ProducerDocument, document_path, load_document
from fleet.errors import FleetError

SCHEDULE_FILE = "/tmp/beat-schedule"  # noqa: S108 -- an emptyDir of the pod's own
TICK_SECONDS = 30.0
"""Longest sleep between two ticks, well under the three minutes of the probe."""


def with_heartbeat(scheduler: type[Any], health: HealthFiles) -> type[Any]:
    """The application's scheduler class, which tells the probe of every tick."""

    class HeartbeatScheduler(scheduler):
        def tick(self, *args: Any, **kwargs: Any) -> Any:
            health.turned(BEAT)
            return super().tick(*args, **kwargs)

    return HeartbeatScheduler


def main() -> int:
    """Run until a signal ends it."""
    try:
        set_up_logging(os.environ)
        keep_celery_from_logging()
        document = load_document(document_path(os.environ), ProducerDocument)
        app = load_application(document.application)
        configure(app, document, os.environ)
        register_tasks(app)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    app.conf.beat_max_loop_interval = min(app.conf.beat_max_loop_interval or TICK_SECONDS, TICK_SECONDS)
    scheduler = with_heartbeat(symbol_by_name(app.conf.beat_scheduler), HealthFiles(run_folder()))
    app.Beat(scheduler_cls=scheduler, schedule=SCHEDULE_FILE, loglevel="INFO", quiet=True, no_color=True).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
