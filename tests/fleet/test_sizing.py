"""Workers and pods: limits in order, memory that holds what was declared."""

import pytest

from fleet.sizing import (
    Pool,
    Shutdown,
    derive_child_ceiling_bytes,
    derive_concurrency,
    derive_consumer_timeout_seconds,
    derive_grace_seconds,
    derive_memory_bytes,
    derive_resources,
    derive_soft_limit_seconds,
    derive_worker,
)

MIB = 2**20


@pytest.mark.parametrize(
    ("profile", "mean_seconds", "slots"),
    [
        pytest.param("cpu", 0.01, 1, id="a-computing-task-has-its-pod"),
        pytest.param("io", 0.08, 8, id="short-waiting-tasks-share-eight-ways"),
        pytest.param("io", 0.1, 4, id="longer-ones-four-ways"),
    ],
)
def test_concurrency_follows_the_profile(profile: str, mean_seconds: float, slots: int) -> None:
    """Never the load: more load is more pods, not other pods."""
    assert derive_concurrency(profile, mean_seconds) == slots


@pytest.mark.parametrize(
    ("hard", "soft"),
    [
        pytest.param(5, 2.5, id="half-of-a-short-limit"),
        pytest.param(10, 5, id="five-seconds-before-the-kill"),
        pytest.param(30, 25, id="still-five-seconds"),
        pytest.param(600, 540, id="a-tenth-of-a-long-limit"),
    ],
)
def test_the_soft_limit_leaves_time_to_tidy_up(hard: float, soft: float) -> None:
    """A task is told before it is killed."""
    assert derive_soft_limit_seconds(hard) == pytest.approx(soft)


@pytest.mark.parametrize(
    ("hard", "shutdown", "grace"),
    [
        pytest.param(30, Shutdown.WARM, 90, id="a-short-task-keeps-the-margin"),
        pytest.param(900, Shutdown.WARM, 960, id="a-long-task-is-never-cut"),
        pytest.param(2.5, Shutdown.WARM, 63, id="a-fraction-is-rounded-up"),
        pytest.param(900, Shutdown.SOFT, 120, id="spot-has-its-notice-and-no-more"),
    ],
)
def test_grace_outlasts_the_hard_limit_or_the_spot_notice(hard: float, shutdown: Shutdown, grace: int) -> None:
    """A worker told to stop can finish the task it holds."""
    assert derive_grace_seconds(hard, shutdown) == grace


@pytest.mark.parametrize(
    ("hard", "grace", "timeout"),
    [
        pytest.param(30, 90, 1800, id="never-below-the-brokers-default"),
        pytest.param(3600, 3660, 7320, id="above-limit-and-shutdown-together"),
    ],
)
def test_the_broker_waits_longer_than_any_worker(hard: float, grace: int, timeout: int) -> None:
    """A delivery is not taken back while its task may still run."""
    assert derive_consumer_timeout_seconds(hard, grace) == timeout


def test_messages_that_wait_in_a_slot_count_for_the_broker_too() -> None:
    """Four messages a slot, each 3000 s at most, then a shutdown of 3060 s and a minute."""
    assert derive_consumer_timeout_seconds(3000, 3060, 4) == 15_120


@pytest.mark.parametrize(
    ("pool", "slots", "task_mib", "pod_mib"),
    [
        pytest.param(Pool.GEVENT, 8, 60, 688, id="one-process-and-eight-tasks"),
        pytest.param(Pool.PREFORK, 1, 150, 352, id="a-parent-a-child-and-its-task"),
        pytest.param(Pool.THREADS, 4, 40, 320, id="threads-cost-what-greenlets-cost"),
    ],
)
def test_memory_holds_a_task_in_every_slot(pool: Pool, slots: int, task_mib: int, pod_mib: int) -> None:
    """Idle worker, children and tasks, 15 % above, in steps of 16 Mi."""
    assert derive_memory_bytes(pool, slots, task_mib * MIB) == pod_mib * MIB


def test_only_computing_pods_have_a_cpu_limit() -> None:
    """A limit on a waiting process throttles it just when messages arrive."""
    io = derive_resources(profile="io", pool=Pool.GEVENT, concurrency=8, task_bytes=MIB, cpu_scale=1)
    cpu = derive_resources(profile="cpu", pool=Pool.PREFORK, concurrency=2, task_bytes=MIB, cpu_scale=0.05)
    assert (io.cpu_request_millicores, io.cpu_limit_millicores) == (496, None)
    assert (cpu.cpu_request_millicores, cpu.cpu_limit_millicores) == (100, 2000)


def test_soft_limits_and_memory_ceilings_are_preforks_alone() -> None:
    """Celery's other pools enforce neither; promising them would be a lie."""
    gevent = derive_worker(
        pool=Pool.GEVENT, concurrency=4, hard_limit_seconds=10, task_bytes=MIB, memory_bytes=400 * MIB, spot=False
    )
    prefork = derive_worker(
        pool=Pool.PREFORK, concurrency=1, hard_limit_seconds=10, task_bytes=150 * MIB, memory_bytes=352 * MIB, spot=True
    )
    assert (gevent.soft_limit_seconds, gevent.max_memory_per_child_bytes) == (None, None)
    assert (prefork.soft_limit_seconds, prefork.max_memory_per_child_bytes) == (5, 304 * MIB)
    assert (prefork.shutdown, prefork.soft_shutdown_seconds, prefork.grace_seconds) == (Shutdown.SOFT, 100, 120)


@pytest.mark.parametrize(
    ("slots", "task_mib", "pod_mib", "ceiling_mib"),
    [
        # 96 idle + 48 a child + tasks; what is left of the pod is the children's to leak.
        pytest.param(1, 150, 352, 304, id="one-child-may-take-all-that-is-free"),
        pytest.param(2, 100, 464, 232, id="two-children-share-it"),
        pytest.param(3, 50, 480, 176, id="in-whole-mebibytes"),
        pytest.param(1, 200, 256, 296, id="a-pod-smaller-than-its-task-leaves-none"),
    ],
)
def test_leaking_children_are_replaced_before_the_kernel_ends_the_pod(
    slots: int, task_mib: int, pod_mib: int, ceiling_mib: int
) -> None:
    """All children at their ceiling fit the pod, and a task of the declared size does not reach it."""
    assert derive_child_ceiling_bytes(slots, task_mib * MIB, pod_mib * MIB) == ceiling_mib * MIB
