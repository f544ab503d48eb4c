"""Every fault, in the order in which they are run: the small ones first."""

from tests.cluster.faults import around, broker, workers
from tests.cluster.faults.fault import Fault

FIRST_START_SECONDS = 15.0
"""After the leader of a queue has died."""

FAULTS = (
    Fault(
        name="child_killed",
        says="SIGKILL to four prefork children, one every two seconds",
        strike=workers.kill_children,
        again="the task of each child",
    ),
    Fault(
        name="worker_pod_killed",
        says="SIGKILL to every process of a worker of each queue",
        strike=workers.kill_pods,
        again="what the pods held: a message a slot",
    ),
    Fault(
        name="broker_leader_killed",
        says="SIGKILL to every process of the broker node that leads the busiest queue",
        strike=broker.kill_leader,
        again="what workers held over connections to that node, and what was being published",
        first_start_seconds=FIRST_START_SECONDS,
    ),
    Fault(
        name="memory_alarm",
        says="a broker node says for 15 s that its memory is full: the cluster takes no message",
        strike=broker.alarm_memory,
        again="nothing",
    ),
    Fault(
        name="disk_alarm",
        says="a broker node says for 15 s that its disk is full",
        strike=broker.alarm_disk,
        again="nothing",
    ),
    Fault(
        name="task_over_its_limit",
        says="three tasks that take no notice of their soft limit, on a queue that keeps what failed",
        strike=workers.outlive_limit,
        again="nothing: each is ended at its hard limit and becomes a dead letter",
    ),
    Fault(
        name="binding_removed",
        says="the binding of the busiest queue is away for 15 s; then `fleet dlq replay unrouted`",
        strike=broker.remove_binding,
        again="nothing",
    ),
    Fault(
        name="web_pod_killed",
        says="SIGKILL to every process of each web pod, one after the other, with requests in hand",
        strike=around.kill_web_pods,
        again="nothing: what was cut off was not promised, and nobody sends it again",
        cuts_requests=True,
    ),
    Fault(
        name="results_store_killed",
        says="SIGKILL to every process of the results store",
        strike=around.kill_results_store,
        again="nothing: tasks with `@once` that cannot take their lease wait in the broker",
    ),
    Fault(
        name="network_cut",
        says="every packet between one worker and the broker vanishes for 60 s",
        strike=workers.cut_network,
        again="what that worker held",
    ),
    Fault(
        name="new_version_deployed",
        says="`pulumi up` rolls the workers of both queues",
        strike=workers.deploy_new_version,
        again="nothing: each old worker ends what it holds",
    ),
    Fault(
        name="workers_and_broker_evicted",
        says="the eviction API on every worker of the load, then on the broker node that leads the busiest queue",
        strike=workers.evict_everybody,
        again="what workers held over connections to that node when it closed them",
    ),
    Fault(
        name="broker_pods_killed_in_turn",
        says="SIGKILL to the leader's node, and when it is back to that of the next leader",
        strike=broker.kill_two_in_turn,
        again="as for one of them, twice",
        first_start_seconds=FIRST_START_SECONDS,
    ),
    Fault(
        name="broker_restarted",
        says="a rolling restart of the three broker nodes",
        strike=broker.restart_all,
        again="what workers held over connections to each node when it closed them",
    ),
    Fault(
        name="woken_during_failover",
        says="the leader of a queue at zero pods dies while its first tasks are sent",
        strike=broker.fail_over_while_waking,
        again="as for a leader",
    ),
    Fault(
        name="poison_task",
        says="a task that ends its worker process each time",
        strike=workers.send_poison,
        again="the task, up to its delivery limit",
        settle_seconds=420,
    ),
    Fault(
        name="autoscaler_away",
        says="KEDA's operator is scaled to zero for two minutes",
        strike=around.stop_autoscaler,
        again="nothing",
    ),
)

IN_CI = ("child_killed", "worker_pod_killed", "broker_leader_killed", "memory_alarm")
"""Short ones; all the others run with `make soak`."""


def fault(name: str) -> Fault:
    """The fault of that name."""
    return next(found for found in FAULTS if found.name == name)
