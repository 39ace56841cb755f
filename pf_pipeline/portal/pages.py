"""One page as it came from the portal."""

from dataclasses import dataclass, field
from datetime import datetime

from pf_pipeline.portal.pagination import Pagination


@dataclass(frozen=True, slots=True)
class LeadsPage:
    """One page of leads, as received and parsed; users and listings come in such pages too.

    Attributes:
        number: The page that was asked for, from 1.
        body: Exactly as received, after content-decoding.
        requested_at: When the request was sent, UTC: the page is at least this fresh.
        records: The items of the page; each may be any JSON value.
        pagination: What the page says about its place in the whole.
    """

    number: int
    body: bytes = field(repr=False)  # leads are personal data: not for logs
    requested_at: datetime
    records: list[object] = field(repr=False)
    pagination: Pagination

    @property
    def total(self) -> int | None:
        """How many records the portal says there are on all pages together."""
        return self.pagination.total

    @property
    def lacks_records(self) -> bool:
        """Whether there should be more on this page, by its own count of all records."""
        if self.total is None:
            return False
        per_page = self.pagination.per_page
        return len(self.records) < min(per_page, self.total - (self.number - 1) * per_page)
