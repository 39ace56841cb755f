"""All leads of a sandbox in the order of their creation, cut into pages.

Belongs here: finding the leads of a window quickly, newest first, as JSON. Days are invented and
rendered when first asked for and kept, so that a page costs little more than joining its parts.
"""

import json
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Final

from pf_pipeline.sandbox.dialects import Dialect, atlas_record, guide_record
from pf_pipeline.sandbox.lead import SandboxLead
from pf_pipeline.sandbox.lead_query import Filters, LeadQuery, fits
from pf_pipeline.sandbox.leads_of_day import leads_of_day
from pf_pipeline.sandbox.options import EARLIEST_DAY, SandboxOptions

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
        data: The JSON array of this page's leads, newest first.
    """

    total: int
    count: int
    data: bytes


class Timeline:
    """The leads of a sandbox."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._leads = lru_cache(_KEPT_DAYS)(self._invent)
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
        for day in self._days_backwards(start, end):
            leads = self._day(day, query.filters, query.dialect)
            low, high = leads.between(start, end)
            first = max(skipped - total, 0)
            last = min(skipped + query.per_page - total, high - low)
            if first < last:
                fragments += reversed(leads.fragments[high - last : high - first])
            total += high - low
        data = b"[" + b",".join(fragments) + b"]"
        return LeadPage(total, len(fragments), _with_base_url(data, base_url))

    def _days_backwards(self, start: datetime, end: datetime) -> Iterator[date]:
        first_day = max(self._options.first_day or EARLIEST_DAY, start.date())
        day = min(self._options.last_day or date.max, end.date())
        while day >= first_day:
            yield day
            day -= timedelta(days=1)

    def _invent(self, day: date) -> tuple[SandboxLead, ...]:
        return leads_of_day(self._options.seed, day, self._options.leads_per_day)

    def _select(self, day: date, filters: Filters, dialect: Dialect) -> "_DayOfLeads":
        return _DayOfLeads([lead for lead in self._leads(day) if fits(lead, filters)], dialect)


class _DayOfLeads:
    """The leads of one day that fit a query's filters, oldest first."""

    def __init__(self, leads: list[SandboxLead], dialect: Dialect) -> None:
        self._leads = leads
        self._record = guide_record if dialect == "guide" else atlas_record
        self._instants = [lead.created_at for lead in leads]

    def between(self, start: datetime, end: datetime) -> tuple[int, int]:
        """The positions of the leads created in the window ``[start, end)``."""
        return bisect_left(self._instants, start), bisect_left(self._instants, end)

    @cached_property
    def fragments(self) -> list[bytes]:
        """Each lead as JSON, with a stand-in for the sandbox's address."""
        return [
            json.dumps(
                self._record(lead, _BASE_URL), ensure_ascii=False, separators=(",", ":")
            ).encode()
            for lead in self._leads
        ]


def _with_base_url(data: bytes, base_url: str) -> bytes:
    inside_json = json.dumps(base_url)[1:-1].encode()
    return data.replace(_BASE_URL.encode(), inside_json)
