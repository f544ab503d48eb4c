"""`python -m app.dead_letters`: reads one request as JSON from standard input, writes the answer as JSON lines.

Invariant: standard output holds nothing but lines of `LetterAnswer`, the last of which is the answer or an error; the exit code is 0 or 1. SIGINT ends a
replay or drop after the letter it is about; a second one ends the process. The login comes from the environment, never from the command line.
"""

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from app.connections import Connections, read_connections
from app.dead_letters.handling import Handler
from app.dead_letters.mailbox import Mailbox, StoppedError
from app.dead_letters.rabbitmq import opened
from fleet.dead_letters import LetterAnswer, LetterError, LetterRequest
from fleet.errors import FleetError

LOGIN = {"FLEET_BROKER_USERNAME": "FLEET_OPERATOR_USERNAME", "FLEET_BROKER_PASSWORD": "FLEET_OPERATOR_PASSWORD"}
"""Variable that every pod has -> the one with the operator's value: a shell has a worker's login in the former."""


def operator_connections(environ: Mapping[str, str]) -> Connections:
    """Where the broker is, as its user `operator`.

    Raises: FleetError when a variable is missing.
    """
    missing = [name for name in ("FLEET_BROKER_HOST", *LOGIN.values()) if not environ.get(name)]
    if missing:
        raise FleetError(
            "environment",
            f"{', '.join(missing)} not set",
            "Run it in `make shell`, or set them as docs/how-to/dead-letters.md says.",
        )
    return read_connections({**environ, **{name: environ[own] for name, own in LOGIN.items()}})


class Interruption:
    """The first SIGINT asks to end, the second one ends."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """From now on."""
        signal.signal(signal.SIGINT, self._ask)

    def _ask(self, *_: Any) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def answer(mailbox: Mailbox, request: LetterRequest, interruption: Interruption) -> LetterAnswer:
    """The last line of the answer."""
    handler = Handler(
        mailbox=mailbox,
        request=request,
        tell=lambda progress: write(LetterAnswer(progress=progress)),
        is_stopped=lambda: interruption.asked,
    )
    match request.command:
        case "list":
            return LetterAnswer(queues=handler.summaries())
        case "show":
            return LetterAnswer(letters=handler.letters())
        case "replay":
            return LetterAnswer(outcome=handler.replay())
        case "drop":
            return LetterAnswer(outcome=handler.drop())


def write(line: LetterAnswer) -> None:
    """One line, at once."""
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def main() -> int:
    """The exit code."""
    interruption = Interruption()
    interruption.listen()
    try:
        request = msgspec.json.decode(sys.stdin.buffer.read(), type=LetterRequest)
        with opened(operator_connections(os.environ), request.vhost) as mailbox:
            line = answer(mailbox, request, interruption)
    except msgspec.DecodeError as error:
        line = _failed(FleetError("standard input", f"is no request: {error}", "Use `fleet dlq`."))
    except FleetError as error:
        line = _failed(error)
    except StoppedError as error:
        line = _failed(FleetError("broker", str(error), "Everything that was read is back in its queue."))
    write(line)
    return 0 if line.error is None else 1


def _failed(error: FleetError) -> LetterAnswer:
    return LetterAnswer(error=LetterError(where=error.where, problem=error.problem, fix=error.fix))


if __name__ == "__main__":
    sys.exit(main())
