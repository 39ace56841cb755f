"""Compares polls with the webhook: which leads came by polls alone, and how late. No Dagster here.

A lead that only a poll brought is not lost, but its agent heard of it minutes later. Many of them
say that the receiver was down, or that a subscription is missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd

IN_USE = timedelta(days=7)
"""A day is compared if a delivery came on it, or within so long before it."""
GRACE = timedelta(minutes=10)
"""A poll may be ahead of a delivery that is under way; the portal repeats it for a while."""


MINUTE = 60


@dataclass(frozen=True)
class Arrivals:
    """How the leads of a day came.

    Attributes:
        day: The UTC day of their creation.
        leads: How many there are that a webhook could have brought by now.
        poll_only: Those that it did not bring: ``lead_id`` and ``delay``, the time from creation to
            the poll that brought the lead first.
    """

    day: date
    leads: int
    poll_only: pd.DataFrame

    @property
    def median_delay(self) -> timedelta:
        """How late they came, in the middle."""
        return timedelta(seconds=self.poll_only["delay"].dt.total_seconds().median())

    @property
    def longest_delay(self) -> timedelta:
        """How late they came at worst."""
        return timedelta(seconds=self.poll_only["delay"].dt.total_seconds().max())


def in_minutes(delay: timedelta) -> str:
    """A delay in words."""
    seconds = delay.total_seconds()
    return f"{seconds:.0f} s" if seconds < MINUTE else f"{seconds / MINUTE:.0f} min"


def compare(
    arrivals: pd.DataFrame,
    days: Iterable[date],
    *,
    delivery_days: Iterable[date],
    first_delivery: datetime | None,
    now: datetime,
) -> dict[date, Arrivals]:
    """Compare the two ways for those days on which the webhook was in use.

    Args:
        arrivals: ``day``, ``lead_id``, ``created_at``, ``polled_at`` and ``delivered_at``, missing
            where a lead did not come that way.
        days: The days to compare.
        delivery_days: All days on which deliveries arrived.
        first_delivery: When the very first arrived: leads before it are not compared.
        now: The present; leads that a poll brought within :data:`GRACE` are not compared.
    """
    known = sorted(delivery_days)
    in_use = [
        day for day in days if any(day - IN_USE <= delivery_day <= day for delivery_day in known)
    ]
    if first_delivery is None or not in_use:
        return {}
    settled = arrivals[
        (arrivals["created_at"] >= first_delivery)
        & (
            arrivals["delivered_at"].notna()
            | (arrivals["polled_at"] <= now.astimezone(UTC) - GRACE)
        )
    ]
    alone = settled[settled["delivered_at"].isna()]
    alone = alone.assign(delay=alone["polled_at"] - alone["created_at"])[
        ["day", "lead_id", "delay"]
    ]
    found = {}
    for day in in_use:
        of_day = alone[alone["day"] == day]
        leads = int((settled["day"] == day).sum())
        found[day] = Arrivals(day, leads, of_day[["lead_id", "delay"]].reset_index(drop=True))
    return found
