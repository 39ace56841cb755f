"""The one partitions definition that every partitioned asset shares, and its backfill policy.

Partitions are UTC days, because a day is then always 24 hours long. Today is one of them, so that
it can be polled while it lasts.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

FIRST_DAY = date(2025, 1, 1)
DAYS_PER_RUN = 93
"""A backfill started in the UI takes three months a run, which is all that the portal remembers: a
portal without an upper bound would be read to the present by every further run."""

LEAD_DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=1)
IN_BATCHES = dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_PER_RUN)


def days_of(partition_keys: Sequence[str]) -> list[date]:
    """Partition keys as days, in order."""
    return sorted(date.fromisoformat(key) for key in partition_keys)


def range_tags(first: date, last: date) -> dict[str, str]:
    """The tags that make one run take a range of days, both included."""
    return {
        RANGE_START_TAG: first.isoformat(),
        RANGE_END_TAG: last.isoformat(),
    }


def days_of_run(tags: Mapping[str, str]) -> list[date]:
    """The days that a run takes, whether it was given one or a range; none if it has no tags."""
    if PARTITION_TAG in tags:
        return days_of([tags[PARTITION_TAG]])
    if RANGE_START_TAG not in tags:
        return []
    keys = LEAD_DAYS.get_partition_keys_in_range(
        dg.PartitionKeyRange(tags[RANGE_START_TAG], tags[RANGE_END_TAG])
    )
    return days_of(keys)


def span(days: Sequence[date]) -> str:
    """Days in words: the day, or the first and the last one and how many there are."""
    if len(days) < 2:  # noqa: PLR2004 - one day, or none
        return "".join(map(str, days)) or "no day"
    return f"{days[0]} to {days[-1]} ({len(days)} days)"
