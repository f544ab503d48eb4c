"""Process 1 of a worker pod.

What has to happen before Celery is imported happens here: gevent replaces the standard library's blocking calls, and Celery reads from the environment
what SIGTERM means while its modules are loaded.
"""

import os
import sys

from fleet.documents import WorkerDocument, document_path, load_document
from fleet.errors import FleetError
from fleet.sizing import Pool, Shutdown

EXIT_MISTAKE = 2
"""Something a person has to put right; Kubernetes' back-off does the waiting."""


def main() -> int:
    """The worker's exit code."""
    try:
        document = load_document(document_path(os.environ), WorkerDocument)
        # Celery's own soft shutdown sleeps where it handles the signal: with gevent that is the hub, and the worker would fail (`app.worker.stopping`).
        if document.worker.shutdown is Shutdown.SOFT and document.worker.pool is Pool.PREFORK:
            os.environ["REMAP_SIGTERM"] = "SIGQUIT"
        if document.worker.pool is Pool.GEVENT:
            from gevent import monkey  # noqa: PLC0415 -- only where the Plan wants it

            monkey.patch_all()
        from app.worker.running import run_worker  # noqa: PLC0415 -- Celery comes after the two above

        return run_worker(document, os.environ)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_MISTAKE


if __name__ == "__main__":
    sys.exit(main())
