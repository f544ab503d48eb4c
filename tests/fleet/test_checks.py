"""What has to hold across fields: one case for each rule, and one just inside it."""

from pathlib import Path
from typing import Any

import pytest

from fleet.errors import CatalogueError, Severity
from tests.fleet.strategies import Raw, load_from, sample_catalogue, sample_queue


def two_queues(first: str, first_tasks: str, second: str, second_tasks: str, **changes: Any) -> Raw:
    """A catalogue of two queues; the changes go to the first."""
    raw = sample_catalogue()
    raw["queues"] = {
        first: sample_queue(tasks=[first_tasks], **changes),
        second: sample_queue(tasks=[second_tasks]),
    }
    return raw


def bound_queues(first: list[str], second: list[str]) -> Raw:
    """A catalogue of two queues with their binding patterns."""
    raw = two_queues("a", "x.*", "b", "y.*", binds=first)
    raw["queues"]["b"]["binds"] = second
    return raw


def runtime(mean: str, p99: str, limit: str, **more: Any) -> Raw:
    return {"mean": mean, "p99": p99, "limit": limit, **more}


def busy_queues(count: int) -> Raw:
    """Queues that are full after an hour without workers, and small otherwise."""
    raw = sample_catalogue()
    raw["queues"] = {
        f"q{index}": sample_queue(
            tasks=[f"q{index}.*"], load={"peak": "600/s"}, runtime=runtime("1ms", "2ms", "1s"), wait={"promise": "20m"}
        )
        for index in range(count)
    }
    return raw


@pytest.mark.parametrize(
    ("raw", "path", "words"),
    [
        pytest.param(
            sample_catalogue(runtime=runtime("2s", "1s", "10s")),
            "queues.mail.runtime.mean",
            "is 2s, above runtime.p99 (1s)",
            id="a-mean-above-p99",
        ),
        pytest.param(
            sample_catalogue(runtime=runtime("1s", "15m", "10m")),
            "queues.mail.runtime.p99",
            "is 15m, above runtime.limit (10m)",
            id="p99-above-the-limit",
        ),
        pytest.param(
            sample_catalogue(runtime=runtime("10ms", "20ms", "500ms")),
            "queues.mail.runtime.limit",
            "is 500ms, below 1s",
            id="a-limit-that-celery-cannot-keep",
        ),
        pytest.param(
            sample_catalogue(pool="threads"),
            "queues.mail.pool",
            "enforces no runtime.limit",
            id="threads-without-a-cooperative-task",
        ),
        pytest.param(
            sample_catalogue(pool="gevent", profile="cpu"),
            "queues.mail.pool",
            "is gevent on a cpu queue",
            id="gevent-for-computing-tasks",
        ),
        pytest.param(
            sample_catalogue(args={"prefetch_multiplier": 2}, runtime=runtime("20ms", "40ms", "2s")),
            "queues.mail.args.prefetch_multiplier",
            "is 2, but a task runs 20ms on average, not under 20ms",
            id="messages-taken-ahead-of-tasks-that-are-not-tiny",
        ),
        pytest.param(
            # 40 others of 15.1 ms; 0.3 of the promise are 600 ms.
            sample_catalogue(
                args={"prefetch_multiplier": 41}, runtime=runtime("15.1ms", "40ms", "2s"), wait={"promise": "2s"}
            ),
            "queues.mail.args.prefetch_multiplier",
            "is 41: a message can wait 604ms in its worker",
            id="messages-that-wait-in-a-worker-for-too-much-of-the-promise",
        ),
        pytest.param(
            sample_catalogue(args={"max_tasks_per_child": 100}),
            "queues.mail.args.max_tasks_per_child",
            "means nothing to gevent",
            id="children-of-a-pool-that-has-none",
        ),
        pytest.param(
            sample_catalogue(args={"max_memory_per_child": "100Mi"}),
            "queues.mail.args.max_memory_per_child",
            "means nothing to gevent",
            id="a-ceiling-for-children-of-a-pool-that-has-none",
        ),
        pytest.param(
            sample_catalogue(args={"optimization": "fast"}),
            "queues.mail.args.optimization",
            "means nothing to gevent",
            id="handing-out-to-children-of-a-pool-that-has-none",
        ),
        pytest.param(
            # 352Mi a pod of one slot, less 48Mi that a child adds.
            sample_catalogue(profile="cpu", memory="150Mi", args={"max_memory_per_child": "305Mi"}),
            "queues.mail.args.max_memory_per_child",
            "is 305Mi; with 1 children of that size the pod's 352Mi would be exceeded",
            id="a-ceiling-that-the-pod-does-not-live-to-see",
        ),
        pytest.param(
            sample_catalogue(retries={"max": 3, "backoff": "500ms"}),
            "queues.mail.retries.backoff",
            "is 500ms, below 1s",
            id="a-pause-that-the-broker-cannot-keep",
        ),
        pytest.param(
            sample_catalogue(retries={"max": 3, "backoff": "30s", "longest": "20s"}),
            "queues.mail.retries.longest",
            "is 20s, below retries.backoff (30s)",
            id="a-longest-pause-below-the-first",
        ),
        pytest.param(
            sample_catalogue(retries={"max": 3, "on": ["OSError", "TimeoutErorr"]}),
            "queues.mail.retries.on[1]",
            "is 'TimeoutErorr', no built-in exception",
            id="an-exception-that-python-does-not-have",
        ),
        pytest.param(
            sample_catalogue(retries={"max": 3, "on": ["SystemExit"]}),
            "queues.mail.retries.on[0]",
            "that a task can fail with",
            id="an-exception-that-ends-the-process",
        ),
        pytest.param(
            sample_catalogue(capacity="spot", runtime=runtime("1s", "2s", "121s")),
            "queues.mail.capacity",
            "may run 121s and is not idempotent",
            id="spot-for-long-tasks-that-must-not-run-twice",
        ),
        pytest.param(
            sample_catalogue(replicas={"min": 5, "max": 2}),
            "queues.mail.replicas.max",
            "is 2, below the minimum of 5",
            id="min-above-max",
        ),
        pytest.param(
            sample_catalogue(load={"peak": "100/s"}, replicas={"max": 5}),
            "queues.mail.replicas.max",
            "is 5, but the peak load needs 6 pods of 4 slot(s)",
            id="a-maximum-below-the-peak",
        ),
        pytest.param(
            sample_catalogue(memory="20Gi"),
            "queues.mail.memory",
            "above the largest node's 28Gi",
            id="a-pod-that-fits-no-node",
        ),
        pytest.param(
            sample_catalogue(replicas={"max": 5000}),
            "queues",
            "10053 connections, above the broker's 4194",
            id="more-connections-than-the-broker-holds",
        ),
        pytest.param(
            sample_catalogue(profile="cpu", concurrency=16),
            "queues.mail",
            "makes a pod of cpu 16 and memory 2176Mi, which fits none of c7g.xlarge, m7g.xlarge",
            id="a-pod-with-more-cores-than-any-node",
        ),
        pytest.param(
            sample_catalogue(load={"peak": "6000/s"}, runtime=runtime("1ms", "2ms", "1s"), wait={"promise": "20m"}),
            "queues.mail.load.peak",
            "puts 6000/s on each of 1 broker queue(s), above 5000/s",
            id="more-messages-than-one-quorum-queue-takes",
        ),
        pytest.param(
            busy_queues(4),
            "queues",
            "ask for 10.6Gi of disk on each broker node, which has 10Gi",
            id="a-backlog-that-the-disk-does-not-hold",
        ),
        pytest.param(
            two_queues("a", "shop.*", "b", "shop.mail.*"),
            "queues.b.tasks[0]",
            "is 'shop.mail.*', which meets 'shop.*' of queue 'a'",
            id="a-task-with-two-queues",
        ),
        pytest.param(
            two_queues("a", "x.*", "a-dead", "y.*"),
            "queues.a-dead",
            "needs the broker name 'a-dead', which is taken by queue 'a'",
            id="a-queue-named-as-anothers-dead-letters",
        ),
        pytest.param(
            two_queues("a", "x.*", "a-1", "y.*", shards=2),
            "queues.a-1",
            "needs the broker name 'a-1'",
            id="a-queue-named-as-anothers-shard",
        ),
        pytest.param(
            two_queues("tasks", "x.*", "b", "y.*"),
            "queues.tasks",
            "taken by the task exchange",
            id="a-queue-named-as-the-exchange",
        ),
        pytest.param(
            two_queues("fleet", "a.*", "b", "b.*"),
            "queues.fleet",
            "by which `fleet why` asks for what all queues share",
            id="the-name-of-what-is-shared",
        ),
        pytest.param(
            two_queues("unrouted", "x.*", "b", "y.*"), "queues.unrouted", "without a route", id="a-queue-named-unrouted"
        ),
        pytest.param(
            two_queues("ingress", "x.*", "b", "y.*"),
            "queues.ingress",
            "taken by the exchange for publishers that are not Celery",
            id="a-queue-named-as-the-ingress-exchange",
        ),
        pytest.param(
            bound_queues(["orders.#"], ["mail.*", "*.urgent"]),
            "queues.b.binds[1]",
            "is '*.urgent', which meets 'orders.#' of queue 'a'",
            id="a-routing-key-with-two-queues",
        ),
        pytest.param(
            two_queues("a", "shop.a.*", "b", "shop.b.*", priority={"shop.a.x": 9, "shop.b.*": 9}),
            "queues.a.priority.shop.b.*",
            "meets no task of this queue, which takes 'shop.a.*'",
            id="a-priority-of-another-queues-tasks",
        ),
        pytest.param(
            sample_catalogue(priority={"shop.tasks.*": 2, "shop.tasks.pay": 9}),
            "queues.mail.priority.shop.tasks.pay",
            "is 9, but 'shop.tasks.*', which it meets, is 2",
            id="a-task-with-two-priorities",
        ),
    ],
)
def test_what_cannot_work_is_found_before_it_is_applied(tmp_path: Path, raw: Raw, path: str, words: str) -> None:
    """One finding, at the field that has to change, with the numbers that collide."""
    with pytest.raises(CatalogueError) as caught:
        load_from(raw, tmp_path)
    (finding,) = caught.value.findings
    assert finding.path == path
    assert words in finding.problem
    assert finding.line >= 1
    assert finding.fix


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(sample_catalogue(runtime=runtime("1s", "1s", "1s")), id="a-runtime-that-never-varies"),
        pytest.param(
            sample_catalogue(pool="threads", runtime=runtime("1s", "2s", "9s", cooperative=True)),
            id="threads-for-cooperative-tasks",
        ),
        pytest.param(sample_catalogue(pool="prefork"), id="prefork-for-io"),
        pytest.param(sample_catalogue(capacity="spot", runtime=runtime("1s", "2s", "2m")), id="spot-within-the-notice"),
        pytest.param(
            sample_catalogue(capacity="spot", idempotent=True, runtime=runtime("1s", "2s", "1h")),
            id="spot-for-long-idempotent-tasks",
        ),
        pytest.param(
            sample_catalogue(load={"peak": "100/s"}, replicas={"max": 6}), id="a-maximum-that-just-serves-the-peak"
        ),
        pytest.param(
            sample_catalogue(args={"prefetch_multiplier": 64}, runtime=runtime("19ms", "40ms", "2s")),
            id="messages-taken-ahead-of-tiny-tasks",
        ),
        pytest.param(
            sample_catalogue(
                args={"prefetch_multiplier": 41}, runtime=runtime("15ms", "40ms", "2s"), wait={"promise": "2s"}
            ),
            id="messages-that-wait-in-a-worker-for-a-third-of-the-promise",
        ),
        pytest.param(
            sample_catalogue(
                profile="cpu",
                memory="150Mi",
                args={"max_tasks_per_child": 1, "max_memory_per_child": "304Mi", "optimization": "fast"},
            ),
            id="arguments-of-prefork-with-prefork",
        ),
        pytest.param(sample_catalogue(args={"optimization": "fair"}), id="what-is-the-default-anyway"),
        pytest.param(
            sample_catalogue(retries={"max": 100, "backoff": "1s", "longest": "1s", "on": ["OSError", "shop.Gone"]}),
            id="retries-on-the-border-of-every-rule",
        ),
        pytest.param(two_queues("a", "shop.a.*", "b", "shop.b.*"), id="patterns-that-do-not-meet"),
        pytest.param(bound_queues(["orders.#", "orders.*"], ["mail.#"]), id="patterns-of-one-queue-that-meet"),
        pytest.param(two_queues("a", "x.*", "a-1", "y.*"), id="a-name-like-a-shards-where-there-are-none"),
        pytest.param(
            sample_catalogue(priority={"*.pay": 9, "shop.tasks.p*": 9, "shop.tasks.mail": 0}),
            id="priorities-that-meet-and-agree",
        ),
    ],
)
def test_what_is_just_inside_a_rule_passes(tmp_path: Path, raw: Raw) -> None:
    """No rule refuses what works."""
    assert load_from(raw, tmp_path).queues


@pytest.mark.parametrize(
    ("raw", "path", "words"),
    [
        pytest.param(
            sample_catalogue(wait={"promise": "1s"}, load={"peak": "100/s"}),
            "queues.mail.wait.promise",
            [
                "is 1s, shorter than the autoscaler's reaction of 88s",
                "6 pod(s) stand by",
                "A burst of 100/s for 1m",
                "promise 110s or more (1 pod(s)",
                "at most 19/s (1 pod(s))",
            ],
            id="a-promise-that-only-waiting-pods-can-keep",
        ),
        pytest.param(
            sample_catalogue(wait={"promise": "1s"}, load={"peak": "100/s"}, replicas={"min": 0}),
            "queues.mail.wait.promise",
            ["(0 pod(s) outside it)."],
            id="no-throttle-serves-a-queue-at-zero",
        ),
        pytest.param(
            sample_catalogue(runtime=runtime("10ms", "150ms", "10s")),
            "queues.mail.runtime.p99",
            ["is 150ms, 15 times runtime.mean (10ms)"],
            id="runtimes-outside-the-lognormal-fit",
        ),
    ],
)
def test_what_works_at_a_price_is_noted_and_fails_nothing(
    tmp_path: Path, raw: Raw, path: str, words: list[str]
) -> None:
    """The arithmetic and what else would do, beside a whole plan."""
    (note,) = load_from(raw, tmp_path).notes
    assert (note.path, note.severity) == (path, Severity.NOTE)
    assert [word for word in words if word not in str(note)] == []


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(
            sample_catalogue(wait={"promise": "1s"}, load={"peak": "100/s"}, replicas={"min": 6}),
            id="a-minimum-that-the-catalogue-states-itself",
        ),
        pytest.param(sample_catalogue(wait={"promise": "1s"}), id="a-burst-that-one-pod-takes"),
        pytest.param(sample_catalogue(wait={"promise": "110s"}, load={"peak": "100/s"}), id="a-wait-that-is-reactive"),
        pytest.param(sample_catalogue(runtime=runtime("10ms", "148ms", "10s")), id="the-widest-lognormal-runtime"),
    ],
)
def test_nothing_is_noted_where_nothing_is_surprising(tmp_path: Path, raw: Raw) -> None:
    """A note that always stands there is not read."""
    assert load_from(raw, tmp_path).notes == ()


def test_aws_policies_are_noted_where_there_is_no_aws(tmp_path: Path) -> None:
    """The catalogue is the same everywhere, so it is no error in `local`; in `dev` there is nothing to tell."""
    raw = sample_catalogue(aws_policies=["mail-templates", "mail-templates"])
    (note,) = load_from(raw, tmp_path, environment="local").notes
    assert (note.path, note.severity) == ("queues.mail.aws_policies", Severity.NOTE)
    assert "has no effect in local" in str(note)
    plan = load_from(raw, tmp_path)
    assert plan.notes == ()
    assert plan.queues[0].aws_policies == ("mail-templates",)


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param("reports/*", id="no-pattern"),
        pytest.param("arn:aws:iam::1234:policy/reports", id="no-account"),
        pytest.param("arn:aws:iam::123456789012:role/reports", id="no-policy"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_names_no_policy_is_refused(tmp_path: Path, policy: str) -> None:
    """IAM would say so in the middle of a deployment."""
    with pytest.raises(CatalogueError) as caught:
        load_from(sample_catalogue(aws_policies=[policy]), tmp_path)
    assert [finding.path for finding in caught.value.findings] == ["queues.mail.aws_policies[0]"]


def test_notes_wait_until_the_errors_are_corrected(tmp_path: Path) -> None:
    """Their numbers would be made from what is wrong."""
    raw = two_queues("a", "x.*", "b", "y.*", runtime=runtime("10ms", "1s", "10s"))
    raw["queues"]["b"]["profile"] = "disk"
    with pytest.raises(CatalogueError) as caught:
        load_from(raw, tmp_path)
    assert [finding.path for finding in caught.value.findings] == ["queues.b.profile"]


def test_findings_of_fields_and_across_fields_come_together(tmp_path: Path) -> None:
    """A queue that cannot be read does not hide what is wrong with the others."""
    raw = two_queues("a", "x.*", "b", "y.*", runtime=runtime("2s", "1s", "10s"))
    raw["queues"]["b"]["profile"] = "disk"
    with pytest.raises(CatalogueError) as caught:
        load_from(raw, tmp_path)
    assert [finding.path for finding in caught.value.findings] == ["queues.a.runtime.mean", "queues.b.profile"]
