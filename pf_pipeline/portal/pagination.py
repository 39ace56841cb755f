"""Which page an answer is, and whether another one follows, in both dialects' envelopes.

Nothing here trusts the portal: a value that makes no sense counts as absent.
"""

import math
from dataclasses import dataclass

from pf_pipeline.portal.dialects import PER_PAGE, Dialect

_LARGEST_COUNT = 10**12


@dataclass(frozen=True, slots=True)
class Pagination:
    """What one answer says about its place in the whole.

    Attributes:
        number: The page as the portal numbers it, or as it was asked for when it does not say.
        total: Records over all pages, or None when the portal does not say.
        total_pages: Pages in all, or None when the portal does not say.
        per_page: Records on a full page: what was asked for, or less when the portal says so.
        has_next: Whether to ask for the page after this one.
        dialect: Whose shape the envelope has, or None when it has neither.
    """

    number: int
    total: int | None
    total_pages: int | None
    per_page: int
    has_next: bool
    dialect: Dialect | None


def read_pagination(
    payload: object, *, asked: int, received: int, per_page: int = PER_PAGE
) -> Pagination:
    """Read the ``pagination`` of an answer; never raises, whatever JSON it is given.

    Args:
        payload: The whole answer, parsed.
        asked: The page that was asked for, from 1.
        received: How many records the answer holds.
        per_page: How many records a page were asked for.
    """
    found = payload.get("pagination") if isinstance(payload, dict) else None
    fields: dict[object, object] = found if isinstance(found, dict) else {}
    number = _count(fields.get("currentPage", fields.get("page")))
    full = min(per_page, _count(fields.get("perPage")) or per_page)
    return Pagination(
        number=asked if number is None else number,
        total=_count(fields.get("total")),
        total_pages=_count(fields.get("totalPages")),
        per_page=full,
        has_next=_has_next(fields, asked, received, full),
        dialect=_dialect(fields),
    )


def _has_next(fields: dict[object, object], asked: int, received: int, full: int) -> bool:
    if received == 0:
        return False  # however many pages are promised: a walk must come to an end
    next_page = _count(fields.get("nextPage"))
    last_page = _count(fields.get("totalPages"))
    if (next_page or 0) > asked or (last_page or 0) > asked:
        return True
    if last_page is not None:
        return False
    # The portal does not say: only a full page can have one after it.
    return received >= full


def _dialect(fields: dict[object, object]) -> Dialect | None:
    if fields.keys() & {"currentPage", "count"}:
        return "guide"
    if fields.keys() & {"page", "nextPage", "prevPage"}:
        return "atlas"
    return None


def _count(value: object) -> int | None:
    """A whole number from 0, also when it came as ``"3"`` or ``3.0``; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = float(value)
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and 0 <= value <= _LARGEST_COUNT else None
