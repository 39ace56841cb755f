"""What the receiver counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LOAD_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)

STORED, REPEATED = "stored", "repeated"
BAD_SIGNATURE, TOO_LARGE = "bad_signature", "too_large"
OVERLOADED, INBOX_FAILED, BROKEN_OFF = "overloaded", "inbox_failed", "broken_off"
OUTCOMES = (
    STORED,
    REPEATED,
    BAD_SIGNATURE,
    TOO_LARGE,
    OVERLOADED,
    INBOX_FAILED,
    BROKEN_OFF,
)
RESULTS = ("inserted", "updated", "unchanged", "rejected")


class Metrics:
    """The counters of one receiver; every label stands from the start, at zero."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        outcomes = Counter(
            "pf_webhook_deliveries",
            "Deliveries by what they were answered.",
            ["outcome"],
            registry=self.registry,
        )
        self.outcomes = {outcome: outcomes.labels(outcome) for outcome in OUTCOMES}
        self.acknowledged_seconds = Histogram(
            "pf_webhook_acknowledgement_seconds",
            "From the request to the acknowledgement that the delivery is stored.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            "pf_webhook_commit_seconds",
            "How long a commit of the inbox took.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.load_seconds = Histogram(
            "pf_webhook_load_seconds",
            "How long a batch took into the CRM, waiting for its lock included.",
            buckets=LOAD_SECONDS,
            registry=self.registry,
        )
        self.load_sizes = Histogram(
            "pf_webhook_load_deliveries",
            "How many deliveries a batch had.",
            buckets=SIZES,
            registry=self.registry,
        )
        leads = Counter(
            "pf_webhook_leads",
            "Leads by what loading them did; rejected ones are kept with the reason.",
            ["result"],
            registry=self.registry,
        )
        self.leads = {result: leads.labels(result) for result in RESULTS}
        self.set_aside = Counter(
            "pf_webhook_set_aside",
            "Deliveries that break the load, left for the archive.",
            registry=self.registry,
        )
        self.load_failures = Counter(
            "pf_webhook_load_failures",
            "Batches that could not be loaded at once; they are tried again.",
            registry=self.registry,
        )
        self.loader_restarts = Counter(
            "pf_webhook_loader_restarts",
            "How often the loader ended by itself and was started again.",
            registry=self.registry,
        )
        self.waiting = Gauge(
            "pf_webhook_waiting_requests",
            "Requests that wait for their commit.",
            registry=self.registry,
        )
        self.backlog = Gauge(
            "pf_webhook_backlog_deliveries",
            "Deliveries that are stored and not loaded yet.",
            registry=self.registry,
        )
        self.backlog_seconds = Gauge(
            "pf_webhook_backlog_age_seconds",
            "How long the oldest of these has waited.",
            registry=self.registry,
        )
        self.unarchived = Gauge(
            "pf_webhook_unarchived_deliveries",
            "Deliveries that the raw archive does not have yet.",
            registry=self.registry,
        )

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)
