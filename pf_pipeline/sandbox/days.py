"""What the portal knows of each day at an instant: which leads are there, and how far they are.

Belongs here: putting together the leads of a day, those that come in live, and their lives.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from pf_pipeline.sandbox.lead import GUIDE_SAMPLE, SandboxLead
from pf_pipeline.sandbox.leads_of_day import day_of_number, leads_of_day
from pf_pipeline.sandbox.life import LONGEST_LIFE, Life, at, life_of
from pf_pipeline.sandbox.live import day_of_live_number, leads_of_minute, minutes_between
from pf_pipeline.sandbox.options import EARLIEST_DAY, SandboxOptions

_KEPT_DAYS: Final = 4096
_KEPT_MOVING_DAYS: Final = 16
_KEPT_MINUTES: Final = 20_000
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_MOST_DIGITS: Final = 18


class Days:
    """The leads of a sandbox, day by day.

    Attributes:
        moving: Whether any day can look different at another instant, future leads apart.
    """

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._first = options.first_day or EARLIEST_DAY
        self._last = options.last_day or date.max
        self._started = options.clock().astimezone(UTC)
        self._leads_move = options.leads_change or options.late_share > 0
        self.moving = self._leads_move or options.live_per_minute > 0
        self._of_day = lru_cache(_KEPT_DAYS)(self._invent)
        self._lives_of_day = lru_cache(_KEPT_MOVING_DAYS)(self._live_through_day)
        self._lives_of_minute = lru_cache(_KEPT_MINUTES)(self._live_through_minute)

    def bounds(self, first: date, last: date) -> tuple[date, date]:
        """The days from first to last that can have leads, both included."""
        latest = date.max if self._options.live_per_minute else self._last
        return max(self._first, first), min(latest, last)

    def as_of(self, day: date, now: datetime) -> datetime | None:
        """The instant as of which a day looks as it does now; ``None`` once nothing moves in it.

        Everything happens on whole seconds, so a day can be kept for the length of one.
        """
        if not self._leads_move and not self._has_live_leads(day):
            return None
        end = _window(day)[1]
        settled = end + LONGEST_LIFE if self._leads_move else end
        return None if now >= settled else now.replace(microsecond=0)

    def leads(self, day: date, as_of: datetime | None) -> tuple[SandboxLead, ...]:
        """The leads of a day that the portal shows, oldest first; later ones may be among them.

        Args:
            day: The UTC day.
            as_of: An instant from ``as_of``; ``None`` for a day that is settled.
        """
        if as_of is None and not self._has_live_leads(day):
            return self._of_day(day)
        instant = _window(day)[1] + LONGEST_LIFE if as_of is None else as_of
        lives = [*self._lives_of_day(day)]
        for minute in self._live_minutes(day, instant):
            lives += self._lives_of_minute(minute)
        shown = (at(life, instant) for life in lives)
        return tuple(sorted(filter(None, shown), key=lambda lead: lead.created_at))

    def lives(self, start: datetime, end: datetime) -> Iterator[Life]:
        """The lives of the leads created in ``[start, end)``, in the order of their creation."""
        if start >= end:
            return
        first, last = self.bounds(start.date(), end.date())
        for ordinal in range(first.toordinal(), last.toordinal() + 1):
            day = date.fromordinal(ordinal)
            of_day = self._lives_of_day(day)
            lives = list(of_day[bisect_left(of_day, start, key=_created) :])
            for minute in self._live_minutes(day, end):
                if minute + _MINUTE > start:
                    lives += self._lives_of_minute(minute)
            yield from sorted(
                (life for life in lives if start <= _created(life) < end), key=_created
            )

    def _has_live_leads(self, day: date) -> bool:
        return self._options.live_per_minute > 0 and day >= self._started.date()

    def _live_minutes(self, day: date, until: datetime) -> list[datetime]:
        if not self._has_live_leads(day):
            return []
        start, end = _window(day)
        return minutes_between(max(start, self._started), min(end, until + _SECOND))

    def _invent(self, day: date) -> tuple[SandboxLead, ...]:
        if not self._first <= day <= self._last:
            return ()
        return leads_of_day(self._options.seed, day, self._options.leads_per_day)

    def _live_through_day(self, day: date) -> list[Life]:
        return [life_of(lead, self._options) for lead in self._of_day(day)]

    def _live_through_minute(self, minute: datetime) -> list[Life]:
        leads = leads_of_minute(self._options.seed, minute, self._options.live_per_minute)
        return [life_of(lead, self._options) for lead in leads if lead.created_at > self._started]


def _created(life: Life) -> datetime:
    return life[0].lead.created_at


def _window(day: date) -> tuple[datetime, datetime]:
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    return midnight, midnight + timedelta(days=1)


def day_of_id(lead_id: str) -> date | None:
    """The day on which a lead with an id would be; ``None`` if no lead has it."""
    if lead_id == GUIDE_SAMPLE.lead_id:
        return GUIDE_SAMPLE.created_at.date()
    number = lead_id.rpartition("_")[2]
    if not (number.isdecimal() and len(number) <= _MOST_DIGITS):
        return None
    return day_of_live_number(int(number)) or day_of_number(int(number))
