"""The way of a lead, step by step, over whole days. No Dagster here: assets call these steps.

Each step may be repeated at any time: a sweep adds to the archive, and every other step makes the
same of the same archive.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from pf_pipeline.archive import Archive, Manifest, Packed
from pf_pipeline.crm import Loaded, Warehouse, open_crm
from pf_pipeline.crm.reference_data import KEEP_CRM_TABLES, read_agents, read_properties
from pf_pipeline.leads.assignment import merge_and_assign
from pf_pipeline.leads.deliveries import sightings_of
from pf_pipeline.leads.observing import Observed, observe
from pf_pipeline.orchestration import archiving
from pf_pipeline.orchestration.accounts import DayAccount, account, deliveries_until
from pf_pipeline.orchestration.arrivals import Arrivals, compare
from pf_pipeline.orchestration.origin import check_origin, check_own_people
from pf_pipeline.orchestration.portal_directory import Directory, Refreshed, refresh
from pf_pipeline.orchestration.sweeping import Sweeper
from pf_pipeline.orchestration.watching import Watcher
from pf_pipeline.portal import PortalClient, connect, private_folder
from pf_pipeline.settings import Settings

LEAD_ID = ["lead_id"]
LEADS_AT_ONCE = 30_000
"""Days are worked on together up to about so many leads.

More at once is cheaper, but takes more memory, and a load holds the CRM's lock for as long: about
a second.
"""


def utc_now() -> datetime:
    """The current instant."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Pipeline:
    """The steps, over the places that the settings name.

    Attributes:
        settings: Where everything is.
        now: The clock; gives aware UTC.
        watcher: Told how it gets on.
    """

    settings: Settings
    now: Callable[[], datetime] = utc_now
    watcher: Watcher = field(default_factory=Watcher, repr=False)

    @cached_property
    def archive(self) -> Archive:
        """The data folder's files."""
        return Archive(self.settings.data_dir)

    def crm(self) -> AbstractContextManager[Warehouse]:
        """Open the CRM; close it soon."""
        return open_crm(self.settings.crm_location, lock_timeout=self.settings.lock_timeout_seconds)

    @property
    def crm_name(self) -> str:
        """The CRM's address without user and password, to tell one CRM from another."""
        address = urlsplit(self.settings.crm_location)
        return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"

    def portal(self) -> PortalClient:
        """A client of the portal; close it."""
        settings = self.settings
        return connect(
            settings.api_base_url,
            key=_revealed(settings.api_key),
            secret=_revealed(settings.api_secret),
            token=_revealed(settings.api_token),
            dialect=settings.api_dialect,
            state_dir=_machine_state(settings.api_base_url),
            requests_per_minute=settings.requests_per_minute,
            timeout_seconds=settings.request_timeout_seconds,
            attempts=settings.request_attempts,
            parallel=settings.parallel_requests,
            clock=self.now,
        )

    def sweep(self, days: Sequence[date], *, overlap_only: bool = False) -> list[Manifest]:
        """Ask the portal for days and add what it has to the raw archive; see :class:`Sweeper`.

        Args:
            days: UTC days, in any order; today is read up to now.
            overlap_only: Read what is missing and the overlap before it, instead of whole days.
        """
        return self._sweeper().sweep(days, overlap_only=overlap_only)

    def awaited_recordings(self) -> pd.DataFrame:
        """The calls of the trailing days that have no recording yet: ``day`` and ``lead_id``."""
        since = self.now() - timedelta(days=self.settings.trailing_days)
        with self.crm() as crm:
            return crm.calls_without_recording(since)

    def sweep_awaited_recordings(self, days: Sequence[date]) -> list[Manifest]:
        """Ask again, by id, for the calls of some days that have no recording yet."""
        awaited = self.awaited_recordings()
        return self._sweeper().sweep_leads(awaited[awaited["day"].isin(days)])

    def _sweeper(self) -> Sweeper:
        check_origin(self.settings)
        check_own_people(self.settings)
        return Sweeper(self.settings, self.archive, self.portal, self.now, self.watcher)

    def pack_archive(self) -> dict[date, Packed]:
        """Pack the days of which nothing more is expected; see :func:`archiving.pack`."""
        return archiving.pack(self.archive, self.now(), self.settings.trailing_days)

    def archive_deliveries(self, days: Sequence[date] | None = None) -> dict[date, int]:
        """Bring what the inbox holds into the archive; see :func:`archiving.archive_deliveries`."""
        return archiving.archive_deliveries(self.archive, self.settings.data_dir, days)

    def overdue_deliveries(self) -> list[date]:
        """The days with deliveries that no run has archived for longer than polls take."""
        return archiving.overdue_deliveries(self.settings.data_dir, self.now())

    def forget_deliveries(self) -> int:
        """Empty the inbox of what the archive has had for long; returns how many went."""
        return archiving.forget_deliveries(self.settings.data_dir, self.now())

    def arrivals(self, days: Sequence[date]) -> dict[date, Arrivals]:
        """Compare the two ways in which leads come, for days on which the webhook was in use."""
        events = self.archive.webhook_events
        delivery_days = events.days()
        if not delivery_days:
            return {}
        with self.crm() as crm:
            arrived = crm.arrivals(days)
        return compare(
            arrived,
            days,
            delivery_days=delivery_days,
            first_delivery=events.deliveries(delivery_days[0])[0].received_at,
            now=self.now(),
        )

    def validate(self, day: date) -> Observed:
        """Parse and validate all that the archive has of a day, and stage both outcomes.

        The staged files name what they were made of: what comes in meanwhile is for the next time.
        """
        sources = self.archive.sources(day)
        observed = self.observe_day(day, sources)
        self.archive.observations.write(day, observed.observations, sources)
        self.archive.rejected.write(day, observed.rejected, sources)
        self.watcher.day_finished("validated", day)
        return observed

    def observe_day(self, day: date, sources: frozenset[str]) -> Observed:
        """Parse and validate what was polled and what was delivered, by the same functions."""
        polled = observe(
            self.archive.raw_leads.sightings(day, sources),
            partition_key=day.isoformat(),
            country=self.settings.default_country,
        )
        deliveries = self.archive.webhook_events.deliveries(day, sources)
        if not deliveries:
            return polled
        delivered = observe(
            sightings_of(deliveries),
            partition_key=day.isoformat(),
            country=self.settings.default_country,
            by="webhook",
        )
        return polled.with_others(delivered)

    def assign(self, days: Sequence[date]) -> dict[date, pd.DataFrame]:
        """Merge each day's observations, give every lead its agent, and stage the result."""
        with self.crm() as crm:
            reference = crm.reference_data()
        assigned = {}
        for batch in self.batches(days):
            staged = {day: self.archive.observations.read_with_sources(day) for day in batch}
            observations = {day: of_day.frame for day, of_day in staged.items()}
            for day, leads in merge_and_assign(observations, reference).items():
                self.archive.assigned.write(day, leads, staged[day].sources)
                self.watcher.day_finished("assigned", day)
                assigned[day] = leads
        return assigned

    def load(self, days: Sequence[date]) -> Loaded:
        """Merge the days' observations into the CRM, whatever else it knows of their leads.

        What was loaded is noted once it is in the CRM.
        """
        loaded = Loaded(0, 0, 0)
        for batch in self.batches(days):
            observed = [self.archive.observations.read_with_sources(day) for day in batch]
            rejected = [self.archive.rejected.read_with_sources(day) for day in batch]
            with self.crm() as crm:
                loaded += crm.load_leads(
                    pd.concat([of_day.frame for of_day in observed]),
                    pd.concat([of_day.frame for of_day in rejected]),
                    days=[day.isoformat() for day in batch],
                    deliveries_until=deliveries_until(self.archive, batch),
                )
                # While the CRM is held, so that notes follow each other as loads do.
                for day, good, bad in zip(batch, observed, rejected, strict=True):
                    # They differ where another run is just replacing both.
                    self.archive.loaded_leads.note(day, good.sources & bad.sources, self.crm_name)
            for day in batch:
                self.watcher.day_finished("loaded", day)
        return loaded

    def load_recordings(self, days: Sequence[date]) -> Loaded:
        """Bring the call recordings of the days' leads into the CRM, and note for which."""
        loaded = Loaded(0, 0, 0)
        for batch in self.batches(days):
            leads = {day: self._loaded_sources(day) for day in batch}
            staged = [self.archive.observations.read_with_sources(day, LEAD_ID) for day in batch]
            with self.crm() as crm:
                loaded += crm.load_call_recordings(
                    pd.concat([of_day.frame["lead_id"] for of_day in staged])
                )
                for day, of_day in zip(batch, staged, strict=True):
                    # Of what is staged but not loaded the CRM does not know the recordings.
                    both = leads[day] & of_day.sources
                    self.archive.loaded_recordings.note(day, both, self.crm_name)
        return loaded

    def _loaded_sources(self, day: date) -> frozenset[str]:
        return self.archive.loaded_leads.read(day, self.crm_name) or frozenset()

    def batches(self, days: Sequence[date]) -> Iterator[list[date]]:
        """Split staged days into those that are worked on together, in order."""
        batch: list[date] = []
        leads = 0
        for day in days:
            batch.append(day)
            leads += self.archive.observations.rows(day)
            if leads >= LEADS_AT_ONCE:
                yield batch
                batch, leads = [], 0
        if batch:
            yield batch

    def refresh_properties(self) -> int:
        """Bring the listings into the CRM; try unassigned leads again. Returns how many got one.

        Raises:
            ReferenceDataError: The file is missing or wrong; the CRM keeps what it holds.
        """
        source = self.settings.properties
        frame = None if source == KEEP_CRM_TABLES else read_properties(Path(source))
        with self.crm() as crm:
            if frame is not None:
                crm.replace_properties(frame)
            return crm.retry_unassigned(self.now())

    def refresh_agents(self) -> int:
        """Bring the people into the CRM; try unassigned leads again. Returns how many got one.

        Raises:
            ReferenceDataError: The file is missing or wrong; the CRM keeps what it holds.
        """
        source = self.settings.agents
        frame = None if source == KEEP_CRM_TABLES else read_agents(Path(source))
        with self.crm() as crm:
            if frame is not None:
                crm.replace_agents(frame)
            return crm.retry_unassigned(self.now())

    def refresh_directory(self, directory: Directory) -> Refreshed:
        """Bring the portal's own users or listings into the CRM; try unassigned leads again."""
        check_origin(self.settings)
        return refresh(
            directory, self.settings, connect=self.portal, open_crm=self.crm, now=self.now
        )

    def account(self, days: Sequence[date]) -> list[DayAccount]:
        """Count what became of the days' records; see :func:`~.accounts.account`."""
        return account(self.archive, self.crm, self.crm_name, days)


def _machine_state(base_url: str) -> Path:
    """Where all runs of this machine, whatever their data folder, share budget and token."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    address = urlsplit(base_url).netloc.replace(":", "_")
    return private_folder(Path(tempfile.gettempdir()) / f"pf-pipeline-{user}") / address


def _revealed(secret: object) -> str | None:
    reveal = getattr(secret, "get_secret_value", None)
    return reveal() if reveal else None
