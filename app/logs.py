"""What the processes of a fleet log: one JSON object a line on standard error, or text for people.

Invariant: no line holds a secret of this process, nor a login within a URL or an `Authorization` header, whoever wrote it; libraries put addresses into
their errors. Text is for a terminal, or where `FLEET_LOG_FORMAT=text` asks for it. Fields: `time` (UTC), `level`, `logger`, `message`, those of the
process and of the task that runs, what was given as `extra`, and `exception` with its traceback.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from fleet.errors import FleetError

MESSAGE_LENGTH = 4000
EXCEPTION_LENGTH = 8000
"""Characters of a field; of a traceback its end. Container runtimes cut a line at 16 KiB, and half an object is none.

Source: Kubernetes CRI log format, as containerd writes it (`max_container_log_line_size`, 16 KiB).
"""

HIDDEN = "**"

LARGEST = 2**63
"""A number beyond it, or one that is none, is written as text: readers of JSON make something else of it."""

SECRET_LENGTH = 6
"""A shorter value would be hidden in words that have nothing to do with it."""

_URL_LOGIN = re.compile(r"(\w://)[^\s/\"'<>]+@")
_AUTHORIZATION = re.compile(
    r"(authorization(?:[\"'\\]*\s*[:=]|[\"'\\]+\s*,)\s*(?:b?[\"'\\]+)?)(?:(Bearer|Basic|Digest|Negotiate|Token)([ \t]+))?[^\s\"'\\,;)}\]]+",
    re.IGNORECASE,
)
_TELLING = re.compile("authorization|password|passwd|secret|token|api_?key", re.IGNORECASE)
"""Names of extras whose text is hidden, whatever it is."""

_NO_EXTRAS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message", "asctime", "taskName",
    # uvicorn's (the message again, with colours) and Celery's (a task's arguments and result); the exception has its place.
    "color_message", "data", "exception",
}  # fmt: skip

_PLAIN = logging.Formatter()

Fields = Mapping[str, Any]


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """The values that no line may hold: passwords, and tokens with the names of their clients taken off."""
    found = []
    for name, value in environ.items():
        if name.endswith("_FILE"):
            continue
        if "PASSWORD" in name or "SECRET" in name:
            found.append(value)
        elif "TOKEN" in name:
            found += [part.rpartition(":")[2].strip() for part in value.split(",")]
    return [secret for secret in found if len(secret) >= SECRET_LENGTH]


class Redaction:
    """Hides what must not be read."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Python's representation of a text may escape it; the longest goes first, because one may contain another.
        known = {form for secret in secrets for form in (secret, repr(secret)[1:-1])}
        self._known = re.compile("|".join(re.escape(form) for form in sorted(known, key=len, reverse=True)) or r"(?!)")

    def __call__(self, text: str) -> str:
        """The text without them, and without halves of surrogate pairs, which no encoding takes."""
        plain = text.isascii()
        text = self._known.sub(HIDDEN, text if plain else text.encode(errors="backslashreplace").decode())
        # Looked for before it is searched: two lines a task are written where the slot could take up the next one.
        if "://" in text:
            text = _URL_LOGIN.sub(rf"\1{HIDDEN}@", text)
        # Other letters than ASCII's are taken for these, too.
        if not plain or "authorization" in text.lower():
            text = _AUTHORIZATION.sub(rf"\1\2\3{HIDDEN}", text)
        return text


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def __init__(self, *, redact: Redaction, fields: Fields, context: Callable[[], Fields]) -> None:
        super().__init__()
        self._redact = redact
        self._fields = fields
        self._context = context
        # Names are few and come again in every line.
        self._named = lru_cache(maxsize=1024)(lambda name: (redact(name), bool(_TELLING.search(name))))

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redact(record.getMessage())[:MESSAGE_LENGTH],
            **self._fields,
            **self._clean(self._context()),
            **self._clean({name: value for name, value in vars(record).items() if name not in _NO_EXTRAS}),
        }
        # Cut when it is redacted: half a secret is not found.
        if exception := self._redact(exception_of(record)):
            line["exception"] = exception[-EXCEPTION_LENGTH:]
        return msgspec.json.encode(line).decode()

    def _clean(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if -LARGEST < value < LARGEST else repr(value)
        match value:
            case str():
                return self._redact(value)
            case Mapping():
                named = ((*self._named(str(name)), inner) for name, inner in value.items())
                return {
                    name: HIDDEN if telling and isinstance(inner, str) else self._clean(inner)
                    for name, telling, inner in named
                }
            case list() | tuple():
                return [self._clean(inner) for inner in value]
        return self._redact(repr(value))


class TextFormatter(logging.Formatter):
    """A record for people."""

    def __init__(self, *, redact: Redaction) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback below it."""
        text = super().format(record)
        if not record.exc_info and (exception := exception_of(record)):
            text = f"{text}\n{exception}"
        return self._redact(text)


def exception_of(record: logging.LogRecord) -> str:
    """The traceback of a record, or of its extra `exception`: in another process there is only its text."""
    if record.exc_info and record.exc_info[0] is not None:
        return _PLAIN.formatException(record.exc_info)
    return str(getattr(record, "exception", None) or record.stack_info or "")


def create_formatter(
    environ: Mapping[str, str], *, terminal: bool, fields: Fields, context: Callable[[], Fields]
) -> logging.Formatter:
    """The formatter that `FLEET_LOG_FORMAT` asks for, by default text on a terminal and JSON elsewhere.

    Raises: FleetError where it is none of both.
    """
    redact = Redaction(secrets_of(environ))
    match environ.get("FLEET_LOG_FORMAT") or ("text" if terminal else "json"):
        case "json":
            return JsonFormatter(redact=redact, fields=fields, context=context)
        case "text":
            return TextFormatter(redact=redact)
        case other:
            raise FleetError("environment", f"FLEET_LOG_FORMAT is {other!r}", "Write json or text.")


def keep_celery_from_logging() -> None:
    """Leave it to this module to set up logging: Celery (5.7, `celery.app.log`) does it where nobody is connected to its signal."""
    from celery import signals  # noqa: PLC0415 -- the delayed-delivery Job does without Celery

    signals.setup_logging.connect(_set_up_already, weak=False, dispatch_uid="fleet.log.setup")


def _set_up_already(**_: Any) -> None:
    """Being connected is all that is asked."""


def set_up_logging(
    environ: Mapping[str, str], *, fields: Fields | None = None, context: Callable[[], Fields] = dict
) -> logging.Handler:
    """Log everything from INFO on through one handler of the root logger, which is returned; handlers that stood there are gone.

    `fields` stand in every line, `context` is asked for each, in the thread that logs.

    Raises: FleetError where `FLEET_LOG_FORMAT` makes no sense.
    """
    # What Celery puts in the place of `sys.stderr` logs what is written there.
    stream = sys.__stderr__ or sys.stderr
    pod = {"pod": environ["FLEET_POD_NAME"]} if environ.get("FLEET_POD_NAME") else {}
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        create_formatter(environ, terminal=stream.isatty(), fields={**pod, **(fields or {})}, context=context)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    return handler
