"""How each dialect asks for leads: the query parameters, and nothing about the answer.

The payload is read the same way whatever was sent (see ``pagination``), so that a wrong setting
can never lose a lead.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal, assert_never

Dialect = Literal["guide", "atlas"]

LEADS_PATH = "/v1/leads"
"""The leads endpoint, the same in both dialects."""

PER_PAGE = 50
"""Leads a page: the most that either dialect allows (guide section 1, contract: leads)."""

HORIZON = timedelta(days=89)
"""How far back atlas may be asked: three months, of which the shortest have 89 days (contract)."""

_LONGEST_PASS = timedelta(hours=1)
_LONGEST_WAIT = timedelta(minutes=5)  # of a request for its turn
_ONE_SECOND = timedelta(seconds=1)
_ALMOST_ONE_SECOND = timedelta(seconds=1, microseconds=-1)  # rounds an instant up


def clamped_start(dialect: Dialect, start: datetime, now: datetime) -> datetime:
    """The first instant that a pass which begins now can ask for; aware, never before ``start``.

    When it is later than ``start``, the leads in between lie beyond the portal's horizon. It stays
    an hour clear of the horizon, so that the horizon does not move past it during the pass.

    Args:
        dialect: Only atlas has a horizon.
        start: The first instant that is wanted, aware.
        now: The present, aware.

    Raises:
        ValueError: An instant has no time zone.
    """
    oldest = _aware(now) - HORIZON + _LONGEST_PASS
    return start if dialect == "guide" else max(_aware(start), oldest)


def leads_query(
    dialect: Dialect,
    start: datetime,
    end: datetime,
    *,
    number: int,
    now: datetime,
    channel: str | None = None,
) -> list[tuple[str, str]]:
    """The query parameters for one page of the leads created in ``[start, end)``.

    The portal may return more than was asked for (the guide has no upper bound, and both bounds
    are rounded outwards to whole seconds): the caller filters by ``createdAt`` on its own side.

    Args:
        dialect: Whose parameters to send.
        start: The first instant, aware.
        end: The instant after the last, aware.
        number: The page, from 1.
        now: The present, aware: atlas refuses a start beyond its horizon.
        channel: Only this channel, or every channel.

    Raises:
        ValueError: An instant has no time zone.
    """
    query = [("page", str(number)), ("perPage", str(PER_PAGE))]
    if channel is not None:
        query.append(("channel", channel))
    match dialect:
        case "guide":
            # "Only leads created after this instant" leaves out the instant itself.
            query.append(("since", _stamp(start - _ONE_SECOND)))
        case "atlas":
            first = max(_aware(start), _aware(now) - HORIZON + _LONGEST_WAIT)
            # Never an empty span: the portal could refuse it.
            last = max(_aware(end) + _ALMOST_ONE_SECOND, first + _ONE_SECOND)
            query.append(("createdAtFrom", _stamp(first)))
            query.append(("createdAtTo", _stamp(last)))
        case _:
            assert_never(dialect)
    return query


def _stamp(instant: datetime) -> str:
    """The whole second that an instant lies in, such as ``2025-01-01T10:00:00Z``."""
    return _aware(instant).astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("The bounds of a search for leads must carry a time zone.")
    return instant
