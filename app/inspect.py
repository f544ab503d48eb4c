"""What the user's Celery application contains, as JSON: `python -m app.inspect --application module:attribute`.

It needs no broker. The Pulumi program asks it whether there is a schedule, because nothing that imports Pulumi imports the application.
"""

import argparse
import json
import sys
from typing import Any

from app.application import load_application, register_tasks
from fleet.errors import FleetError


def inspect_application(name: str) -> dict[str, Any]:
    """`application`, `tasks` (names), `schedule` (names of its entries) and `queues` (that its tasks name themselves).

    Raises: FleetError when there is no such application.
    """
    app = load_application(name)
    tasks = register_tasks(app)
    queues = {getattr(app.tasks[task], "queue", None) for task in tasks}
    return {
        "application": name,
        "tasks": tasks,
        "schedule": sorted(app.conf.beat_schedule),
        "queues": sorted(queue for queue in queues if isinstance(queue, str)),
    }


def main() -> int:
    """Print the JSON, or one message on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m app.inspect", description=__doc__)
    parser.add_argument("--application", required=True, metavar="MODULE:ATTRIBUTE")
    try:
        found = inspect_application(parser.parse_args().application)
    except FleetError as error:
        sys.stderr.write(f"{error.where}: {error.problem}. {error.fix}\n")
        return 1
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
