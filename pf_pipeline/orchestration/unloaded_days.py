"""Which days were received but are not in the CRM, and when their load is tried.

A run that was killed after its sweep, or a sweep that was closed long after its run, leaves a day
that nobody would load any more. Pure: no files, no clock, no Dagster.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta

MOST_DAYS = 31
"""Days that one tick asks for."""
MOST_RUNS = 4
"""Runs that one tick asks for."""
FIRST_WAIT = timedelta(minutes=10)
"""How long a day waits after its load was tried once; then twice as long each time."""
LONGEST_WAIT = timedelta(hours=6)
MOST_DOUBLED = 10
"""The wait is at its longest long before: larger numbers are none that a wait can be."""

Span = tuple[date, date]
"""The first and the last of days that follow each other."""


@dataclass(frozen=True)
class Tried:
    """How often the load of a day was asked for, while it was behind.

    Attributes:
        times: At least once.
        last_at: When it was asked for last, UTC.
    """

    times: int
    last_at: datetime

    @property
    def next_at(self) -> datetime:
        """When it may be asked for again."""
        doubled = min(self.times - 1, MOST_DOUBLED)
        return self.last_at + min(FIRST_WAIT * (1 << doubled), LONGEST_WAIT)

    def again(self, now: datetime) -> "Tried":
        """After it was asked for once more."""
        return Tried(self.times + 1, now)


@dataclass(frozen=True)
class Plan:
    """What a tick asks for.

    Attributes:
        spans: A run each.
        tried: What is to be remembered until the next tick: days that are behind, and were asked
            for.
        at_work: Days that are behind, but an unfinished run works on them.
        waiting: Days whose load did not succeed, and is not asked for again yet.
    """

    spans: tuple[Span, ...]
    tried: Mapping[date, Tried]
    at_work: tuple[date, ...]
    waiting: tuple[date, ...]


def days_behind(
    received: Mapping[date, AbstractSet[str]], loaded: Mapping[date, AbstractSet[str]]
) -> set[date]:
    """The days of which something was received that is not in the CRM.

    Args:
        received: The names of each day's sources, such as sweeps.
        loaded: The names of those that were loaded.
    """
    return {day for day, sources in received.items() if sources - loaded.get(day, frozenset())}


def plan(
    behind: Collection[date],
    at_work: Collection[date],
    tried: Mapping[date, Tried],
    now: datetime,
) -> Plan:
    """Which days to ask for now: the latest first, since people wait for those.

    Days that were not asked for before are taken together. One whose load did not succeed is taken
    by itself, so that it stops no other, and after a while that grows with each time.

    Args:
        behind: The days that are to be loaded.
        at_work: Days that unfinished runs work on, which are left to them.
        tried: What the last plan says.
        now: The current instant.
    """
    remembered = {day: tried[day] for day in behind if day in tried}
    free = sorted(set(behind) - set(at_work), reverse=True)
    waiting = [day for day in free if day in remembered and remembered[day].next_at > now]
    fresh = [day for day in free if day not in remembered][:MOST_DAYS]
    again = [day for day in free if day in remembered and day not in waiting]
    spans = [*spans_of(fresh), *((day, day) for day in again)][:MOST_RUNS]
    asked = {day for day in [*fresh, *again] if any(first <= day <= last for first, last in spans)}
    return Plan(
        spans=tuple(spans),
        tried=remembered
        | {
            day: remembered[day].again(now) if day in remembered else Tried(1, now) for day in asked
        },
        at_work=tuple(sorted(set(behind) & set(at_work))),
        waiting=tuple(sorted(waiting)),
    )


def spans_of(days: Iterable[date]) -> list[Span]:
    """Days as spans of days that follow each other, the latest first."""
    spans: list[Span] = []
    for day in sorted(days, reverse=True):
        if spans and spans[-1][0] - day == timedelta(days=1):
            spans[-1] = day, spans[-1][1]
        else:
            spans.append((day, day))
    return spans


def to_cursor(tried: Mapping[date, Tried]) -> str:
    """What is to be remembered, as a text."""
    return json.dumps(
        {day.isoformat(): [one.times, one.last_at.isoformat()] for day, one in tried.items()}
    )


def from_cursor(cursor: str | None) -> dict[date, Tried]:
    """What :func:`to_cursor` wrote; nothing if there is no such text."""
    return {
        date.fromisoformat(day): Tried(times, datetime.fromisoformat(last_at))
        for day, (times, last_at) in json.loads(cursor or "{}").items()
    }
