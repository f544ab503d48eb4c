"""`python -m app.worker`: one Celery worker as PID 1, configured by the pod's document.

The order matters: gevent has to patch the standard library before anything opens a socket or makes a lock, and Celery reads `REMAP_SIGTERM` when its
worker module is imported. Everything else is in `app.worker.process`.
"""

import os
import sys

from app.document import worker_document
from fleet.errors import FleetError
from fleet.sizing import Pool, Shutdown


def main() -> int:
    """Prepares the process, then runs the worker until it is told to stop; 1 with one message when the pod is not set up."""
    try:
        document = worker_document()
        if document.worker.pool is Pool.GEVENT:
            from gevent import monkey  # noqa: PLC0415 - only a gevent worker pays for it

            monkey.patch_all()
        if document.worker.shutdown is Shutdown.SOFT:
            os.environ["REMAP_SIGTERM"] = "SIGQUIT"
        from app.worker.process import run  # noqa: PLC0415 - after the two lines above, see the module's docstring

        run(document)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
