"""Arguments of Celery that the plan owns are refused one by one, with what to write instead."""

from pathlib import Path

import pytest

from fleet.errors import CatalogueError, Finding
from tests.fleet.strategies import load_from, sample_catalogue


def finding(folder: Path, key: str) -> Finding:
    """The one finding of a catalogue whose queue states this argument."""
    with pytest.raises(CatalogueError) as caught:
        load_from(sample_catalogue(args={key: 1}), folder)
    (found,) = caught.value.findings
    assert found.path == f"queues.mail.args.{key}"
    assert found.line > 1
    return found


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param("autoscale", "prefetch is fixed for each consumer there (basic.qos)", id="two-autoscalers"),
        pytest.param("--autoscale", "refused on quorum queues", id="as-on-the-command-line"),
        pytest.param("worker_autoscaler", "bound them by `replicas`", id="as-a-setting"),
        pytest.param("concurrency", "write `concurrency` at the queue", id="the-slots"),
        pytest.param("pool", "write `pool` at the queue", id="the-pool"),
        pytest.param("queues", "consumes its own queue alone", id="other-queues"),
        pytest.param("hostname", "no two workers share it", id="the-name"),
        pytest.param("time-limit", "write `runtime: {limit: ...}`", id="the-hard-limit"),
        pytest.param("soft_time_limit", "derived from `runtime.limit`", id="the-soft-limit"),
        pytest.param("beat", "One beat pod", id="the-scheduler"),
        pytest.param("task-events", "42 %", id="events"),
        pytest.param("without_gossip", "always set", id="what-is-set-anyway"),
        pytest.param("purge", "delete the queue's messages", id="losing-everything"),
        pytest.param("max-tasks-per-child", "Write `max_tasks_per_child`.", id="another-spelling-of-one-that-is-taken"),
        pytest.param("worker_prefetch_multiplier", "Write `prefetch_multiplier`.", id="a-setting-of-one-that-is-taken"),
    ],
)
def test_an_argument_of_the_plan_is_refused_with_its_reason(tmp_path: Path, key: str, words: str) -> None:
    found = finding(tmp_path, key)
    assert found.problem == "cannot be set here"
    assert words.casefold() in found.fix.casefold()


def test_an_argument_that_celery_does_not_have_gets_the_nearest(tmp_path: Path) -> None:
    """It is a misspelling like any other."""
    found = finding(tmp_path, "max_task_per_child")
    assert found.problem == "is no known key"
    assert found.fix.startswith("Did you mean `max_tasks_per_child`?")
