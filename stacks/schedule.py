"""Whether the user's Celery application has periodic tasks: asked of the application itself, in a process of its own.

Invariant: the program imports nothing of the application; what it learns is JSON on standard output. The process is started
before the cluster is asked and waited for after it, because importing an application takes most of a second.
"""

import json
import subprocess
import sys
from dataclasses import dataclass

from fleet.errors import FleetError

INSPECTION_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """An application that is being asked."""

    application: str
    process: subprocess.Popen[str]

    def has_schedule(self) -> bool:
        """Waits for the answer.

        Raises: FleetError when the application cannot be imported.
        """
        try:
            output, errors = self.process.communicate(timeout=INSPECTION_SECONDS)
        except subprocess.TimeoutExpired:
            self.cancel()
            raise self._failed(f"gives no answer within {INSPECTION_SECONDS} s") from None
        if self.process.returncode != 0:
            lines = errors.strip().splitlines()
            raise self._failed(f"cannot be inspected: {lines[-1] if lines else 'no reason given'}")
        return bool(json.loads(output)["schedule"])

    def cancel(self) -> None:
        """Ends the process if it still runs, when its answer is not needed any more."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def _failed(self, problem: str) -> FleetError:
        return FleetError(
            f"application {self.application}",
            problem,
            f"Try it: python -m app.inspect --application {self.application}",
        )


def start_inspection(application: str, root: str) -> Inspection:
    """Asks `application` (`module:attribute`), importable from the project's root."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.inspect", "--application", application],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Inspection(application=application, process=process)
