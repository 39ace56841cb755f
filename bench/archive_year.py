"""A year of polling, simulated with a fake clock: does the archive grow with the leads?

150 leads a day, 288 polls a day over the days that the overlap touches, statuses that move over
hours, recordings that appear late, a nightly sweep of the last 7 full days, and packing: of open
days whenever they are crowded, of days that nothing touches any more each night. Pages are made as
bytes, without a portal, and go through open_pass, store and finish as they would in a run.

By default 12 days are simulated, enough for a steady state, from which the year follows, because
the days are alike; ``--days 365`` simulates all of it, in about thirty times as long.

    python -m bench.archive_year [--days N]
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench.machine import describe_machine
from pf_pipeline.archive import RawLeads, Window
from pf_pipeline.leads.observing import observe

FIRST = date(2026, 1, 1)
LEADS_PER_DAY, POLLS_PER_DAY, PER_PAGE = 150, 288, 50
OVERLAP, RESWEPT_DAYS, PACKED_AFTER_DAYS = timedelta(minutes=180), 7, 8
ONE_DAY, ONE_HOUR, MEBIBYTE = timedelta(days=1), timedelta(hours=1), 1024 * 1024


@dataclass(frozen=True)
class Page:
    """A page as the portal would have sent it."""

    number: int
    body: bytes
    records: list[object]
    requested_at: datetime
    total: int | None


@dataclass(frozen=True)
class Lead:
    """A lead and the instants at which it changes."""

    created_at: datetime
    fields: dict[str, object]
    changes: tuple[tuple[datetime, str, object], ...]

    def at(self, now: datetime) -> dict[str, object]:
        """What the portal would say of it."""
        lead = self.fields.copy()
        for instant, field, value in self.changes:
            if instant <= now:
                lead[field] = value
        return lead


@dataclass(frozen=True)
class Size:
    """Files and bytes."""

    files: int
    size: int


def main(days: int = 12) -> None:
    """Print files, bytes and seconds of the archive after so many days."""
    with tempfile.TemporaryDirectory() as data_dir:
        raw = RawLeads(Path(data_dir))
        portal = Portal()
        most_files, started = 0, time.process_time()
        for number in range(days):
            day = FIRST + number * ONE_DAY
            most_files = max(most_files, _live_through(raw, portal, Path(data_dir), day))
        spent = time.process_time() - started
        _report(raw, Path(data_dir), days, most_files, spent)


class Portal:
    """Leads as a pure function of their day."""

    def __init__(self) -> None:
        self._days: dict[date, list[Lead]] = {}

    def pages(self, window: Window, now: datetime) -> Iterator[Page]:
        """The pages of a window, newest lead first; what has not happened yet is not on them."""
        bounds = Window(window.start, min(window.end, now))
        leads = [
            lead
            for day in _days_between(bounds)
            for lead in self._leads(day)
            if bounds.start <= lead.created_at < bounds.end
        ]
        leads.reverse()
        last = max(1, -(-len(leads) // PER_PAGE))
        for number in range(1, last + 1):
            records: list[object] = [
                lead.at(now) for lead in leads[(number - 1) * PER_PAGE : number * PER_PAGE]
            ]
            pagination = {
                "page": number,
                "perPage": PER_PAGE,
                "total": len(leads),
                "totalPages": last,
                "nextPage": number + 1 if number < last else None,
            }
            body = json.dumps({"data": records, "pagination": pagination}).encode()
            yield Page(number, body, records, now, len(leads))

    def _leads(self, day: date) -> list[Lead]:
        if day not in self._days:
            self._days.pop(day - 20 * ONE_DAY, None)
            chance = random.Random(day.toordinal())  # noqa: S311 - no secret
            self._days[day] = sorted(
                (_lead(chance, day, number) for number in range(LEADS_PER_DAY)),
                key=lambda lead: lead.created_at,
            )
        return self._days[day]


def _lead(chance: random.Random, day: date, number: int) -> Lead:
    created_at = _start(day) + timedelta(seconds=chance.randrange(24 * 60 * 60))
    channel = chance.choice(["call", "whatsapp", "whatsapp", "email"])
    fields: dict[str, object] = {
        "id": f"{channel}_lead_{day.toordinal()}{number:03d}",
        "entityType": "listing",
        "channel": channel,
        "status": "sent",
        "sender": {
            "name": f"Inquirer {chance.randrange(10**6)}",
            "contacts": [{"type": "phone", "value": f"+9715{chance.randrange(10**8):08d}"}],
        },
        "publicProfile": {"id": chance.randrange(1000, 1060)},
        "listing": {
            "id": f"{chance.getrandbits(130):026X}"[:26],
            "reference": f"APT-{chance.randrange(900)}",
        },
        "responseLink": f"https://portal.example/respond/{chance.getrandbits(64):x}",
        "tags": [],
        "createdAt": created_at.isoformat(timespec="seconds"),
    }
    return Lead(created_at, fields, tuple(_changes(chance, channel, created_at)))


def _changes(
    chance: random.Random, channel: str, created_at: datetime
) -> Iterator[tuple[datetime, str, object]]:
    instant = created_at
    for status in ("delivered", "read", "replied"):
        instant += timedelta(minutes=chance.expovariate(1 / 90))
        yield instant, "status", status
    if channel == "call":
        call = {"talkTime": chance.randrange(300), "waitTime": chance.randrange(40)}
        yield created_at, "call", call
        link = f"https://recordings.example/{chance.getrandbits(96):x}.mp3"
        yield instant + timedelta(hours=chance.randrange(30)), "call", call | {"recordFile": link}


def _live_through(raw: RawLeads, portal: Portal, data_dir: Path, day: date) -> int:
    """A day of polls, and the work of the night after it; gives the most files the day had."""
    most = 0
    for poll in range(1, POLLS_PER_DAY + 1):
        now = _start(day) + poll * ONE_DAY / POLLS_PER_DAY
        start = _poll_start(raw, day, now)
        touched = _days_between(Window(start, now))
        _sweep(raw, portal, touched, Window(start, now), now)
        for crowded in filter(raw.is_crowded, touched):
            most = max(most, _size(data_dir / f"raw/leads/date={crowded}").files)
            raw.pack(crowded)
    now = _start(day) + ONE_DAY + timedelta(minutes=30)
    for ago in range(RESWEPT_DAYS):
        earlier = day - ago * ONE_DAY
        if earlier >= FIRST:
            window = Window(_start(earlier), _start(earlier) + ONE_DAY)
            _sweep(raw, portal, [earlier], window, now)
    for packable in raw.packable_days(before=day - (PACKED_AFTER_DAYS - 1) * ONE_DAY):
        raw.pack(packable)
    return max(most, _size(data_dir / f"raw/leads/date={day}").files)


def _poll_start(raw: RawLeads, day: date, now: datetime) -> datetime:
    """The last sweep's end less the overlap, down to the full hour: an unchanged page stays so."""
    covered = raw.covered((now - timedelta(microseconds=1)).date()) or raw.covered(day - ONE_DAY)
    end = covered[-1].end if covered else _start(day)
    return (end - OVERLAP).replace(minute=0, second=0, microsecond=0)


def _sweep(
    raw: RawLeads, portal: Portal, days: Sequence[date], window: Window, now: datetime
) -> None:
    total, pages_read = None, 0
    with raw.open_pass(
        days, window, base_url="https://portal.example", dialect="atlas", now=lambda: now
    ) as leads_pass:
        for page in portal.pages(leads_pass.window, now):
            leads_pass.store(page)
            total, pages_read = page.total, pages_read + 1
        leads_pass.finish(
            complete=True, distinct=total, total=total, rounds=1, pages_read=pages_read
        )


def _report(raw: RawLeads, data_dir: Path, days: int, most_files: int, spent: float) -> None:
    leads = data_dir / "raw/leads"
    last = FIRST + (days - 1) * ONE_DAY
    packed_day = max(last - PACKED_AFTER_DAYS * ONE_DAY, FIRST)
    whole, packed, hot = (
        _size(leads / place) for place in ("", f"date={packed_day}", f"date={last}")
    )
    print(f"\nAn archive after {days} days of {LEADS_PER_DAY} leads and {POLLS_PER_DAY} polls")
    print(f"simulated in {spent:.0f} CPU s, {1000 * spent / days / POLLS_PER_DAY:.0f} ms a poll")
    _validation(raw, last)  # imports and warms up what the others use
    print(f"{'':38}{'files':>8}{'KiB':>10}{'validated in, s':>18}")
    _print_row("whole archive", whole)
    _print_row(f"{last}, the last day (hot)", hot, _validation(raw, last))
    raw.unpack(last)
    loose = _size(leads / f"date={last}")
    _print_row("  the same, never packed", loose, _validation(raw, last))
    raw.pack(last)
    print(f"{'most files that a day ever had':38}{most_files:8}")
    _print_row(f"{packed_day}, packed", packed, _validation(raw, packed_day))
    raw.unpack(packed_day)
    loose = _size(leads / f"date={packed_day}")
    _print_row("  the same day unpacked", loose, _validation(raw, packed_day))
    raw.pack(packed_day)
    year = 365 * packed.size + (whole.size - packed.size * max(0, days - PACKED_AFTER_DAYS))
    print(f"A year, from that: {year / MEBIBYTE:.1f} MiB packed, ", end="")
    print(f"{365 * loose.size / MEBIBYTE:.0f} MiB and {365 * loose.files:,} files if nothing were.")


def _print_row(label: str, size: Size, seconds: float | None = None) -> None:
    validated = "" if seconds is None else f"{seconds:18.2f}"
    print(f"{label:38}{size.files:8,}{size.size / 1024:10,.0f}{validated}")


def _validation(raw: RawLeads, day: date) -> float:
    started = time.perf_counter()
    observed = observe(raw.sightings(day), partition_key=day.isoformat(), country="AE")
    if observed.leads != LEADS_PER_DAY:
        raise RuntimeError(f"{day} has {observed.leads} leads instead of {LEADS_PER_DAY}.")
    return time.perf_counter() - started


def _size(folder: Path) -> Size:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return Size(len(sizes), sum(sizes))


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _days_between(window: Window) -> list[date]:
    first, last = window.start.date(), (window.end - timedelta(microseconds=1)).date()
    return [first + number * ONE_DAY for number in range((last - first).days + 1)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--days", type=int, default=12, help="days to simulate (default 12)")
    print(describe_machine())
    main(parser.parse_args().days)
