"""Known peaks, shared downstreams, declared bursts and stated requests: what they become, and what is refused of them."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.checks.downstream import share_out
from fleet.checks.schedule import is_cron
from fleet.errors import CatalogueError, Finding
from fleet.plan import Plan, QueuePlan
from fleet.scaling import burst_maximum
from tests.fleet.strategies import Raw, load_from, sample_catalogue, sample_queue

WINDOW = {"from": "0 8 * * 1-5", "to": "0 18 * * 1-5", "min": 3}
BUSY = {"peak": "100/s"}
"""On four slots of 200 ms: 20 busy slots, 6 pods at peak, 12 at most."""


def findings_of(raw: Raw, folder: Path) -> list[Finding]:
    with pytest.raises(CatalogueError) as caught:
        load_from(raw, folder)
    return caught.value.findings


def on(name: str, limit: int) -> Raw:
    return {"name": name, "limit": limit}


def sharing(first: Raw, second: Raw, limit: int, *, other_limit: int | None = None) -> Raw:
    """Two queues on one database; `mail` is busy."""
    raw = sample_catalogue(load=BUSY, depends_on_downstream=on("db", limit), **first)
    raw["queues"]["b"] = sample_queue(tasks=["b.*"], depends_on_downstream=on("db", other_limit or limit), **second)
    return raw


@pytest.mark.parametrize(
    ("changes", "path", "problem"),
    [
        pytest.param(
            {"schedule": [{**WINDOW, "from": "0 8 * * 1-7"}]},
            "schedule[0].from",
            "is '0 8 * * 1-7', which KEDA does not take",
            id="a-weekday-that-keda-does-not-know",
        ),
        pytest.param(
            {"schedule": [WINDOW, {**WINDOW, "to": "0 0 18 * * *"}]},
            "schedule[1].to",
            "is '0 0 18 * * *'",
            id="six-fields",
        ),
        pytest.param(
            {"schedule": [{**WINDOW, "to": "0 8 30 2 *"}]},
            "schedule[0].to",
            "or which never comes",
            id="a-date-that-never-comes",
        ),
        pytest.param(
            {"schedule": [{**WINDOW, "to": "0  8 * * 1-5"}]},
            "schedule[0].to",
            "the same as from",
            id="a-window-that-is-empty",
        ),
        pytest.param(
            {"schedule": [{**WINDOW, "timezone": "Europe/Berln"}]},
            "schedule[0].timezone",
            "is 'Europe/Berln', which is no time zone",
            id="a-misspelt-time-zone",
        ),
        pytest.param(
            {"schedule": [{**WINDOW, "timezone": "../etc/passwd"}]},
            "schedule[0].timezone",
            "which is no time zone",
            id="a-path",
        ),
        pytest.param(
            {"schedule": [WINDOW], "replicas": {"max": 2}},
            "schedule[0].min",
            "is 3, above replicas.max (2)",
            id="a-window-above-the-maximum",
        ),
        pytest.param(
            {"depends_on_downstream": on("db", 3)},
            "depends_on_downstream.limit",
            "is 3, but one pod of each shard runs 4 tasks at once",
            id="a-downstream-that-one-pod-exceeds",
        ),
        pytest.param(
            {"load": BUSY, "depends_on_downstream": on("db", 23)},
            "depends_on_downstream.limit",
            "is 23, but the peak load needs 6 pods of 4 slot(s), 24 tasks at once",
            id="a-downstream-that-the-peak-exceeds",
        ),
        pytest.param(
            {"load": BUSY, "depends_on_downstream": on("db", 31), "replicas": {"max": 8}},
            "replicas.max",
            "is 8, but 'db' takes 31 tasks at once, 7 pods of 4 slot(s)",
            id="a-declared-maximum-above-the-downstream",
        ),
        pytest.param(
            {"depends_on_downstream": on("db", 11), "replicas": {"min": 3}},
            "replicas.min",
            "becomes 3, but 'db' takes 11 tasks at once, 2 pods",
            id="a-minimum-above-the-downstream",
        ),
        pytest.param(
            {"depends_on_downstream": on("db", 11), "schedule": [WINDOW]},
            "schedule[0].min",
            "is 3, but 'db' takes 11 tasks at once",
            id="a-window-above-the-downstream",
        ),
        pytest.param(
            {"wait": {"promise": "120s"}, "load": {"peak": "10/s", "burst": {"rate": "200/s", "lasts": "60s"}},
             "depends_on_downstream": on("db", 63)},
            "load.burst",
            "needs 16 pods, but 'db' takes 63 tasks at once, 15 pods",
            id="a-burst-above-the-downstream",
        ),
        pytest.param(
            {"wait": {"promise": "120s"}, "load": {"peak": "10/s", "burst": {"rate": "200/s", "lasts": "60s"}},
             "replicas": {"max": 15}},
            "replicas.max",
            "is 15, but the burst needs 16 pods of 4 slot(s)",
            id="a-maximum-below-the-burst",
        ),
        pytest.param(
            {"requests": {"memory": "111Mi"}},
            "requests.memory",
            "is 111Mi, below the 112Mi that a worker takes before its first task",
            id="memory-for-no-worker",
        ),
        pytest.param(
            {"requests": {"memory": "29Gi"}},
            "requests.memory",
            "above the largest node's 28Gi",
            id="memory-that-no-node-has",
        ),
    ],
)  # fmt: skip
def test_what_a_field_cannot_mean_is_found(tmp_path: Path, changes: Raw, path: str, problem: str) -> None:
    """One finding, at the field that has to change."""
    (finding,) = findings_of(sample_catalogue(**changes), tmp_path)
    assert finding.path == f"queues.mail.{path}"
    assert problem in finding.problem


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        ("0 8 * * 1-5", True), ("0 8 * * MON-FRI", True), ("0 8 * * mon", True), ("0  8 * * 1", True),
        ("*/7 * * * *", True), ("5/10 * * * *", True), ("0 8 * JAN-JUL *", True), ("0 8 29 2 *", True), ("10-20/3 * * * */7", True),
        ("0 8 * * 7", False), ("0 8 * * 0-7", False), ("0 8 * * 5-1", False), ("0 8 L * *", False), ("0 8 * * 5L", False),
        ("0 8 * * 1#2", False), ("0 8 LW * *", False), ("60 8 * * *", False), ("0 24 * * *", False), ("0 8 0 * *", False),
        ("0 8 * 13 *", False), ("0 8 * *", False), ("0 0 8 * * *", False), ("@daily", False), ("*/0 * * * *", False),
        ("a * * * *", False), ("1-2-3 * * * *", False), ("0 8 * * sunday", False), ("-1 * * * *", False), ("", False),
    ],
)  # fmt: skip
def test_what_is_taken_as_a_time_is_what_keda_takes(expression: str, taken: bool) -> None:
    """As robfig/cron 3.0.1 answers, the parser of KEDA 2.21, asked with the same expressions."""
    assert is_cron(expression) is taken


@pytest.mark.parametrize("expression", ["0 8 30 2 *", "0 8 31 4,6 *"])
def test_a_date_that_never_comes_is_refused_although_keda_takes_it(expression: str) -> None:
    """Its window would be open for good."""
    assert not is_cron(expression)


def maximum(folder: Path, **changes: Any) -> int:
    (queue,) = load_from(sample_catalogue(**changes), folder).queues
    return queue.autoscaling.max_replicas


def test_the_maximum_covers_known_peaks(tmp_path: Path) -> None:
    """Twice the peak of one pod would not hold the window's seven."""
    assert maximum(tmp_path, schedule=[{**WINDOW, "min": 7}, WINDOW]) == 7


def test_the_maximum_stays_within_what_the_tasks_use(tmp_path: Path) -> None:
    """Twelve pods are wanted; forty connections are ten pods of four slots, or five a shard of two."""
    assert maximum(tmp_path, load=BUSY) == 12
    assert maximum(tmp_path, load=BUSY, depends_on_downstream=on("db", 40)) == 10
    assert maximum(tmp_path, load=BUSY, depends_on_downstream=on("db", 1000)) == 12
    assert maximum(tmp_path, load=BUSY, depends_on_downstream=on("db", 43), shards=2) == 5


@pytest.mark.parametrize(
    ("rate", "lasts", "wait", "minimum", "pods"),
    [
        pytest.param(100, 20, 30, 1, 7, id="100-pod-seconds-less-18-in-the-12-that-are-left"),
        pytest.param(100, 20, 30, 4, 3, id="more-pods-that-are-there-leave-less"),
        pytest.param(100, 20, 30, 6, 0, id="the-pods-that-are-there-do-it"),
        pytest.param(5000, 1, 30, 0, 21, id="a-batch-at-once-is-a-burst-of-one-second"),
        pytest.param(100, 3600, 30, 1, 11, id="an-hour-is-half-a-minute-over-and-over"),
        pytest.param(100, 20, 18, 1, 0, id="new-pods-come-too-late"),
    ],
)
def test_the_maximum_works_a_burst_off_within_the_wait(
    *, rate: float, lasts: float, wait: float, minimum: int, pods: int
) -> None:
    """minimum x 18 + n x (wait - 18) >= what arrives within the wait x 200 ms / 4 slots, with pods that start in 5 s."""
    assert pods == burst_maximum(
        burst_per_second=rate,
        burst_seconds=lasts,
        mean_seconds=0.2,
        wait_seconds=wait,
        concurrency=4,
        minimum=minimum,
        startup_seconds=5,
    )


def test_the_derived_maximum_holds_a_declared_burst(tmp_path: Path) -> None:
    """200/s for 60 s are 600 pod-seconds; one pod does 88 of them while others come, sixteen the rest in 32 s."""
    burst = {"peak": "10/s", "burst": {"rate": "200/s", "lasts": "60s"}}
    assert maximum(tmp_path, load=burst, wait={"promise": "120s"}) == 16


def test_queues_that_share_a_downstream_stay_within_it_together(tmp_path: Path) -> None:
    """What is proposed is in proportion to the peaks, and passes."""
    raw = sharing({}, {}, 40)
    (finding,) = findings_of(raw, tmp_path)
    assert finding.path == "queues.b.depends_on_downstream.limit"
    assert finding.problem == "is 40, but mail, b reach 48 tasks at once together"
    assert "in proportion to the peaks: mail 8, b 1" in finding.fix
    assert load_from(sharing({"replicas": {"max": 8}}, {"replicas": {"max": 1}}, 40), tmp_path).queues


def test_what_no_sharing_can_hold_is_said(tmp_path: Path) -> None:
    """Six pods and one, of four slots each, are 28."""
    (finding,) = findings_of(sharing({}, {}, 27), tmp_path)
    assert "Raise the limit to 28 or more" in finding.fix


@st.composite
def sharers(draw: st.DrawFn) -> tuple[list[QueuePlan], list[int], list[int]]:
    """Queues that share a downstream, the pods that each needs, and the tasks that one pod of each of its shards runs."""
    with tempfile.TemporaryDirectory() as folder:
        (base,) = load_from(sample_catalogue(), Path(folder)).queues
    queues, needs, slots = [], [], []
    for index in range(draw(st.integers(1, 5))):
        peak, minimum, burst = draw(st.integers(1, 40)), draw(st.integers(0, 40)), draw(st.integers(0, 40))
        concurrency, shards = draw(st.integers(1, 9)), draw(st.integers(1, 4))
        needs.append(max(peak, minimum, burst))
        slots.append(concurrency * shards)
        auto = msgspec.structs.replace(
            base.autoscaling, peak_replicas=peak, min_replicas=minimum, burst_replicas=burst,
            max_replicas=needs[-1] + draw(st.integers(0, 40)),
        )  # fmt: skip
        queues.append(
            msgspec.structs.replace(
                base,
                name=f"q{index}",
                autoscaling=auto,
                worker=msgspec.structs.replace(base.worker, concurrency=concurrency),
                topology=msgspec.structs.replace(base.topology, shards=tuple(f"q{index}-{n}" for n in range(shards))),
            )
        )
    return queues, needs, slots


@given(shared=sharers(), spare=st.integers(-200, 400))
def test_proposed_maxima_fit_the_limit_and_give_each_what_it_needs(
    shared: tuple[list[QueuePlan], list[int], list[int]], spare: int
) -> None:
    """And nobody more than its own maximum; where the needs alone are too many, nothing is proposed."""
    queues, needs, slots = shared
    limit = sum(need * size for need, size in zip(needs, slots, strict=True)) + spare
    proposed = share_out(queues, limit)
    assert (proposed is None) == (spare < 0)
    if proposed is not None:
        assert list(proposed) == [queue.name for queue in queues]
        assert sum(pods * size for pods, size in zip(proposed.values(), slots, strict=True)) <= limit
        for queue, need, pods in zip(queues, needs, proposed.values(), strict=True):
            assert 1 <= need <= pods <= queue.autoscaling.max_replicas


def test_what_is_shared_has_one_limit(tmp_path: Path) -> None:
    """Otherwise nobody knows which one holds."""
    (finding,) = findings_of(sharing({}, {}, 100, other_limit=90), tmp_path)
    assert finding.problem == "is 90, but queue 'mail' says 100 of 'db'"


def plan_with(folder: Path, **changes: Any) -> Plan:
    return load_from(sample_catalogue(**changes), folder, environment="local", explain=True)


def test_a_stated_request_stands_in_for_the_derived(tmp_path: Path) -> None:
    """Memory as it is written, CPU thinned out like any other, and no limit on a queue that waits."""
    plan = plan_with(tmp_path, requests={"cpu": "2", "memory": "300Mi"})
    resources = plan.queues[0].resources
    assert (resources.cpu_request_millicores, resources.cpu_limit_millicores) == (100, None)
    assert resources.memory_bytes == 300 * 2**20
    assert next(item.formula for item in plan.reasons if item.path == "mail.resources.memory") == "stated"


def test_a_stated_cpu_is_the_limit_of_a_queue_that_computes(tmp_path: Path) -> None:
    """Not thinned out: a scale of requests is no bound of work."""
    resources = plan_with(tmp_path, profile="cpu", requests={"cpu": "1500m"}).queues[0].resources
    assert (resources.cpu_request_millicores, resources.cpu_limit_millicores) == (75, 1500)
