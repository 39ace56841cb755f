"""Pages, passes and readers that the tests of this room share."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings

from pf_pipeline.archive import AskedFor, LeadsPass, Manifest, RawLeads, Window

DAY = date(2025, 12, 19)
NEXT_DAY = date(2025, 12, 20)
NOON = datetime(2025, 12, 19, 12, tzinfo=UTC)
WINDOW = Window(datetime(2025, 12, 19, tzinfo=UTC), datetime(2025, 12, 21, tzinfo=UTC))
PORTAL = "https://portal.example"

thorough = settings(max_examples=50, deadline=None)


@dataclass(frozen=True)
class Page:
    """A page as a client would hand it over."""

    number: int
    body: bytes
    records: list[object]
    requested_at: datetime
    total: int | None


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def lead(lead_id: str, day: date = DAY, **fields: object) -> dict[str, Any]:
    return {"id": lead_id, "createdAt": f"{day.isoformat()}T10:30:00Z"} | fields


def page(number: int, *records: object, at: datetime = NOON, total: int | None = None) -> Page:
    body = json.dumps({"data": records, "pagination": {"page": number}}).encode()
    return Page(number, body, list(records), at, total)


def clock(start: datetime = NOON) -> Callable[[], datetime]:
    """A clock that is a second further at every look."""
    looks = iter(range(1_000_000))
    return lambda: start + timedelta(seconds=next(looks))


def store(
    raw: RawLeads,
    *pages: Page,
    days: Sequence[date] = (DAY,),
    at: datetime = NOON,
) -> list[Manifest]:
    """One pass over these pages."""
    return store_from(raw, pages, days=days, at=at)


def store_from(
    raw: RawLeads, pages: Iterable[Page], *, days: Sequence[date] = (DAY,), at: datetime = NOON
) -> list[Manifest]:
    """One pass; a page that an interrupted attempt stored is not asked for again."""
    pages_read, total = 0, None
    with open_pass(raw, days=days, at=at) as leads_pass:
        known = {known.number for known in leads_pass.known}
        for received in pages:
            pages_read, total = pages_read + 1, received.total if total is None else total
            if received.number not in known:
                leads_pass.store(received)
        return finish(leads_pass, pages_read=pages_read, total=total)


def open_pass(
    raw: RawLeads,
    *,
    days: Sequence[date] = (DAY,),
    window: Window = WINDOW,
    at: datetime = NOON,
    asked_for: AskedFor = "window",
) -> LeadsPass:
    return raw.open_pass(
        days, window, base_url=PORTAL, dialect="guide", now=clock(at), asked_for=asked_for
    )


def finish(
    leads_pass: LeadsPass,
    *,
    complete: bool = True,
    pages_read: int = 0,
    total: int | None = None,
) -> list[Manifest]:
    return leads_pass.finish(
        complete=complete, distinct=None, total=total, rounds=1, pages_read=pages_read
    )


def failing_after(*pages: Page) -> Iterator[Page]:
    """Pages, and then a portal that is gone."""
    yield from pages
    raise ConnectionError("the portal is gone")


def records_of(raw: RawLeads, day: date = DAY) -> list[object]:
    """The day's records, each as often as it was received."""
    return [
        record for sighting in raw.sightings(day) for record in sighting.records * sighting.times
    ]


def ids_of(raw: RawLeads, day: date = DAY) -> list[str]:
    return [record["id"] for record in records_of(raw, day) if isinstance(record, dict)]


def stored_pages(data_dir: Path) -> list[Path]:
    """All files of pages, whether a manifest knows them or not."""
    return sorted(data_dir.rglob("page-*.json.gz"))


def body_of(data_dir: Path, day: date, file: str) -> bytes:
    """A stored page as it was received."""
    path = data_dir / "raw" / "leads" / f"date={day.isoformat()}" / file
    return gzip.decompress(path.read_bytes())


def files_under(folder: Path) -> dict[str, bytes]:
    """Every file with its contents."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
