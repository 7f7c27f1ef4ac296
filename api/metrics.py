"""What the API counts for Prometheus. Names and labels are listed in `docs/operations.md`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from api.answers import NotificationAnswer


class Metrics:
    """The API's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = CollectorRegistry()
        self.notifications = Counter(
            "portcall_notifications",
            "Notifications that were accepted, by source; those parked, whole or in part, too.",
            ["source", "parked"],
            registry=self.registry,
        )
        self.events = Counter(
            "portcall_events",
            "Events by source and what became of them: started, waiting, duplicate, ignored.",
            ["source", "state"],
            registry=self.registry,
        )
        self.answer_seconds = Histogram(
            "portcall_notification_seconds",
            "How long a sender waited for the answer.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.9, 2, 5),
            registry=self.registry,
        )
        self.inbox = Gauge(
            "portcall_inbox_entries",
            "Entries in the inbox by state.",
            ["state"],
            registry=self.registry,
        )

    def count(self, source: str, answer: NotificationAnswer) -> None:
        """Count an accepted notification and its events."""
        self.notifications.labels(source, str(answer.parked is not None).lower()).inc()
        self.events.labels(source, "ignored").inc(answer.ignored)
        for event in answer.events:
            state = "duplicate" if event.duplicate else event.state
            self.events.labels(source, state).inc()
