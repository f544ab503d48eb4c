"""The engine's event stream, read as far as it is known."""

import json

from ops.engine_events import EngineRun, short_name

DEPLOYMENT = (
    "urn:pulumi:local::celery-fleet::celery-fleet:workers:QueueWorkers$kubernetes:apps/v1:Deployment::worker-high"
)
STACK = "urn:pulumi:local::celery-fleet::pulumi:pulumi:Stack::celery-fleet-local"


def reading(*events: dict[str, object]) -> EngineRun:
    run = EngineRun()
    for event in events:
        run.read(json.dumps(event) + "\n")
    return run


def step(kind: str, urn: str, operation: str) -> dict[str, object]:
    provider = "urn:provider::id" if "$kubernetes:" in urn else ""
    return {kind: {"metadata": {"op": operation, "urn": urn, "new": {"provider": provider}}}}


def said(severity: str, message: str, urn: str = "") -> dict[str, object]:
    return {"diagnosticEvent": {"severity": severity, "message": message, "urn": urn}}


def test_a_resource_in_work_is_named_with_its_last_words() -> None:
    """A person sees what a deployment waits for while it waits."""
    run = reading(
        step("resourcePreEvent", DEPLOYMENT, "create"), said("info", "[1/2] waiting for pods: 0/1\n", DEPLOYMENT)
    )
    assert run.detail == "0 resources, now worker-high (Deployment): [1/2] waiting for pods: 0/1"


def test_a_component_is_not_named_as_work() -> None:
    """Its children are what takes the time."""
    component = "urn:pulumi:local::celery-fleet::celery-fleet:images:Images::images"
    assert reading(step("resourcePreEvent", component, "create")).running == {}


def test_a_finished_resource_is_no_longer_in_work() -> None:
    """The progress line counts what is done."""
    run = reading(step("resourcePreEvent", DEPLOYMENT, "create"), step("resOutputsEvent", DEPLOYMENT, "create"))
    assert (run.detail, run.running) == ("1 resources", {})


def test_unchanged_resources_are_never_shown_as_work() -> None:
    """A second `up` shows no resource as being worked on."""
    assert reading(step("resourcePreEvent", DEPLOYMENT, "same")).running == {}


def test_the_program_s_own_words_stand_without_the_engine_s_echo() -> None:
    """A finding of the catalogue is told once, as the program wrote it."""
    run = reading(
        said("error", "queues.yaml:3:4: queues.high.tasks is empty\n  Name a task.", STACK),
        said("error", "an unhandled error occurred: program exited with non-zero exit code: 1", STACK),
    )
    assert [error.text for error in run.told_errors()] == [
        "queues.yaml:3:4: queues.high.tasks is empty\n  Name a task."
    ]


def test_an_error_that_is_all_there_is_is_told() -> None:
    """A program that only crashed is not silent."""
    run = reading(said("error", "an unhandled error occurred: program exited with non-zero exit code: 1"))
    assert len(run.told_errors()) == 1


def test_the_summary_names_what_changed() -> None:
    """The last line of a run says what it did."""
    run = reading({"summaryEvent": {"resourceChanges": {"create": 3, "same": 40}}})
    assert (run.summary, run.changed) == ("3 created, 40 unchanged", True)
    assert not reading({"summaryEvent": {"resourceChanges": {"same": 43}}}).changed


def test_unknown_events_and_broken_lines_are_passed_over() -> None:
    """A newer CLI may say more than this one knows."""
    run = EngineRun()
    for line in ("", "not json", "[]", '{"futureEvent": {}}', '{"diagnosticEvent": null}', '{"summaryEvent": {}}'):
        run.read(line)
    assert run == EngineRun()


def test_names_are_short() -> None:
    """A URN is no word for a person."""
    assert [short_name(DEPLOYMENT), short_name(STACK), short_name("")] == ["worker-high (Deployment)", "", ""]
