"""A pass over the portal: pages come in one by one, a sweep for each of its days comes out.

What a running pass has stored stands in its journal; readers know manifests only.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import TracebackType
from typing import Protocol, Self

from pf_pipeline.archive.days import DayFolder
from pf_pipeline.archive.journals import Journal, JournaledPage, Outcome
from pf_pipeline.archive.manifests import Manifest, StoredPage
from pf_pipeline.archive.windows import Window
from pf_pipeline.leads.parser import days_of_records, decode_page

Folders = Mapping[date, DayFolder]


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
class KnownPage:
    """A page that an interrupted attempt stored; it need not be asked for again.

    Attributes:
        number: The page number asked for.
        body: The page as received.
        requested_at: When it was asked for, UTC.
        total: How many leads the portal said there are in the pass.
    """

    number: int
    body: bytes = field(repr=False)  # leads are personal data: not for logs
    requested_at: datetime
    total: int | None

    @property
    def records(self) -> list[object]:
        """The leads on it, decoded anew each time: a long pass would fill the memory."""
        return decode_page(self.body)


class LeadsPass:
    """One pass, open for pages; see :meth:`RawLeads.open_pass`.

    Use it as a context. Left without :meth:`finish` its journal stays, and the next attempt
    resumes it. One thread at a time may store.

    Attributes:
        resumed: Whether it goes on where an earlier attempt was interrupted.
        known: What that attempt stored, in the order in which it did; not to be asked for again.
    """

    def __init__(
        self,
        journal: Journal,
        folders: Folders,
        *,
        standing: Mapping[date, Sequence[Manifest]],
        wanted: Window,
        known: list[KnownPage] | None,
        now: Callable[[], datetime],
        release: Callable[[], None],
    ) -> None:
        """Take over a journal whose lock is held.

        Args:
            journal: The pass's journal; its pages can be read.
            folders: The days that the pass serves.
            standing: The finished sweeps of each day, whose pages are not stored again.
            wanted: The window asked for now.
            known: What an interrupted attempt stored; None if none is resumed.
            now: The clock.
            release: Gives the lock back.
        """
        self.resumed = known is not None
        self.known = known or []
        self._journal = journal
        self._folders = folders
        self._wanted = wanted
        self._now = now
        self._release = release
        self._files = {
            day: {page.sha256: page.file for manifest in manifests for page in manifest.pages}
            for day, manifests in standing.items()
        }
        self._names = {day: set[str]() for day in folders}
        for page in journal.pages:
            for day, stored in page.by_day.items():
                self._remember(day, stored)

    @property
    def window(self) -> Window:
        """The pinned bounds; those of the interrupted attempt if one is resumed."""
        return self._journal.question.window

    @property
    def beyond(self) -> Window | None:
        """What was asked for now but lies after the pinned end: another pass must read it."""
        rest = Window(max(self.window.end, self._wanted.start), self._wanted.end)
        return None if rest.is_empty else rest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if not self._journal.pages and self._journal.outcome is None:
                self._journal.remove()  # there is nothing to go on from
        finally:
            self._journal.close()
            self._release()

    def store(self, page: ReceivedPage) -> None:
        """Store a page under each of the pass's days that it has records of.

        Once this returns, no crash loses the page. A page that is byte for byte what an earlier
        sweep of the day saw is only noted.
        """
        days = days_of_records(page.records, alone=self._journal.question.days[0])
        digest = hashlib.sha256(page.body).hexdigest()
        by_day = {
            day: StoredPage(
                number=page.number,
                file=self._files[day].get(digest) or self._write(day, page),
                sha256=digest,
                size=len(page.body),
                records_of_day=days.count(day),
                requested_at=page.requested_at,
            )
            for day in sorted(set(days) & self._folders.keys())
        }
        if by_day:
            self._journal.add(JournaledPage(page.total, by_day))
            for day, stored in by_day.items():
                self._remember(day, stored)

    def finish(
        self,
        *,
        complete: bool,
        distinct: int | None,
        total: int | None,
        rounds: int,
        pages_read: int,
    ) -> list[Manifest]:
        """End the pass: from now on its pages are sweeps, one for each of its days.

        Args:
            complete: Whether it saw all that the portal has of what was asked for.
            distinct: Distinct records that it saw; None if nobody counted.
            total: How many leads the portal said there are; None if it did not.
            rounds: How often it walked through the pages.
            pages_read: Pages read, whether they held leads of the days or not.
        """
        outcome = Outcome(complete, distinct, total, rounds, pages_read, self._now())
        self._journal.end(outcome)
        manifests = [
            store_sweep(self._journal, outcome, folder, replace=True)
            for folder in self._folders.values()
        ]
        if self.resumed:
            clear_leftovers(self._journal, self._folders)
        self._journal.remove()
        return manifests

    def _write(self, day: date, page: ReceivedPage) -> str:
        """Store a page that is new to the day; a number that was asked for twice is kept twice."""
        name, answer = f"page-{page.number:04d}", 1
        while True:
            suffix = "" if answer == 1 else f"-{answer}"
            file = f"{self._journal.sweep}/{name}{suffix}.json.gz"
            if file not in self._names[day]:
                self._folders[day].store_page(file, page.body)
                return file
            answer += 1

    def _remember(self, day: date, stored: StoredPage) -> None:
        self._files[day].setdefault(stored.sha256, stored.file)
        self._names[day].add(stored.file)


def store_sweep(
    journal: Journal, outcome: Outcome, folder: DayFolder, *, replace: bool
) -> Manifest:
    """Write the manifest of a pass that has ended for one of its days.

    Args:
        journal: The pass's journal.
        outcome: How the pass ended.
        folder: The day.
        replace: Whether a manifest that a crash let stand may name other pages than this one, as
            when damaged pages were asked for again; else its pages stay.
    """
    question = journal.question
    pages = [page.by_day[folder.day] for page in journal.pages if folder.day in page.by_day]
    earlier = None if replace else folder.loose_manifest(journal.sweep)
    if earlier is not None:
        pages = [*earlier.pages, *(page for page in pages if page not in earlier.pages)]
    manifest = Manifest(
        day=folder.day,
        start=question.window.start,
        end=question.window.end,
        base_url=question.base_url,
        dialect=question.dialect,
        finished_at=outcome.finished_at,
        asked_for=question.asked_for,
        complete=outcome.complete if earlier is None else earlier.complete,
        rounds=outcome.rounds,
        pages_read=outcome.pages_read,
        distinct=outcome.distinct,
        portal_total=outcome.portal_total,
        pages=tuple(pages),
    )
    folder.store_manifest(journal.sweep, manifest.to_bytes())
    return manifest


def clear_leftovers(journal: Journal, folders: Folders) -> None:
    """Remove what crashes left in a pass's folders: half files, and pages that never counted."""
    for day, folder in folders.items():
        named = (page.by_day[day].file for page in journal.pages if day in page.by_day)
        folder.clear(journal.sweep, keep=named)
