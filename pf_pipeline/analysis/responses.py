"""How soon leads are answered: speed to lead, by the clock and within office hours.

The pipeline sees that a lead was replied to when it next looks, so every time here is an upper
bound: the reply came at the latest then. With a poll every five minutes it is five minutes off at
most. Only the atlas dialect tells statuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time, timedelta

import numpy as np
import pandas as pd

REPLIED = "replied"
WITHIN = {"within_5_min": 5.0, "within_15_min": 15.0, "within_1_h": 60.0}
"""The shares that are told, by minutes. Answering within the hour qualifies seven times as many
leads (Harvard Business Review, 2011)."""
SECONDS_A_MINUTE = 60.0
ONE_DAY = pd.Timedelta(days=1)
EPOCH_MONDAY = pd.Timestamp("1970-01-05")
DAYS_A_WEEK = 7


@dataclass(frozen=True)
class OfficeHours:
    """When somebody is there to answer.

    Attributes:
        opens: From when on, as clocks in the time zone show it.
        closes: Until when, on the same day.
        weekdays: On which days; 0 is Monday. By default all but Sunday, as brokerages in the Gulf
            work.
    """

    opens: time = time(9)
    closes: time = time(18)
    weekdays: frozenset[int] = frozenset({0, 1, 2, 3, 4, 5})

    @property
    def seconds_a_day(self) -> float:
        """How long an office day is."""
        return _seconds(self.closes) - _seconds(self.opens)


def watched_leads(leads: pd.DataFrame, within: timedelta = timedelta(hours=1)) -> pd.DataFrame:
    """The leads that were followed from their beginning, so that a reply could be timed.

    A lead that a backfill brought in days later may have been answered long before. And a lead
    without any status tells nothing of replies.

    Args:
        leads: ``created_at``, ``first_seen_at`` and ``status``.
        within: How soon after its creation a lead must have been seen.
    """
    seen_in_time = leads["first_seen_at"] - leads["created_at"] <= within
    return leads[seen_in_time & leads["status"].notna()]


def first_replies(leads: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """For each lead how long it took to be replied to, at the most.

    Args:
        leads: ``lead_id``, ``created_at``, and further columns, which are kept.
        events: ``crm.lead_events``: ``lead_id``, ``kind``, ``value``, ``occurred_at``.

    Returns:
        The leads with ``replied_at`` (missing if never) and ``minutes`` from creation to the first
        reply by the clock (a number, not below 0; missing if never).
    """
    replied = events[(events["kind"] == "status") & (events["value"] == REPLIED)]
    first = replied.groupby("lead_id")["occurred_at"].min().rename("replied_at")
    replies = leads.join(first, on="lead_id")
    minutes = (replies["replied_at"] - replies["created_at"]).dt.total_seconds() / SECONDS_A_MINUTE
    return replies.assign(minutes=minutes.clip(lower=0.0))


def within_office_hours(
    replies: pd.DataFrame, timezone: str, hours: OfficeHours | None = None
) -> pd.DataFrame:
    """The same replies, with only the time counted in which the office was open.

    A lead of the night that is answered when the office opens was answered in no time.

    Args:
        replies: As :func:`first_replies` gives them.
        timezone: Whose clocks, such as ``Asia/Dubai``.
        hours: When the office is open.

    Returns:
        The replies, ``minutes`` being those within office hours.
    """
    hours = hours or OfficeHours()
    seconds = _office_seconds_until(replies["replied_at"], timezone, hours) - _office_seconds_until(
        replies["created_at"], timezone, hours
    )
    return replies.assign(minutes=(seconds / SECONDS_A_MINUTE).clip(lower=0.0))


def speed_to_lead(replies: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """How soon leads are replied to, altogether or for each agent, channel and so on.

    Args:
        replies: ``minutes`` (missing if never) and the columns to tell apart.
        by: Those columns; without any, one row tells of all.

    Returns:
        The columns of ``by``, then ``leads`` and ``replied`` (counts), ``median_minutes`` and
        ``p90_minutes`` of the leads that were replied to (missing if none was), and of all leads
        the shares, 0 to 1, ``within_5_min``, ``within_15_min``, ``within_1_h`` and ``never``.
    """
    # Without columns all leads are one group.
    keys = [replies[name] for name in by] or [pd.Series(0, index=replies.index)]
    flags = {name: replies["minutes"] <= minutes for name, minutes in WITHIN.items()}
    groups = replies.assign(**flags, never=replies["minutes"].isna()).groupby(
        keys, dropna=False, observed=True
    )
    minutes = groups["minutes"]
    figures = pd.DataFrame(
        {
            "leads": groups.size(),
            "replied": minutes.count(),
            "median_minutes": minutes.median(),
            "p90_minutes": minutes.quantile(0.9),
            **{name: groups[name].mean() for name in (*WITHIN, "never")},
        }
    )
    return figures.reset_index(drop=not by)


def _office_seconds_until(instants: pd.Series, timezone: str, hours: OfficeHours) -> pd.Series:
    """Office seconds from a Monday long ago until each instant, by the clocks of the time zone."""
    local = instants.dt.tz_convert(timezone).dt.tz_localize(None)
    days = np.floor((local - EPOCH_MONDAY) / ONE_DAY)
    weekday = days % DAYS_A_WEEK
    open_days = np.array([day in hours.weekdays for day in range(DAYS_A_WEEK)])
    before_in_week = dict(enumerate(np.cumsum(open_days) - open_days))
    whole_days = days // DAYS_A_WEEK * open_days.sum() + weekday.map(before_in_week)
    into_day = (local - local.dt.normalize()).dt.total_seconds() - _seconds(hours.opens)
    today = into_day.clip(0.0, hours.seconds_a_day).where(weekday.isin(hours.weekdays), 0.0)
    seconds: pd.Series = whole_days * hours.seconds_a_day + today.where(local.notna())
    return seconds


def _seconds(clock: time) -> float:
    return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second).total_seconds()
