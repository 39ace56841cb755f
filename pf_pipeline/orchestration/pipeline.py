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
from pf_pipeline.leads.observing import Observed, duplicates, observe
from pf_pipeline.orchestration.origin import check_origin, check_own_people
from pf_pipeline.orchestration.portal_directory import Directory, Refreshed, refresh
from pf_pipeline.orchestration.sweeping import Sweeper
from pf_pipeline.orchestration.watching import Watcher
from pf_pipeline.portal import PortalClient, connect, private_folder
from pf_pipeline.settings import Settings

LEADS_AT_ONCE = 30_000
"""Days are worked on together up to about so many leads.

More at once is cheaper, but takes more memory, and a load holds the CRM's lock for as long: about
a second.
"""


def utc_now() -> datetime:
    """The current instant."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class DayAccount:
    """What became of everything that was received for a day.

    Attributes:
        day: The UTC day.
        received: Records in the raw archive, each as often as it was received.
        loaded: Leads of the day that stand in the CRM.
        duplicate: Records that brought a lead, or a reject, once more.
        rejected: Distinct records that are no usable lead, standing in ``crm.rejected_leads``.
        by_rule: How many of the loaded leads each assignment rule decided.
        recordings: How many of the loaded leads have a call recording.
    """

    day: date
    received: int
    loaded: int
    duplicate: int
    rejected: int
    by_rule: dict[str, int]
    recordings: int

    @property
    def agrees(self) -> bool:
        """Whether every record is accounted for (law 3 of the design)."""
        return self.received == self.loaded + self.duplicate + self.rejected


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
        """Pack the days that no sweep touches any more.

        Returns:
            What it saved, by day.

        Raises:
            ValueError: Days are damaged and stay as they are; names the files.
        """
        archive = self.archive.raw_leads
        archive.close_abandoned(self.now())
        settled = self.now().date() - timedelta(days=self.settings.trailing_days)
        packed: dict[date, Packed] = {}
        damaged: list[str] = []
        for day in archive.packable_days(before=settled):
            try:
                saved = archive.pack(day)
            except ValueError as error:
                damaged.append(str(error))
            else:
                packed |= {} if saved is None else {day: saved}
        if damaged:  # after all others were packed
            raise ValueError(" ".join(damaged))
        return packed

    def validate(self, day: date) -> Observed:
        """Parse and validate all that the archive has of a day, and stage both outcomes."""
        observed = observe(
            self.archive.raw_leads.sightings(day),
            partition_key=day.isoformat(),
            country=self.settings.default_country,
        )
        self.archive.observations.write(day, observed.observations)
        self.archive.rejected.write(day, observed.rejected)
        self.watcher.day_finished("validated", day)
        return observed

    def assign(self, days: Sequence[date]) -> dict[date, pd.DataFrame]:
        """Merge each day's observations, give every lead its agent, and stage the result."""
        with self.crm() as crm:
            reference = crm.reference_data()
        assigned = {}
        for batch in self.batches(days):
            observations = {day: self.archive.observations.read(day) for day in batch}
            for day, leads in merge_and_assign(observations, reference).items():
                self.archive.assigned.write(day, leads)
                self.watcher.day_finished("assigned", day)
                assigned[day] = leads
        return assigned

    def load(self, days: Sequence[date]) -> Loaded:
        """Merge the days' observations into the CRM, whatever else it knows of their leads."""
        loaded = Loaded(0, 0, 0)
        for batch in self.batches(days):
            observations = pd.concat([self.archive.observations.read(day) for day in batch])
            rejected = pd.concat([self.archive.rejected.read(day) for day in batch])
            with self.crm() as crm:
                loaded += crm.load_leads(
                    observations, rejected, days=[day.isoformat() for day in batch]
                )
            for day in batch:
                self.watcher.day_finished("loaded", day)
        return loaded

    def load_recordings(self, days: Sequence[date]) -> Loaded:
        """Bring the call recordings of the days' leads into the CRM."""
        loaded = Loaded(0, 0, 0)
        for batch in self.batches(days):
            lead_ids = pd.concat([self._lead_ids(day) for day in batch])
            with self.crm() as crm:
                loaded += crm.load_call_recordings(lead_ids)
        return loaded

    def _lead_ids(self, day: date) -> pd.Series:
        return self.archive.observations.read(day, ["lead_id"])["lead_id"]

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
        """Count, from three independent places, what became of the days' records.

        Received is counted from the archive's manifests, duplicates from the staged files, loaded
        and rejected from the CRM.
        """
        staged = {
            day: self.archive.observations.read(day, ["lead_id", "times_observed"]) for day in days
        }
        lead_ids = [
            observations[["lead_id"]].drop_duplicates().assign(day=day.isoformat())
            for day, observations in staged.items()
        ]
        with self.crm() as crm:
            standing = crm.standing_by_day(pd.concat(lead_ids)) if lead_ids else pd.DataFrame()
            rejected = crm.rejected_by_day()
        return [
            self._account_of(
                day,
                observations,
                standing[standing["day"] == day.isoformat()],
                rejected.get(day.isoformat(), 0),
            )
            for day, observations in staged.items()
        ]

    def _account_of(
        self, day: date, observations: pd.DataFrame, standing: pd.DataFrame, rejected: int
    ) -> DayAccount:
        manifests = self.archive.raw_leads.manifests(day)
        rejects = self.archive.rejected.read(day, ["times_received"])
        by_rule = zip(standing["assignment_rule"], standing["leads"].astype("int64"), strict=True)
        return DayAccount(
            day=day,
            received=sum(manifest.records_of_day for manifest in manifests),
            loaded=int(standing["leads"].sum()),
            duplicate=duplicates(observations, rejects),
            rejected=rejected,
            by_rule={str(rule): int(leads) for rule, leads in by_rule},
            recordings=int(standing["recordings"].sum()),
        )


def _machine_state(base_url: str) -> Path:
    """Where all runs of this machine, whatever their data folder, share budget and token."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    address = urlsplit(base_url).netloc.replace(":", "_")
    return private_folder(Path(tempfile.gettempdir()) / f"pf-pipeline-{user}") / address


def _revealed(secret: object) -> str | None:
    reveal = getattr(secret, "get_secret_value", None)
    return reveal() if reveal else None
