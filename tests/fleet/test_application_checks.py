"""The application against the catalogue."""

from typing import Any

import pytest
import yaml

from fleet.checks.application import check_application, check_versions
from fleet.errors import Finding
from fleet.inspection import ApplicationFacts, ScheduleEntry
from fleet.parsing import parse_source
from fleet.reading import validate_catalogue
from fleet.versions import MATRIX, PINNED, Rule, mismatches
from tests.fleet.applications import application_facts, task_facts
from tests.fleet.strategies import sample_queue

MAIL = task_facts("shop.mail.send")
PAY = task_facts("shop.money.pay")


def findings(facts: ApplicationFacts, **queues: list[str]) -> list[Finding]:
    """Findings about an application whose catalogue has these queues with these patterns."""
    raw: dict[str, Any] = {
        "application": "shop.celery:app",
        "queues": {name: sample_queue(tasks=tasks) for name, tasks in queues.items()},
    }
    source = parse_source(yaml.safe_dump(raw, sort_keys=False), "queues.yaml")
    catalogue, wrong = validate_catalogue(source)
    assert catalogue is not None
    assert wrong == []
    return list(check_application(catalogue, facts, source))


def test_an_application_whose_tasks_all_have_one_queue_has_no_findings() -> None:
    """Patterns and names alike."""
    assert findings(application_facts(MAIL, PAY), mail=["shop.mail.*"], money=["shop.money.pay"]) == []


@pytest.mark.parametrize(
    ("facts", "queues", "path", "words"),
    [
        pytest.param(
            application_facts(MAIL, PAY), {"mail": ["shop.mail.*"]}, "queues", ("shop.money.pay", "mail"), id="unrouted"
        ),
        pytest.param(
            application_facts(MAIL),
            {"mail": ["shop.mail.*"], "all": ["shop.*"]},
            "queues.all.tasks[0]",
            ("'shop.mail.send' too", "'shop.mail.*' of queue 'mail'"),
            id="doubly-routed",
        ),
        pytest.param(
            application_facts(MAIL),
            {"mail": ["shop.mail.*", "shop.mial.*"]},
            "queues.mail.tasks[1]",
            ("shop.mial.*", "Did you mean 'shop.mail.send'?"),
            id="a-pattern-without-a-task",
        ),
        pytest.param(
            application_facts(task_facts("shop.mail.send", queue="letters")),
            {"mail": ["shop.mail.*"]},
            "queues.mail.tasks[0]",
            ("'letters'", "not in the catalogue"),
            id="a-task-that-names-an-unknown-queue",
        ),
        pytest.param(
            application_facts(task_facts("shop.mail.send", queue="money"), PAY),
            {"mail": ["shop.mail.*"], "money": ["shop.money.*"]},
            "queues.mail.tasks[0]",
            ("names the queue 'money' itself",),
            id="a-task-that-names-another-queue",
        ),
        pytest.param(
            application_facts(task_facts("shop.mail.send", priority=255)),
            {"mail": ["shop.mail.*"]},
            "queues.mail.tasks[0]",
            ("'shop.mail.send'", "a priority of its own, 255", "0 to 31"),
            id="a-task-with-a-priority-that-queues-do-not-have",
        ),
        pytest.param(
            application_facts(MAIL, schedule=(ScheduleEntry(name="nightly", task="shop.gone.x", queue=None),)),
            {"mail": ["shop.mail.*"]},
            "queues",
            ("'shop.gone.x'", "'nightly' of beat_schedule"),
            id="a-scheduled-task-without-a-queue",
        ),
        pytest.param(
            application_facts(MAIL, schedule=(ScheduleEntry(name="nightly", task="shop.mail.gone", queue=None),)),
            {"mail": ["shop.mail.*"]},
            "application",
            ("'shop.mail.gone'", "no module of it registers"),
            id="a-scheduled-task-that-nobody-registers",
        ),
        pytest.param(
            application_facts(MAIL, schedule=(ScheduleEntry(name="nightly", task="shop.mail.send", queue="night"),)),
            {"mail": ["shop.mail.*"]},
            "application",
            ("'night'", "not in the catalogue"),
            id="a-schedule-into-an-unknown-queue",
        ),
        pytest.param(
            application_facts(MAIL, versions={"celery": "5.5.3", "kombu": "5.7.0"}),
            {"mail": ["shop.mail.*"]},
            "application",
            ("Celery 5.5.3 beside RabbitMQ 4.3.6", "5.7 or later, below 5.8"),
            id="an-old-celery",
        ),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(
    facts: ApplicationFacts, queues: dict[str, list[str]], path: str, words: tuple[str, ...]
) -> None:
    """One finding, which names the task, the queues and what to write instead."""
    (finding,) = findings(facts, **queues)
    assert finding.path == path
    assert finding.line > 0
    for word in words:
        assert word in str(finding)


def test_the_pinned_versions_work_together() -> None:
    """The project never ships a combination that its own matrix refuses, and every row of it speaks of a known part."""
    assert list(check_versions(parse_source("application: x", "queues.yaml"))) == []
    assert {part for rule in MATRIX for part in (rule.part, rule.needs)} <= PINNED.keys()


RULE = Rule(part="A", since="4.3", needs="B", least="5.7", below="5.8", reason="it breaks", source="a test")


@pytest.mark.parametrize(
    ("part", "needed", "broken"),
    [
        pytest.param("4.3.6", "5.7.0", False, id="in-range"),
        pytest.param("4.3", "5.7", False, id="short-forms"),
        pytest.param("4.3.6", "5.6.9", True, id="too-old"),
        pytest.param("4.3.6", "5.8.0", True, id="too-new"),
        pytest.param("4.2.9", "5.6.9", False, id="the-rule-begins-later"),
        pytest.param("4.10.0", "5.6.9", True, id="ten-is-more-than-three"),
        pytest.param("4.3.6", "5.7.0rc1", False, id="a-release-candidate-is-of-its-series"),
    ],
)
def test_a_row_of_the_matrix(part: str, needed: str, broken: bool) -> None:
    """From a version on, another has to be in a range."""
    assert bool(mismatches({"A": part, "B": needed}, (RULE,))) is broken


def test_a_part_of_unknown_version_breaks_nothing() -> None:
    """What was not looked at is not accused."""
    assert mismatches({"A": "4.3"}, (RULE,)) == []
