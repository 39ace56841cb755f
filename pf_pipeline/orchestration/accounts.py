"""What became of everything that was received for a day: law 3 of the design, in numbers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import pandas as pd

from pf_pipeline.archive import Archive, Staged
from pf_pipeline.crm import Warehouse
from pf_pipeline.leads.deliveries import sightings_of
from pf_pipeline.leads.observing import duplicates


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
        settled: Whether the CRM was last loaded from what is staged. If not, another run has
            validated the day since: its numbers are in motion, and its own account will tell.
    """

    day: date
    received: int
    loaded: int
    duplicate: int
    rejected: int
    by_rule: dict[str, int]
    recordings: int
    settled: bool

    @property
    def agrees(self) -> bool:
        """Whether every record is accounted for (law 3), as far as that is settled."""
        return not self.settled or (self.received == self.loaded + self.duplicate + self.rejected)


class _StagedDay(NamedTuple):
    """What is staged of a day, and what of the day the CRM was last loaded from."""

    observed: Staged
    rejected: Staged
    loaded: frozenset[str] | None

    @property
    def states(self) -> set[frozenset[str] | None]:
        """The different sources that it was made of: one if nobody is at work on it."""
        return {self.observed.sources, self.rejected.sources, self.loaded}


def account(
    archive: Archive,
    crm: Callable[[], AbstractContextManager[Warehouse]],
    crm_name: str,
    days: Sequence[date],
) -> list[DayAccount]:
    """Count, from three independent places, what became of the days' records.

    Received is counted from the archive's manifests and deliveries, duplicates from the staged
    files, loaded and rejected from the CRM. Only the sweeps and batches that are staged count: what
    was received since is for the next run.
    """
    staged = {day: _staged(archive, crm_name, day) for day in days}
    lead_ids = [
        of_day.observed.frame[["lead_id"]].drop_duplicates().assign(day=day.isoformat())
        for day, of_day in staged.items()
    ]
    until = deliveries_until(archive, days)
    with crm() as warehouse:
        standing = warehouse.standing_by_day(pd.concat(lead_ids)) if lead_ids else pd.DataFrame()
        rejected = warehouse.rejected_by_day(until)
    return [
        _account_of(
            archive,
            day,
            of_day,
            standing[standing["day"] == day.isoformat()],
            rejected.get(day.isoformat(), 0),
        )
        for day, of_day in staged.items()
    ]


def deliveries_until(archive: Archive, days: Sequence[date]) -> dict[str, datetime]:
    """When the last delivery arrived that is staged, by partition key; days without are absent."""
    found = {}
    for day in days:
        arrival = last_arrival(archive, day, archive.rejected.sources(day))
        if arrival is not None:
            found[day.isoformat()] = arrival
    return found


def last_arrival(archive: Archive, day: date, sources: frozenset[str]) -> datetime | None:
    """When the last delivery of a day arrived, among some sources; None without deliveries."""
    deliveries = archive.webhook_events.deliveries(day, sources)
    return deliveries[-1].received_at if deliveries else None


def _staged(archive: Archive, crm_name: str, day: date) -> _StagedDay:
    return _StagedDay(
        archive.observations.read_with_sources(day, ["lead_id", "times_observed"]),
        archive.rejected.read_with_sources(day, ["times_received"]),
        archive.loaded_leads.read(day, crm_name),
    )


def _account_of(
    archive: Archive, day: date, staged: _StagedDay, standing: pd.DataFrame, rejected: int
) -> DayAccount:
    by_rule = zip(standing["assignment_rule"], standing["leads"].astype("int64"), strict=True)
    manifests = archive.raw_leads.manifests(day, staged.observed.sources)
    polled = sum(manifest.records_of_day for manifest in manifests)
    deliveries = archive.webhook_events.deliveries(day, staged.observed.sources)
    delivered = sum(len(sighting.records) for sighting in sightings_of(deliveries))
    # Looked at again: who loads in between has staged something new before.
    now_staged = {archive.observations.sources(day), archive.rejected.sources(day)}
    return DayAccount(
        day=day,
        received=polled + delivered,
        loaded=int(standing["leads"].sum()),
        duplicate=duplicates(staged.observed.frame, staged.rejected.frame),
        rejected=rejected,
        by_rule={str(rule): int(leads) for rule, leads in by_rule},
        recordings=int(standing["recordings"].sum()),
        settled=len(staged.states | now_staged) == 1,
    )
