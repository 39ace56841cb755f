"""Leads that come in while the sandbox runs, on top of those of each day.

Belongs here: inventing the leads of a minute, and telling their numbers from those of days.
"""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final

from pf_pipeline.sandbox.inquiry import invent_lead
from pf_pipeline.sandbox.lead import SandboxLead

MAX_LEADS_PER_MINUTE: Final = 1_000
"""A minute's share of the lead numbers, so that ids are unique over all minutes."""

_FIRST_NUMBER: Final = 1_000_000_000_000
"""Above the numbers of all leads of days."""
_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)


def leads_of_minute(seed: int, minute: datetime, count: int) -> tuple[SandboxLead, ...]:
    """Invent the leads that were created within a minute, oldest first.

    A pure function: the same arguments always give equal leads.

    Args:
        seed: Which world.
        minute: The beginning of the minute, in UTC.
        count: How many leads, none of them malformed.

    Raises:
        ValueError: The count is negative or above ``MAX_LEADS_PER_MINUTE``.
    """
    if not 0 <= count <= MAX_LEADS_PER_MINUTE:
        raise ValueError(f"a minute has between 0 and {MAX_LEADS_PER_MINUTE} leads, not {count}")
    rng = Random(f"{seed}:{minute.isoformat()}")  # noqa: S311 - invents leads, protects nothing
    first_number = _FIRST_NUMBER + (minute - _EPOCH) // _MINUTE * MAX_LEADS_PER_MINUTE
    seconds = sorted(int(rng.random() * 60) for _ in range(count))
    return tuple(
        invent_lead(rng, seed, first_number + position, minute + timedelta(seconds=second))
        for position, second in enumerate(seconds)
    )


def day_of_live_number(number: int) -> date | None:
    """The day of a live lead with a number in its id; ``None`` if no live lead has it."""
    minutes = (number - _FIRST_NUMBER) // MAX_LEADS_PER_MINUTE
    latest = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MINUTE
    return (_EPOCH + minutes * _MINUTE).date() if 0 <= minutes < latest else None


def minutes_between(start: datetime, end: datetime) -> list[datetime]:
    """The beginnings of the minutes that a window ``[start, end)`` touches."""
    first = start.replace(second=0, microsecond=0)
    return [first + n * _MINUTE for n in range(max(0, -((first - end) // _MINUTE)))]
