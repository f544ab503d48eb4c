"""`python -m app.inspect`: what an application consists of, as JSON; needs no broker.

The one way in which the other rooms ask about Celery: as a subprocess.
"""

import argparse
import json
import sys

from app.application import load_application
from fleet.errors import FleetError


def describe(reference: str) -> dict[str, object]:
    """Tasks, schedule and queues of an application; Celery's own tasks are left out."""
    app = load_application(reference)
    app.loader.import_default_modules()
    app.finalize()
    return {
        "application": reference,
        "tasks": sorted(name for name in app.tasks if not name.startswith("celery.")),
        "schedule": sorted(app.conf.beat_schedule or {}),
        "queues": sorted(queue.name for queue in app.conf.task_queues or ()),
    }


def main() -> int:
    """Prints the description; 1 with one message when the application cannot be loaded."""
    parser = argparse.ArgumentParser(prog="python -m app.inspect", description=__doc__)
    parser.add_argument("--application", required=True, metavar="MODULE:ATTRIBUTE")
    try:
        sys.stdout.write(json.dumps(describe(parser.parse_args().application)) + "\n")
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
