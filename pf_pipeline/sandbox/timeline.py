"""All leads of a sandbox in the order of their creation, cut into pages.

Belongs here: finding the leads of a window quickly, in order, as JSON. Days are rendered when first
asked for and kept, so that a page costs little more than joining its parts. What the portal knows
of a day at an instant is in ``days``.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Final

from pf_pipeline.sandbox.days import Days, day_of_id
from pf_pipeline.sandbox.dialects import Dialect, atlas_record, guide_record
from pf_pipeline.sandbox.lead import SandboxLead
from pf_pipeline.sandbox.lead_query import Filters, LeadQuery, fits
from pf_pipeline.sandbox.options import SandboxOptions

_KEPT_DAYS: Final = 4096
_BASE_URL: Final = "http://base-url.invalid"
"""Stands for the sandbox's own address in rendered leads until a request tells it."""
_INSTANT: Final = timedelta(microseconds=1)
"""The shortest time there is: makes a window that includes its end half-open."""


@dataclass(frozen=True, slots=True)
class LeadPage:
    """One page of leads.

    Attributes:
        total: How many leads the query finds on all pages together.
        count: How many are on this page.
        data: The JSON array of this page's leads, in the order of the options.
    """

    total: int
    count: int
    data: bytes


class Timeline:
    """The leads of a sandbox."""

    def __init__(self, options: SandboxOptions, days: Days) -> None:
        self._newest_first = options.order == "newest"
        self._known = days
        self._day = lru_cache(_KEPT_DAYS)(self._select)

    def page(self, query: LeadQuery, now: datetime, base_url: str) -> LeadPage:
        """The page that a query asks for, of the leads that exist at an instant.

        Args:
            query: What is asked for.
            now: The present, in UTC; leads created later do not exist yet.
            base_url: The sandbox's own address, which links into it begin with.
        """
        start = query.start
        end = max(start, min(query.end, now + _INSTANT))
        skipped = (query.page - 1) * query.per_page
        total = 0
        fragments: list[bytes] = []
        ids = dict(query.filters).get("id")
        # Hardly two requests ask for the same ids: keeping what they find would only fill memory.
        day_of = self._day if ids is None else self._select
        for day in self._days_of(start, end, ids):
            as_of = self._known.as_of(day, now) if self._known.moving else None
            leads = day_of(day, query.filters, query.dialect, as_of)
            low, high = leads.between(start, end)
            first = max(skipped - total, 0)
            last = min(skipped + query.per_page - total, high - low)
            if first < last and self._newest_first:
                fragments += reversed(leads.fragments(high - last, high - first))
            elif first < last:
                fragments += leads.fragments(low + first, low + last)
            total += high - low
        data = b"[" + b",".join(fragments) + b"]"
        return LeadPage(total, len(fragments), _with_base_url(data, base_url))

    def _days_of(
        self, start: datetime, end: datetime, ids: frozenset[str] | None
    ) -> Iterable[date]:
        first, last = self._known.bounds(start.date(), end.date())
        if ids is not None:
            named = {day for day in map(day_of_id, ids) if day is not None}
            return sorted((d for d in named if first <= d <= last), reverse=self._newest_first)
        if self._newest_first:
            return (last - timedelta(days=n) for n in range((last - first).days + 1))
        return (first + timedelta(days=n) for n in range((last - first).days + 1))

    def _select(
        self, day: date, filters: Filters, dialect: Dialect, as_of: datetime | None
    ) -> "_DayOfLeads":
        leads = self._known.leads(day, as_of)
        return _DayOfLeads(
            [lead for lead in leads if fits(lead, filters)], dialect, settled=as_of is None
        )


class _DayOfLeads:
    """The leads of one day that fit a query's filters, oldest first."""

    def __init__(self, leads: list[SandboxLead], dialect: Dialect, *, settled: bool) -> None:
        self._leads = leads
        self._settled = settled
        self._record = guide_record if dialect == "guide" else atlas_record
        self._instants = [lead.created_at for lead in leads]

    def between(self, start: datetime, end: datetime) -> tuple[int, int]:
        """The positions of the leads created in the window ``[start, end)``."""
        return bisect_left(self._instants, start), bisect_left(self._instants, end)

    def fragments(self, low: int, high: int) -> list[bytes]:
        """Some leads as JSON, with a stand-in for the sandbox's address.

        A day that still changes is not worth rendering whole.
        """
        if self._settled:
            return self._all[low:high]
        return [self._rendered(lead) for lead in self._leads[low:high]]

    @cached_property
    def _all(self) -> list[bytes]:
        return [self._rendered(lead) for lead in self._leads]

    def _rendered(self, lead: SandboxLead) -> bytes:
        record = self._record(lead, _BASE_URL)
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _with_base_url(data: bytes, base_url: str) -> bytes:
    inside_json = json.dumps(base_url)[1:-1].encode()
    return data.replace(_BASE_URL.encode(), inside_json)
