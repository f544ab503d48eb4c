"""What Prometheus reads from the web layer."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counters of one process; each application has a registry of its own, so that several fit into one test."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.accepted = Counter(
            "fleet_tasks_accepted", "Tasks the broker confirmed.", ["queue"], registry=self._registry
        )
        self.refused = Counter(
            "fleet_tasks_refused", "Tasks that the broker did not confirm.", ["queue"], registry=self._registry
        )
        self.publish_seconds = Histogram(
            "fleet_publish_seconds",
            "Time from the request to the broker's confirm.",
            buckets=BUCKETS_SECONDS,
            registry=self._registry,
        )
        self.batch_seconds = Histogram(
            "fleet_batch_seconds",
            "Time from a batch to the last of its confirms.",
            buckets=BUCKETS_SECONDS,
            registry=self._registry,
        )
        self.turned_away = Counter(
            "fleet_requests_turned_away",
            "Requests that were not looked at: without a token (401), too many (429), too large (413).",
            ["reason"],
            registry=self._registry,
        )

    def render(self) -> bytes:
        """The text format."""
        return generate_latest(self._registry)
