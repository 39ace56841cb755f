"""What a request for leads asks for, read from its query parameters.

Belongs here: the parameters of ``GET /v1/leads`` in both dialects, their limits and their meaning.
Both dialects' parameters are understood whatever the shape of the answer is.

Parameters that choose leads combine with *and*; several values of one (repeated or separated by
commas) with *or*. ``search``, ``orderBy`` and ``orderDirection`` are accepted without effect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.datastructures import QueryParams

from pf_pipeline.sandbox.dialects import Dialect
from pf_pipeline.sandbox.lead import SandboxLead
from pf_pipeline.sandbox.options import SandboxOptions
from pf_pipeline.sandbox.problems import ProblemError, invalid

LEADS_PER_PAGE: Final = 50
"""The default and the most that a page of leads may hold (guide, ``perPage``)."""

Filters = tuple[tuple[str, frozenset[str]], ...]
"""Pairs of a parameter's name and its accepted values."""

_MOST_DIGITS: Final = 9
_CHANNELS: Final = frozenset({"call", "whatsapp", "email", "chat"})

_FIELDS: Final[dict[str, Callable[[SandboxLead], tuple[object, ...]]]] = {
    "id": lambda lead: (lead.lead_id,),
    "status": lambda lead: (lead.status,),
    "channel": lambda lead: (lead.channel,),
    "entityType": lambda lead: (lead.entity_type,),
    "publicProfileId": lambda lead: (
        () if lead.agent is None else (str(lead.agent.portal_profile_id),)
    ),
    "listingId": lambda lead: () if lead.listing is None else (lead.listing.atlas_id,),
    "listingReference": lambda lead: () if lead.listing is None else (lead.listing.reference,),
    "senderPhone": lambda lead: (lead.phone,),
    "senderEmail": lambda lead: (lead.email,),
    "tag": lambda lead: lead.tags,
    "excludeTag": lambda lead: lead.tags,
}
"""What each choosing parameter is compared with."""

_ATLAS_ONLY: Final = frozenset(_FIELDS) - {"channel"} | {
    "createdAtFrom",
    "createdAtTo",
    "search",
    "orderBy",
    "orderDirection",
}


@dataclass(frozen=True, slots=True)
class LeadQuery:
    """A request for one page of leads.

    Attributes:
        start: Leads created at or after this instant, in UTC,
        end: and before this one.
        filters: What else they must be.
        page: Which page, from 1.
        per_page: How many leads a page holds.
        dialect: The shape of the answer.
    """

    start: datetime
    end: datetime
    filters: Filters
    page: int
    per_page: int
    dialect: Dialect


def fits(lead: SandboxLead, filters: Filters) -> bool:
    """Whether a lead is what all filters want.

    A lead meets a filter when it has one of the accepted values; for ``excludeTag``, when not.
    """
    return all(
        wanted.isdisjoint(_FIELDS[name](lead)) == (name == "excludeTag") for name, wanted in filters
    )


def read_lead_query(parameters: QueryParams, options: SandboxOptions, now: datetime) -> LeadQuery:
    """Read the parameters of ``GET /v1/leads``.

    ``since`` is exclusive (guide: "created after this instant"); ``createdAtFrom`` is inclusive
    and ``createdAtTo`` exclusive, a half-open window.

    Args:
        parameters: The request's query parameters.
        options: The sandbox's options.
        now: The present, in UTC, for the limit of ``history_days``.

    Raises:
        ProblemError: A parameter is unreadable or out of bounds: 400.
    """
    dialect = options.dialect or ("guide" if _ATLAS_ONLY.isdisjoint(parameters) else "atlas")
    return LeadQuery(
        start=_start(parameters, options, now),
        end=_instant(parameters, "createdAtTo") or datetime.max.replace(tzinfo=UTC),
        filters=_filters(parameters, dialect),
        page=read_number(parameters, "page", default=1),
        per_page=read_number(parameters, "perPage", default=LEADS_PER_PAGE, most=LEADS_PER_PAGE),
        dialect=dialect,
    )


def read_number(
    parameters: QueryParams, name: str, *, default: int, most: int | None = None
) -> int:
    """Read a whole number from 1 to ``most``; absent means the default.

    Raises:
        ProblemError: It is no such number: 400.
    """
    text = parameters.get(name)
    if text is None:
        return default
    number = int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else 0
    if number < 1 or (most is not None and number > most):
        bounds = "from 1" if most is None else f"from 1 to {most}"
        raise invalid(f"/query/{name}", f"{name} must be a whole number {bounds}.")
    return number


def read_flag(parameters: QueryParams, name: str) -> bool:
    """Whether a flag such as ``draft`` is set: ``true`` or ``1``."""
    return parameters.get(name, "").lower() in {"true", "1"}


def _instant(parameters: QueryParams, name: str) -> datetime | None:
    text = parameters.get(name)
    if text is None:
        return None
    problem = invalid(
        f"/query/{name}", f"{name} must be an instant with an offset, such as 2025-01-01T10:00:00Z."
    )
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise problem
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise problem from None


def _start(parameters: QueryParams, options: SandboxOptions, now: datetime) -> datetime:
    since = _instant(parameters, "since")
    created_from = _instant(parameters, "createdAtFrom")
    starts = [datetime.min.replace(tzinfo=UTC)]
    if options.history_days is not None:
        starts.append(now - timedelta(days=options.history_days))
    if created_from is not None:
        if created_from < max(starts):
            raise ProblemError(
                400,
                "BUSINESS_VALIDATION",
                "Bad Request",
                f"createdAtFrom must not be older than {options.history_days} days.",
                "/query/createdAtFrom",
            )
        starts.append(created_from)
    if since is not None:
        # Nothing after now is served, and adding to the last instant there is would overflow.
        starts.append(min(since, now) + timedelta(microseconds=1))
    return max(starts)


def _filters(parameters: QueryParams, dialect: Dialect) -> Filters:
    return tuple(
        (name, wanted) for name in _FIELDS if (wanted := _values(parameters, name, dialect))
    )


def _values(parameters: QueryParams, name: str, dialect: Dialect) -> frozenset[str]:
    texts = (text for value in parameters.getlist(name) for text in value.split(","))
    values = frozenset(text for text in texts if text)
    if name == "channel":
        unknown = values - _CHANNELS
        if unknown:
            raise invalid("/query/channel", f"channel must be one of {sorted(_CHANNELS)}.")
        if dialect == "atlas" and "whatsapp" in values:
            # Atlas calls a chat WhatsApp.
            return values | {"chat"}
    return values
