"""A catalogue with one queue for each pool of Celery's that workers run in."""

from typing import Any

LIMIT_SECONDS = 4
POOLS = ("gevent", "threads", "prefork")


def catalogue_of_pools() -> dict[str, Any]:
    """The catalogue; its tasks are those of `tests.cluster.pool_tasks`."""
    queues = {
        pool: {
            "tasks": [f"pools.{pool}.*"],
            "profile": "cpu" if pool == "prefork" else "io",
            **({} if pool == "prefork" else {"pool": pool}),
            "runtime": {
                "mean": "300ms",
                "p99": "1s",
                "limit": f"{LIMIT_SECONDS}s",
                **({"cooperative": True} if pool == "threads" else {}),
            },
            "load": {"peak": "1/s"},
            "memory": "40Mi",
        }
        for pool in POOLS
    }
    return {"application": "tests.cluster.pool_tasks:app", "queues": queues}
