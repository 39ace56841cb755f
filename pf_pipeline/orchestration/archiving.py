"""What goes into the raw archive besides sweeps, and what keeps it small. No Dagster here."""

from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path

from pf_pipeline.archive import Archive, Packed
from pf_pipeline.archive.inbox import Inbox

ARCHIVED_WITHIN = timedelta(minutes=6)
"""Polls archive what was delivered every five minutes; without them somebody must look after it."""
KEPT_IN_INBOX = timedelta(days=7)
"""How long a repetition of an archived delivery is known for one: longer than portals repeat."""
ONE_DAY = timedelta(days=1)


def archive_deliveries(
    archive: Archive, data_dir: Path, days: Sequence[date] | None
) -> dict[date, int]:
    """Bring what the receiver's inbox holds into the raw archive.

    Whoever is interrupted may repeat it: the same deliveries make the same batch again.

    Args:
        archive: Where to.
        data_dir: Where the inbox is.
        days: The UTC days of arrival; all if None.

    Returns:
        How many deliveries were archived, for the days with any.

    Raises:
        InboxError: The inbox cannot be read or written.
        ValueError: Files of the archive are damaged; the deliveries are archived all the same.
    """
    archived = {}
    damaged: list[str] = []
    with closing(Inbox(data_dir)) as inbox:
        found = inbox.unarchived_days()
        for day in found if days is None else [day for day in days if day in found]:
            deliveries = inbox.unarchived(day)
            archive.webhook_events.add(day, deliveries)
            inbox.mark_archived([delivery.number for delivery in deliveries])
            archived[day] = len(deliveries)
            try:
                if archive.webhook_events.is_crowded(day):
                    archive.webhook_events.pack(day)
            except ValueError as error:
                damaged.append(str(error))
    if damaged:  # after all others were archived
        raise ValueError(" ".join(damaged))
    return archived


def overdue_deliveries(data_dir: Path, now: datetime) -> list[date]:
    """The days with deliveries that no run has archived for longer than polls take.

    Raises:
        InboxError: The inbox cannot be read.
    """
    with closing(Inbox(data_dir)) as inbox:
        return inbox.unarchived_days(before=now - ARCHIVED_WITHIN)


def forget_deliveries(data_dir: Path, now: datetime) -> int:
    """Empty the inbox of what the archive has had for long; returns how many deliveries went.

    Raises:
        InboxError: The inbox cannot be written.
    """
    with closing(Inbox(data_dir)) as inbox:
        return inbox.forget_archived(before=now - KEPT_IN_INBOX)


def pack(archive: Archive, now: datetime, trailing_days: int) -> dict[date, Packed]:
    """Pack the days that no sweep touches any more, and the deliveries of days that are over.

    Returns:
        What the packing of sweeps saved, by day.

    Raises:
        ValueError: Days are damaged and stay as they are; names the files.
    """
    sweeps, events = archive.raw_leads, archive.webhook_events
    sweeps.close_abandoned(now)
    packed: dict[date, Packed] = {}
    damaged: list[str] = []
    for day in sweeps.packable_days(before=now.date() - timedelta(days=trailing_days)):
        try:
            saved = sweeps.pack(day)
        except ValueError as error:
            damaged.append(str(error))
        else:
            packed |= {} if saved is None else {day: saved}
    for day in events.days():
        try:
            if day < now.date() - ONE_DAY:
                events.pack(day)
        except ValueError as error:
            damaged.append(str(error))
    if damaged:  # after all others were packed
        raise ValueError(" ".join(damaged))
    return packed
