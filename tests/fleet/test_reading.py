"""Every mistake in a file is reported in one run, at its line and column, with what would be right."""

from pathlib import Path

import pytest

from fleet.errors import CatalogueError
from fleet.reading import load_catalogue, merge_defaults

GOOD = """\
application: shop.celery:app
queues:
  mail:
    tasks: [shop.tasks.*]
    profile: io
    runtime: {mean: 200ms, p99: 1s, limit: 10s}
    load: {peak: 10/s}
"""


def report(folder: Path, text: str) -> str:
    """The findings of a file, as a person sees them."""
    path = folder / "queues.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(path, shown_as="queues.yaml")
    return str(caught.value)


def test_the_smallest_catalogue_is_four_facts_a_queue(tmp_path: Path) -> None:
    """Tasks, profile, runtime and load are enough; the rest has defaults."""
    path = tmp_path / "queues.yaml"
    path.write_text(GOOD, encoding="utf-8")
    queue = load_catalogue(path).queues["mail"]
    assert (queue.wait.promise, queue.wait.percentile, queue.memory, queue.shards) == (30, 95, 67108864, 1)
    assert (queue.replicas.min, queue.replicas.max, queue.idempotent, queue.capacity) == (1, None, False, "on-demand")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "profile:",
            "profil:",
            "queues.yaml:5:5: queues.mail.profil is no known key\n  Did you mean `profile`?",
            id="a-misspelt-key-gets-the-nearest",
        ),
        pytest.param(
            "peak:",
            "zzz:",
            "queues.yaml:7:12: queues.mail.load.zzz is no known key\n  Known here: peak, burst.",
            id="a-strange-key-gets-the-list",
        ),
        pytest.param(
            "    profile: io\n",
            "",
            "queues.yaml:3:3: queues.mail.profile is missing\n  Add it: Whether a running task mostly waits",
            id="a-missing-key-is-explained",
        ),
        pytest.param(
            "profile: io",
            "profile: disk",
            "queues.yaml:5:5: queues.mail.profile is 'disk'\n  Input should be 'io' or 'cpu'",
            id="a-wrong-word-gets-the-right-ones",
        ),
        pytest.param(
            "200ms",
            "200",
            "queues.yaml:6:15: queues.mail.runtime.mean is wrong: 200 has no unit; write for example 30s",
            id="a-number-without-a-unit",
        ),
        pytest.param(
            "200ms",
            "soon",
            "queues.yaml:6:15: queues.mail.runtime.mean is wrong: 'soon' is no duration",
            id="a-duration-that-is-none",
        ),
        pytest.param(
            "200ms",
            "400d",
            "queues.yaml:6:15: queues.mail.runtime.mean is wrong: '400d' is out of range; write something from 0.1ms to 90d",
            id="a-duration-beyond-reason",
        ),
        pytest.param(
            "200ms",
            "true",
            "queues.yaml:6:15: queues.mail.runtime.mean is wrong: true is no text with a unit",
            id="a-boolean-for-a-duration",
        ),
        pytest.param(
            "10/s",
            "10",
            "queues.yaml:7:12: queues.mail.load.peak is wrong: 10 has no unit; write for example 20/s",
            id="a-rate-without-a-time",
        ),
        pytest.param(
            "10/s",
            "0/s",
            "queues.yaml:7:12: queues.mail.load.peak is wrong: '0/s' is out of range",
            id="a-queue-without-load",
        ),
        pytest.param("[shop.tasks.*]", "[]", "queues.yaml:4:5: queues.mail.tasks is []", id="no-task-at-all"),
        pytest.param(
            "[shop.tasks.*]",
            "['a b']",
            "queues.yaml:4:13: queues.mail.tasks[0] is 'a b', which does not have the right form",
            id="a-task-name-with-a-space",
        ),
        pytest.param(
            "  mail:",
            "  my.mail:",
            "queues.yaml:3:3: queues.my.mail is no valid queue name\n  Use lower-case letters",
            id="a-dotted-queue-name",
        ),
        pytest.param(
            "  mail:",
            "  1mail:",
            "queues.yaml:3:3: queues.1mail is no valid queue name",
            id="a-queue-name-with-a-leading-digit",
        ),
        pytest.param(
            "  mail:",
            "  mail-:",
            "queues.yaml:3:3: queues.mail- is no valid queue name",
            id="a-queue-name-with-a-trailing-hyphen",
        ),
        pytest.param(
            "  mail:",
            f"  {'m' * 41}:",
            f"queues.yaml:3:3: queues.{'m' * 41} is no valid queue name",
            id="a-queue-name-too-long-for-a-label",
        ),
        pytest.param(
            "shop.celery:app",
            "shop.celery",
            "queues.yaml:1:1: application is 'shop.celery', which does not have the right form",
            id="an-application-without-its-attribute",
        ),
        pytest.param(
            "application: shop.celery:app\n",
            "",
            "queues.yaml:1:1: application is missing\n  Add it: The Celery application",
            id="no-application",
        ),
        pytest.param(
            "queues:",
            "defaults: {weight: 3}\nqueues:",
            "queues.yaml:2:12: defaults.weight is no field that can have a default",
            id="a-default-that-no-queue-has",
        ),
        pytest.param(
            "queues:",
            "defaults: {tasks: [a]}\nqueues:",
            "queues.yaml:2:12: defaults.tasks is no field that can have a default",
            id="tasks-as-a-default",
        ),
        pytest.param(
            "queues:", "defaults: [1]\nqueues:", "queues.yaml:2:1: defaults is no mapping", id="defaults-as-a-list"
        ),
        pytest.param(
            "queues:",
            "defaults: {wait: {promise: 3}}\nqueues:",
            "queues.yaml:2:19: defaults.wait.promise is wrong: 3 has no unit",
            id="a-wrong-default-is-found-where-it-stands",
        ),
        pytest.param(
            "queues:",
            "queus: 1\nqueues:",
            "queues.yaml:2:1: queus is no known key\n  Did you mean `queues`?",
            id="a-misspelt-key-at-the-top",
        ),
        pytest.param(
            "    load:",
            "    pod: {volumes: [{name: v, mount: /v}]}\n    load:",
            "queues.yaml:7:21: queues.mail.pod.volumes[0] is wrong: has to name exactly one source",
            id="a-volume-without-a-source",
        ),
        pytest.param(
            "    load:",
            "    pod: {volumes: [{name: v, mount: v, secret: s}]}\n    load:",
            "queues.yaml:7:31: queues.mail.pod.volumes[0].mount is 'v', which does not",
            id="a-relative-mount-path",
        ),
        pytest.param(
            "    load:",
            "    pod: {nodeSelektor: {}}\n    load:",
            "queues.yaml:7:11: queues.mail.pod.nodeSelektor is no known key\n  Did you mean `nodeSelector`?",
            id="a-misspelt-alias",
        ),
        pytest.param(
            "    load:",
            "    shards: 33\n    load:",
            "queues.yaml:7:5: queues.mail.shards is 33",
            id="more-shards-than-serve",
        ),
        pytest.param(
            "    load:",
            "    wait: {percentile: 100}\n    load:",
            "queues.yaml:7:12: queues.mail.wait.percentile is 100",
            id="a-promise-for-every-single-task",
        ),
    ],
)
def test_a_mistake_is_reported_at_its_place_with_what_is_right(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    """Where and what, what it would lead to, what to write instead."""
    assert old in GOOD
    assert expected in report(tmp_path, GOOD.replace(old, new, 1))


def test_all_mistakes_of_a_file_come_in_one_report_in_file_order(tmp_path: Path) -> None:
    """Nobody has to correct a file one error at a time; a mistake in one queue does not hide those of the next."""
    text = GOOD.replace("200ms", "200").replace("10/s", "10") + "  orders:\n    tasks: [a]\n    profile: io\n"
    places = [line.split(": ")[0] for line in report(tmp_path, text).splitlines() if not line.startswith(" ")]
    assert places == ["queues.yaml:6:15", "queues.yaml:7:12", "queues.yaml:8:3", "queues.yaml:8:3"]


@pytest.mark.parametrize(
    ("defaults", "own", "expected"),
    [
        pytest.param(
            {"wait": {"promise": "30s"}}, {}, {"wait": {"promise": "30s"}}, id="a-default-serves-who-states-nothing"
        ),
        pytest.param(
            {"wait": {"promise": "30s", "percentile": 95}},
            {"wait": {"promise": "1s"}},
            {"wait": {"promise": "1s", "percentile": 95}},
            id="a-mapping-is-merged-key-by-key",
        ),
        pytest.param({"shards": 2}, {"shards": 4}, {"shards": 4}, id="a-number-is-replaced"),
        pytest.param(
            {"pod": {"tolerations": [1]}},
            {"pod": {"tolerations": [2]}},
            {"pod": {"tolerations": [2]}},
            id="a-list-replaces-a-list",
        ),
    ],
)
def test_defaults_lie_under_what_a_queue_states(
    defaults: dict[str, object], own: dict[str, object], expected: dict[str, object]
) -> None:
    """What is stated nearer wins."""
    assert merge_defaults(defaults, own) == expected
