"""Lines of the log: one object each, for machines or for people, and never a secret."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.logs import JsonFormatter, Redaction, TextFormatter, create_formatter, secrets_of
from fleet.errors import FleetError

ROOT = Path(__file__).parents[2]
ENVIRON = {
    "FLEET_BROKER_PASSWORD": 'se"cr\\et-broker',
    "FLEET_RESULTS_PASSWORD": "secret-results",
    "FLEET_WEB_TOKENS": "shop:token-of-shop, bulk:token-of-bulk",
    "FLEET_BROKER_USERNAME": "producer",
    "EMPTY_PASSWORD": "",
}


def record(message: str = "said", *args: Any, level: int = logging.INFO, exc_info: Any = None, **extra: Any) -> Any:
    logger = logging.getLogger("shop.orders")
    return logger.makeRecord(logger.name, level, "orders.py", 1, message, args, exc_info, extra=extra)


def line(given: Any, **formatter: Any) -> dict[str, Any]:
    made = JsonFormatter(
        **{"redact": Redaction(secrets_of(ENVIRON)), "fields": {}, "context": dict, **formatter}
    ).format(given)
    assert "\n" not in made
    found: dict[str, Any] = json.loads(made)
    return found


def error(words: str) -> Any:
    try:
        raise ValueError(words)
    except ValueError:
        return sys.exc_info()


def test_a_line_says_when_who_and_what() -> None:
    made = record("order %s", "A-1", amount=5)
    made.created = 1_764_190_000.25
    assert line(made, fields={"pod": "pod-1"}, context=lambda: {"task_id": "7"}) == {
        "time": "2025-11-26T20:46:40.250Z", "level": "INFO", "logger": "shop.orders", "message": "order A-1",
        "pod": "pod-1", "task_id": "7", "amount": 5,
    }  # fmt: skip


def test_an_exception_is_one_field() -> None:
    found = line(record("failed", exc_info=error("no\nway")))
    assert found["message"] == "failed"
    assert found["exception"].startswith("Traceback (most recent call last):\n")
    assert found["exception"].endswith("ValueError: no\nway")


def test_a_line_stays_below_what_a_container_runtime_cuts() -> None:
    """Of a traceback its end is kept: there it says what happened."""
    found = line(record("m" * 50_000, exc_info=error("e" * 50_000 + "the end")))
    assert len(json.dumps(found)) < 16 * 1024
    assert found["exception"].endswith("the end")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param(ValueError("x"), "ValueError('x')", id="an-exception"),
        pytest.param(2**70, str(2**70), id="a-number-that-no-reader-holds"),
        pytest.param(float("nan"), "nan", id="no-number"),
        pytest.param("\ud800", "\\ud800", id="half-of-a-surrogate-pair"),
        pytest.param({"to": (1, None, "a")}, {"to": [1, None, "a"]}, id="what-json-knows-stays"),
    ],
)
def test_what_json_does_not_know_is_shown_as_python_shows_it(given: Any, shown: Any) -> None:
    assert line(record(extra=given))["extra"] == shown


def test_an_extra_whose_name_says_that_it_is_a_secret_is_hidden() -> None:
    """Also within another one; a number of tokens is none."""
    found = line(record(password="open sesame", request={"Authorization": "abc", "tokens": 5}))
    assert (found["password"], found["request"]) == ("**", {"Authorization": "**", "tokens": 5})


def test_what_libraries_add_for_themselves_is_left_out() -> None:
    """Celery's arguments and results of tasks, uvicorn's colours."""
    assert set(line(record(data={"args": "(1,)"}, color_message="x"))) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param("amqp://user:pass@broker:5672//", "amqp://**@broker:5672//", id="a-login-in-a-url"),
        pytest.param("redis+tls://:p%40ss@store", "redis+tls://**@store", id="a-password-alone"),
        pytest.param("Authorization: Bearer abc.def", "Authorization: Bearer **", id="a-header"),
        pytest.param("{'authorization': 'Basic dXNlcg=='}", "{'authorization': 'Basic **'}", id="a-header-in-python"),
        pytest.param(
            "[(b'authorization', b'Bearer abc')]", "[(b'authorization', b'Bearer **')]", id="a-header-in-bytes"
        ),
        pytest.param("authorization=bearer", "authorization=**", id="a-header-without-its-scheme"),
        pytest.param("amqp://user:p@ss@broker", "amqp://**@broker", id="a-password-with-its-own-at"),
        pytest.param("login secret-results failed", "login ** failed", id="a-password-of-this-process"),
        pytest.param('login se"cr\\et-broker failed', "login ** failed", id="one-with-quotes"),
        pytest.param("token token-of-bulk", "token **", id="a-token-of-a-client"),
        pytest.param("producer at http://web/a@b", "producer at http://web/a@b", id="what-is-no-secret"),
        pytest.param("mail to ada@example.org", "mail to ada@example.org", id="an-address"),
    ],
)
def test_secrets_are_hidden_wherever_they_stand(said: str, shown: str) -> None:
    """In messages, extras and tracebacks, in both formats."""
    found = line(record(said, exc_info=error(said), url=said))
    assert (found["message"], found["url"], found["exception"].rpartition("ValueError: ")[2]) == (shown,) * 3
    text = TextFormatter(redact=Redaction(secrets_of(ENVIRON))).format(record(said, exc_info=error(said)))
    assert text.splitlines()[0].endswith(f"shop.orders: {shown}")
    assert text.endswith(f"ValueError: {shown}")


@given(
    message=st.text(st.characters(), max_size=200),
    extra=st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=50)),
)
def test_whatever_is_logged_is_one_object_without_a_secret(message: str, extra: dict[str, str]) -> None:
    """Also where a secret stands next to something that looks like one."""
    found = line(record("%s", f"{message}secret-results{message}", extra=extra))
    assert "secret-results" not in json.dumps(found)


@pytest.mark.parametrize(
    ("environ", "terminal", "kind"),
    [
        pytest.param({}, False, JsonFormatter, id="json-in-a-pod"),
        pytest.param({}, True, TextFormatter, id="text-on-a-terminal"),
        pytest.param({"FLEET_LOG_FORMAT": "text"}, False, TextFormatter, id="text-as-asked-for"),
        pytest.param({"FLEET_LOG_FORMAT": "json"}, True, JsonFormatter, id="json-as-asked-for"),
    ],
)
def test_the_format_is_for_whoever_reads_it(environ: dict[str, str], terminal: bool, kind: type) -> None:
    assert isinstance(create_formatter(environ, terminal=terminal, fields={}, context=dict), kind)


def test_a_format_that_there_is_none_of_is_named() -> None:
    with pytest.raises(FleetError, match="FLEET_LOG_FORMAT is 'jsno'"):
        create_formatter({"FLEET_LOG_FORMAT": "jsno"}, terminal=False, fields={}, context=dict)


WEB = """
import logging, os, warnings
from app.logs import set_up_logging
logging.basicConfig()
set_up_logging({"FLEET_POD_NAME": "pod-1"})
import uvicorn
uvicorn.Config("nowhere:api", log_config=None, log_level="info", access_log=False)
logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "x"})
warnings.warn("old", DeprecationWarning, stacklevel=1)
logging.getLogger("shop").debug("nobody reads this")
"""


def test_every_line_of_the_web_layer_is_an_object() -> None:
    """uvicorn's own handlers are not made, and warnings are records."""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", WEB], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    lines = [json.loads(said) for said in done.stderr.splitlines()]
    assert [(said["logger"], said["level"], said["pod"]) for said in lines] == [
        ("uvicorn.error", "INFO", "pod-1"),
        ("py.warnings", "WARNING", "pod-1"),
    ]
