"""The raw archive: pages exactly as received, in sweeps that add up and are never replaced.

``raw/leads/date=YYYY-MM-DD/sweep=<UTC stamp>/page-0001.json.gz ... manifest.json``. One pass over
the portal may serve several days; each day gets a sweep of its own, and a page that holds leads of
two days stands under both.

Asking the portal is not done here, nor is deciding what a lead is: pages come in, bytes are stored.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

from pf_pipeline.archive.files import flush_folder, make_folder, write_atomically
from pf_pipeline.archive.manifests import MANIFEST_NAME, Manifest, StoredPage
from pf_pipeline.leads.observing import Sighting
from pf_pipeline.leads.parser import days_of_records, decode_page

STAMP = "%Y%m%dT%H%M%S.%fZ"
GZIP_LEVEL = 6


class ReceivedPage(Protocol):
    """What the archive needs to know of a page."""

    @property
    def number(self) -> int:
        """The page number asked for."""

    @property
    def body(self) -> bytes:
        """The page as received."""

    @property
    def records(self) -> list[object]:
        """The decoded leads on it."""

    @property
    def requested_at(self) -> datetime:
        """When it was asked for, UTC."""

    @property
    def total(self) -> int | None:
        """How many leads the portal says there are in the pass."""


@dataclass(frozen=True)
class Window:
    """What one pass asks for: leads created in ``[start, end)``, UTC."""

    start: datetime
    end: datetime


@dataclass
class _DayInProgress:
    day: date
    folder: Path
    known: dict[str, str]
    pages: list[StoredPage] = field(default_factory=list)


class RawLeads:
    """The raw archive of polled leads under one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "raw" / "leads"

    def store_pass(
        self,
        pages: Iterable[ReceivedPage],
        days: Sequence[date],
        window: Window,
        *,
        base_url: str,
        dialect: str,
        now: Callable[[], datetime],
    ) -> list[Manifest]:
        """Store one pass over the portal as one sweep for each of its days.

        The manifests are written when the pass has ended: a pass that fails leaves none, and
        harms no earlier sweep. A pass in which the portal had nothing leaves empty sweeps, which
        say that there was nothing.

        Args:
            pages: The pages as they arrive; whatever this raises ends the pass.
            days: The days that the pass serves; records of other days are not stored.
            window: What was asked for.
            base_url: The portal, for the manifest.
            dialect: The query parameters used, for the manifest.
            now: The clock.
        """
        stamp = now().astimezone(UTC).strftime(STAMP)
        in_progress = {day: self._begin(day, stamp) for day in days}
        pages_read, total = 0, None
        for page in pages:
            pages_read, total = pages_read + 1, page.total if total is None else total
            self._store(page, in_progress, alone=days[0])
        finished_at = now()
        return [
            self._finish(
                started,
                Manifest(
                    day=started.day,
                    start=window.start,
                    end=window.end,
                    base_url=base_url,
                    dialect=dialect,
                    finished_at=finished_at,
                    pages_read=pages_read,
                    portal_total=total,
                    pages=tuple(started.pages),
                ),
            )
            for started in in_progress.values()
        ]

    def manifests(self, day: date) -> list[Manifest]:
        """The finished sweeps of a day, oldest first."""
        paths = sorted(self._folder(day).glob(f"sweep=*/{MANIFEST_NAME}"))
        return [Manifest.read(path) for path in paths]

    def sightings(self, day: date) -> Iterator[Sighting]:
        """The day's records, each distinct page once, with when and how often it was seen.

        Raises:
            ValueError: A stored page is damaged; names the file.
        """
        seen: dict[str, list[StoredPage]] = {}
        for manifest in self.manifests(day):
            for page in manifest.pages:
                seen.setdefault(page.file, []).append(page)
        for file, pages in seen.items():
            records = decode_page(self._read(day, file, pages[0].sha256))
            days = days_of_records(records, alone=day)
            instants = [page.requested_at for page in pages]
            yield Sighting(
                [record for record, its_day in zip(records, days, strict=True) if its_day == day],
                min(instants),
                max(instants),
                len(pages),
            )

    def _folder(self, day: date) -> Path:
        return self._root / f"date={day.isoformat()}"

    def _begin(self, day: date, stamp: str) -> _DayInProgress:
        folder = self._folder(day)
        make_folder(folder)
        known = {
            page.sha256: page.file for manifest in self.manifests(day) for page in manifest.pages
        }
        attempt = 1
        while True:
            sweep = folder / (f"sweep={stamp}" if attempt == 1 else f"sweep={stamp}-{attempt}")
            try:
                sweep.mkdir()
            except FileExistsError:
                attempt += 1
            else:
                return _DayInProgress(day, sweep, known)

    def _store(
        self, page: ReceivedPage, in_progress: dict[date, _DayInProgress], alone: date
    ) -> None:
        days = days_of_records(page.records, alone)
        digest = hashlib.sha256(page.body).hexdigest()
        compressed: bytes | None = None
        for day in sorted(set(days) & in_progress.keys()):
            started = in_progress[day]
            file = started.known.get(digest)
            if file is None:
                compressed = compressed or gzip.compress(page.body, GZIP_LEVEL, mtime=0)
                path = _free_path(started.folder, f"page-{page.number:04d}")
                write_atomically(path, compressed)
                file = started.known[digest] = f"{started.folder.name}/{path.name}"
            started.pages.append(
                StoredPage(
                    number=page.number,
                    file=file,
                    sha256=digest,
                    size=len(page.body),
                    records_of_day=days.count(day),
                    requested_at=page.requested_at,
                )
            )

    def _finish(self, started: _DayInProgress, manifest: Manifest) -> Manifest:
        flush_folder(started.folder)
        write_atomically(started.folder / MANIFEST_NAME, manifest.to_bytes())
        flush_folder(started.folder)
        flush_folder(started.folder.parent)
        return manifest

    def _read(self, day: date, file: str, sha256: str) -> bytes:
        path = self._folder(day) / file
        try:
            body = gzip.decompress(path.read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"The stored page {path} cannot be read: {error}.") from error
        if hashlib.sha256(body).hexdigest() != sha256:
            raise ValueError(f"The stored page {path} is not what was received: digests differ.")
        return body


def _free_path(folder: Path, name: str) -> Path:
    """Where a page of this sweep is stored; a number that was asked for twice is kept twice."""
    path, answer = folder / f"{name}.json.gz", 2
    while path.exists():
        path, answer = folder / f"{name}-{answer}.json.gz", answer + 1
    return path
