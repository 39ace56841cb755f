"""Tells Dagster what the receiver loaded, so that the UI shows webhook arrivals on their day.

Reports are observations of ``crm_leads``: the runs that archive deliveries and account for them
come later. They are made by a thread of their own, a few a minute however many deliveries come,
and one that fails harms nobody.
"""

import logging
import threading
from datetime import date
from pathlib import Path
from typing import Protocol

import dagster as dg

from pf_pipeline.orchestration.instance import open_instance
from pf_pipeline.orchestration.lead_assets import crm_leads

logger = logging.getLogger("pf_pipeline.webhook_reports")

SECONDS_BETWEEN = 20.0
"""A report is an entry in Dagster's event log, which keeps it for ever."""


class Batch(Protocol):
    """What the receiver says of a batch that it loaded."""

    @property
    def inserted(self) -> int:
        """Leads that are new."""

    @property
    def updated(self) -> int:
        """Leads that changed."""

    @property
    def rejected(self) -> int:
        """Records that are no usable leads."""

    @property
    def deliveries(self) -> dict[date, int]:
        """How many deliveries arrived on each UTC day."""


class Reporter:
    """Adds up what was loaded and reports it from a thread of its own."""

    def __init__(self, data_dir: Path, *, seconds_between: float = SECONDS_BETWEEN) -> None:
        self._data_dir = data_dir
        self._seconds_between = seconds_between
        self._lock = threading.Lock()
        self._waiting: dict[date, dict[str, int]] = {}
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dagster-reports", daemon=True)
        self.reported = 0
        """Reports that Dagster took."""
        self.failed = 0
        """Reports that it did not take; what they said is part of the next one."""

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def note(self, batch: Batch) -> None:
        """Take note of a batch; returns at once.

        What is new, changed or rejected is said of the batch's last day: nearly every batch has
        but one.
        """
        if not batch.deliveries:
            return
        with self._lock:
            for day, deliveries in batch.deliveries.items():
                self._add(day, {"deliveries": deliveries})
            self._add(
                max(batch.deliveries),
                {
                    "leads_new": batch.inserted,
                    "leads_changed": batch.updated,
                    "rejected": batch.rejected,
                },
            )
        self._news.set()

    def stop(self, patience: float) -> bool:
        """Report what is still waiting, and end.

        Args:
            patience: Seconds to wait for that.

        Returns:
            Whether it has ended.
        """
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with open_instance(self._data_dir) as instance:
                while not self._stopping.is_set():
                    self._news.wait()
                    self._news.clear()
                    self._report(instance)
                    self._stopping.wait(self._seconds_between)
                self._report(instance)
        except Exception as error:  # noqa: BLE001 - leads come first, whatever ails Dagster
            logger.warning(
                "Webhook arrivals are not shown in the Dagster UI: %s", type(error).__name__
            )

    def _report(self, instance: dg.DagsterInstance) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for day, counts in sorted(waiting.items()):
            try:
                instance.report_runless_asset_event(
                    dg.AssetObservation(
                        asset_key=crm_leads.key,
                        partition=day.isoformat(),
                        description="Loaded by the webhook receiver.",
                        metadata=counts,
                    )
                )
                self.reported += 1
            except Exception:  # noqa: BLE001 - a busy event log must not end the reports
                self.failed += 1
                with self._lock:
                    self._add(day, counts)

    def _add(self, day: date, counts: dict[str, int]) -> None:
        known = self._waiting.setdefault(day, {})
        for name, count in counts.items():
            known[name] = known.get(name, 0) + count
