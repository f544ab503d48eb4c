"""The time series of a fleet: what each is called, and how one is chosen.

Invariant: alerts, dashboards and scrape settings name a series by the constants here, so a metric that is renamed is renamed once.
Sources: the workers' and the web layer's own metrics (`app/`); rabbitmq_prometheus 4.3, `prometheus_rabbitmq_core_metrics_collector.erl` and
`prometheus_rabbitmq_alarm_metrics_collector.erl`; KEDA 2.21, `pkg/metricscollector/prommetrics.go`.
"""

import re

TASK_WAIT = "fleet_task_wait_seconds"
"""Histogram of each queue and task: enqueue to start. The promise of the queue is the bound of one of its buckets."""
TASK_RUN = "fleet_task_run_seconds"
"""Histogram of each queue and task: start to end."""
TASKS_FINISHED = "fleet_tasks_finished_total"
TASK_RETRIES = "fleet_task_retries_total"
TASK_REDELIVERIES = "fleet_task_redeliveries_total"
WORKER_SLOTS = "fleet_worker_slots"
WORKER_BUSY_SLOTS = "fleet_worker_busy_slots"
WORKER_MEMORY = "fleet_worker_peak_resident_bytes"
"""Highest of one task process since the pod's start."""
WORKER_STARTUP = "fleet_worker_startup_seconds"

TASKS_ACCEPTED = "fleet_tasks_accepted_total"
TASKS_REFUSED = "fleet_tasks_refused_total"
PUBLISH_SECONDS = "fleet_publish_seconds"

QUEUE_FAMILIES = ("queue_coarse_metrics", "queue_consumer_count", "queue_delivery_metrics")
"""Families of RabbitMQ's `/metrics/detailed` that give the series of each queue; `/metrics` has the sums of a node alone."""

QUEUE_READY = "rabbitmq_detailed_queue_messages_ready"
QUEUE_UNACKED = "rabbitmq_detailed_queue_messages_unacked"
QUEUE_MESSAGES = "rabbitmq_detailed_queue_messages"
"""Ready, unacknowledged, and those that at-least-once dead-lettering has not handed over yet."""
QUEUE_CONSUMERS = "rabbitmq_detailed_queue_consumers"
QUEUE_DELIVERED = "rabbitmq_detailed_queue_messages_delivered_ack_total"
QUEUE_REDELIVERED = "rabbitmq_detailed_queue_messages_redelivered_total"
QUEUE_INFO = "rabbitmq_detailed_queue_info"
"""1 on every node that has a member of the queue, with the label `membership`."""

BROKER_MEMORY_ALARM = "rabbitmq_alarms_memory_used_watermark"
BROKER_DISK_ALARM = "rabbitmq_alarms_free_disk_space_watermark"
BROKER_MEMORY = "rabbitmq_process_resident_memory_bytes"
BROKER_MEMORY_LIMIT = "rabbitmq_resident_memory_limit_bytes"
BROKER_DISK_FREE = "rabbitmq_disk_space_available_bytes"
BROKER_DISK_LIMIT = "rabbitmq_disk_space_available_limit_bytes"
BROKER_CONNECTIONS = "rabbitmq_connections"
BROKER_CHANNELS = "rabbitmq_channels"
BROKER_QUEUES = "rabbitmq_queues"
BROKER_CONNECTIONS_OPENED = "rabbitmq_connections_opened_total"
BROKER_UNREACHABLE = "rabbitmq_unreachable_cluster_peers_count"

SCALER_ACTIVE = "keda_scaler_active"
SCALER_VALUE = "keda_scaler_metrics_value"
SCALER_ERRORS = "keda_scaler_detail_errors_total"

PLANNED_WAIT = "fleet:promise_seconds"
"""Recorded from the plan, for each queue: the promised wait; so are the next three."""
PROMISED_SHARE = "fleet:promise_share"
PLANNED_MEAN = "fleet:runtime_mean_seconds"
PLANNED_SLOTS = "fleet:slots_maximum"
LATE_SHARE = "fleet:tasks_late:share"
"""Recorded for each queue over the time that its label `window` names: the share of tasks that started later than promised."""

NAMESPACE_LABEL = "namespace"
"""Of every series: the namespace that it is about, which is the fleet's name. Scraping adds it, except to KEDA's, which carry it."""

_REGEX_WORDS, _ESCAPED = re.compile(r"[\\.+*?()|\[\]{}^$]"), r"\\\g<0>"
"""What means something in a regular expression of RE2; a hyphen does not."""

_EXPONENT_FROM_DIGITS = 7
"""From this many digits before the point on, prometheus_client writes an exponent, as Go does (`prometheus_client.utils.floatToGoString`)."""


def series(metric: str, fleet: str, **labels: str | tuple[str, ...]) -> str:
    """A selector of this fleet's series of a metric; a tuple matches any of its values."""
    matchers = [f"{NAMESPACE_LABEL}={quoted(fleet)}"]
    for label, wanted in labels.items():
        values = (wanted,) if isinstance(wanted, str) else wanted
        if len(values) == 1:
            matchers.append(f"{label}={quoted(values[0])}")
        else:
            matchers.append(f"{label}=~{quoted('|'.join(_REGEX_WORDS.sub(_ESCAPED, value) for value in values))}")
    return f"{metric}{{{','.join(matchers)}}}"


def quoted(text: str) -> str:
    """A string literal of PromQL (Prometheus docs, "Querying basics", string literals: escapes as in Go)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def bucket_bound(seconds: float) -> str:
    """The label `le` of a histogram's bucket, as prometheus_client writes it: `1.0`, `0.08`, `1.2096e+06`."""
    text = repr(float(seconds))
    whole, point, rest = text.partition(".")
    if point and len(whole) >= _EXPONENT_FROM_DIGITS:
        digits = f"{whole[0]}.{whole[1:]}{rest}".rstrip("0").rstrip(".")
        return f"{digits}e+{len(whole) - 1:02}"
    return text
