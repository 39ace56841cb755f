"""Inventing the leads of a day: lifelike, repeatable, the same for the same arguments.

Belongs here: how many leads a day has, when they come in, and which come out malformed. One lead
is invented by ``inquiry``. Nothing here reads a clock or global chance.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final

from pf_pipeline.sandbox.inquiry import invent_lead
from pf_pipeline.sandbox.lead import GUIDE_SAMPLE, Defect, SandboxLead
from pf_pipeline.sandbox.novelties import with_novelties

MAX_LEADS_PER_DAY: Final = 100_000
"""A day's share of the lead numbers, so that ids are unique over all days."""

_LEADS_BY_UTC_HOUR: Final = (
    1, 1, 1, 2, 4, 8, 11, 13, 13, 12, 11, 11, 12, 12, 11, 11, 12, 13, 12, 9, 6, 4, 2, 1,
)  # fmt: skip
"""How busy each hour is: office hours and evenings in the Gulf, four hours ahead of UTC."""

_DEFECTS: Final = tuple(Defect)
_MALFORMED_SHARE: Final = 0.005
_SMALLEST_DAY_WITH_DEFECTS: Final = 40
_SMALL_DAYS_WITH_DEFECTS_SHARE: Final = 0.8


def leads_of_day(seed: int, day: date, count: int) -> tuple[SandboxLead, ...]:
    """Invent the leads that were created on a UTC day, oldest first.

    A pure function: the same arguments always give equal leads. Ids are unique over all days of
    one seed and count. On the day of the guide's sample lead, that lead is one of them.

    Args:
        seed: Which world; another seed gives other people and inquiries.
        day: The UTC day, half-open from its midnight to the next.
        count: Exactly how many leads, malformed ones included.

    Raises:
        ValueError: The count is negative or above ``MAX_LEADS_PER_DAY``.
    """
    if not 0 <= count <= MAX_LEADS_PER_DAY:
        raise ValueError(f"a day has between 0 and {MAX_LEADS_PER_DAY} leads, not {count}")
    rng = Random(f"{seed}:{day}")  # noqa: S311 - invents leads, protects nothing
    first_number = day.toordinal() * MAX_LEADS_PER_DAY
    leads = [
        invent_lead(rng, seed, first_number + position, instant)
        for position, instant in enumerate(_instants(rng, day, count))
    ]
    for position in _malformed_positions(rng, count):
        leads[position] = replace(leads[position], defect=rng.choice(_DEFECTS))
    # After everything else, so that novelties change nothing else about a day.
    leads = [with_novelties(rng, lead) for lead in leads]
    if leads and day == GUIDE_SAMPLE.created_at.date():
        _place_sample(leads)
    return tuple(leads)


def day_of_number(number: int) -> date | None:
    """The day whose leads have a number in their id; ``None`` if no day can have it."""
    ordinal = number // MAX_LEADS_PER_DAY
    return date.fromordinal(ordinal) if 0 < ordinal <= date.max.toordinal() else None


def _instants(rng: Random, day: date, count: int) -> list[datetime]:
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    hours = rng.choices(range(24), weights=_LEADS_BY_UTC_HOUR, k=count)
    seconds = sorted(hour * 3600 + int(rng.random() * 3600) for hour in hours)
    return [midnight + timedelta(seconds=second) for second in seconds]


def _malformed_positions(rng: Random, count: int) -> list[int]:
    """Which leads of a day come out malformed: one in 200, and on most days at least one."""
    malformed = round(count * _MALFORMED_SHARE)
    if malformed == 0 and count >= _SMALLEST_DAY_WITH_DEFECTS:
        malformed = int(rng.random() < _SMALL_DAYS_WITH_DEFECTS_SHARE)
    return rng.sample(range(count), malformed)


def _place_sample(leads: list[SandboxLead]) -> None:
    """Put the guide's sample in the place of the lead nearest to it; the order in time holds."""
    nearest = min(
        range(len(leads)),
        key=lambda position: abs(leads[position].created_at - GUIDE_SAMPLE.created_at),
    )
    leads[nearest] = GUIDE_SAMPLE
