"""Arguments of Celery's worker that a queue's `args` does not take, each with its reason and what to write instead.

Invariant: what the plan derives has one source, so an argument that would contradict it is refused by name, whether it is written as a setting
(`time_limit`) or as on Celery's command line (`time-limit`). Facts are from Celery 5.7 (docs/userguide/workers, bin/worker) and RabbitMQ 4.3.
"""

_OWN_QUEUE = "A worker consumes its own queue alone, so that each queue scales by its own load. Which tasks go there is said by `tasks`."
_ALWAYS_SET = "It is always set: with it a worker has one connection instead of three, and nobody listens to that talk."
_CONTAINER = (
    "Kubernetes does that: one process in a container, told when to stop, with its user and file system from the pod."
)
_OUTPUT = "Workers log INFO to standard output, where Kubernetes collects it."
_BEAT = "A scheduler in each worker would send every entry once for each pod. One beat pod is deployed where the application has a schedule."
_EVENTS = "Events cost 42 % of the throughput (tried); waits and results are counted without them."

OWNED_BY_THE_PLAN: dict[str, str] = {
    "autoscale": (
        "Celery's own --autoscale is refused on quorum queues: prefetch is fixed for each consumer there (basic.qos) and cannot follow a pool"
        " that grows, and the autoscaler of Kubernetes counts with one concurrency. Pods are what scales: bound them by `replicas`."
    ),
    "autoscaler": "See autoscale: pods are what scales. Bound them by `replicas`.",
    "concurrency": "The autoscaler counts with it too: write `concurrency` at the queue, beside `args`.",
    "pool": "Limits and memory depend on it: write `pool` at the queue, beside `args`.",
    "queues": _OWN_QUEUE,
    "exclude_queues": _OWN_QUEUE,
    "hostname": "It is made of the queue's and the pod's name, so that no two workers share it.",
    "time_limit": "Grace, consumer timeout and probes follow from it: write `runtime: {limit: ...}` at the queue.",
    "soft_time_limit": "It is derived from `runtime.limit`, so that a task always has time to tidy up before it is killed.",
    "soft_shutdown_timeout": "It is derived from `capacity`: a spot worker gives its tasks most of the notice.",
    "acks_late": "It is always on: a task that a lost pod held goes to another one.",
    "reject_on_worker_lost": "It is always on: the task of a killed child goes back, within the delivery limit.",
    "beat": _BEAT,
    "schedule": _BEAT,
    "scheduler": _BEAT,
    "task_events": _EVENTS,
    "events": _EVENTS,
    "without_gossip": _ALWAYS_SET,
    "without_mingle": _ALWAYS_SET,
    "without_heartbeat": _ALWAYS_SET,
    "loglevel": _OUTPUT,
    "logfile": _OUTPUT,
    "purge": "Every pod that starts would delete the queue's messages.",
    "discard": "Every pod that starts would delete the queue's messages.",
    "statedb": "Pods keep no files; cancellations are kept in the results store.",
    "include": "The application's own `include` names its modules, for publishers and workers alike.",
    "detach": _CONTAINER,
    "pidfile": _CONTAINER,
    "uid": _CONTAINER,
    "gid": _CONTAINER,
    "umask": _CONTAINER,
    "workdir": _CONTAINER,
    "executable": _CONTAINER,
}
"""Argument -> why it cannot be set here."""


def plain_name(key: str) -> str:
    """An argument as `args` spells it: `--time-limit`, `time_limit` and `worker_time_limit` are one."""
    name = key.lstrip("-").replace("-", "_").lower()
    return name.removeprefix("worker_") if name not in OWNED_BY_THE_PLAN else name
