"""A walk over all pages that is complete, or says that it is not.

Page numbers shift while leads arrive and vanish, and what the portal says about its pages may be
wrong. A walk therefore trusts two things only: the records, and the portal's count of them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from pf_pipeline.portal.dialects import PER_PAGE
from pf_pipeline.portal.errors import PortalError, StoppedError
from pf_pipeline.portal.pages import LeadsPage
from pf_pipeline.portal.stopping import Stop
from pf_pipeline.portal.tally import Tally

MOST_PAGES = 10_000
"""Pages in one round, half a million leads: the end of a walk that a portal never ends."""

_LOOK_AHEAD = 2  # pages asked for but not yet given, in multiples of the threads
_EMPTY_ENOUGH = 3  # empty pages in a row after which no promise of more is believed


class KnownPage(Protocol):
    """A page that an interrupted attempt stored already.

    Attributes:
        number: The page that was asked for, from 1.
        records: Its records.
        total: How many records the portal said there were on all pages.
    """

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def records(self) -> list[object]: ...  # noqa: D102
    @property
    def total(self) -> int | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class WalkOutcome:
    """How a walk ended.

    Attributes:
        distinct: Different records that were seen, those of known pages among them.
        total: How many there are, as the portal says, or None when it does not say.
        complete: Whether everything was seen that was there all the time. Without a total: whether
            the walk came to an end by itself. A lead that vanishes and another that appears between
            the same two answers leave the total as it was: that alone cannot be noticed.
        rounds: How often the pages were read from the first to the last.
        pages_read: Pages that were received.
    """

    distinct: int
    total: int | None
    complete: bool
    rounds: int
    pages_read: int


class LeadsWalk:
    """Gives every page as it is received, once for each time that it was read; iterate it once.

    Pages are fetched by several threads at once, asked for and given in ascending order. When a
    round has seen fewer records than there are, both ends are read again, where new leads stand,
    and then everything.
    """

    def __init__(
        self,
        fetch: Callable[[int], LeadsPage],
        *,
        parallel: int,
        rounds: int = 3,
        known: Sequence[KnownPage] = (),
        stop: Stop | None = None,
    ) -> None:
        """Prepare the walk; nothing is fetched yet.

        Args:
            fetch: Reads the page of a number; threads call it.
            parallel: How many threads.
            rounds: How often all pages are read at most.
            known: Pages that need not be fetched; they are not given either.
            stop: Set when the walk ends, however it ends, to end the waits inside ``fetch``.
        """
        self._fetch = fetch
        self._parallel = parallel
        self._most_rounds = rounds
        self._known = sorted(known, key=lambda page: page.number)
        self._stop = stop or Stop()
        self._tally = Tally()
        self._latest: LeadsPage | None = None
        self._rounds = self._pages_read = 0
        self._failed = MOST_PAGES
        self._ended = False

    @property
    def outcome(self) -> WalkOutcome:
        """How the walk ended; of a walk that goes on, or was broken off, that it is incomplete."""
        whole = self._tally.is_whole if self._tally.total is not None else not self._promises_more
        return WalkOutcome(
            distinct=self._tally.distinct,
            total=self._tally.total,
            complete=self._ended and whole,
            rounds=self._rounds,
            pages_read=self._pages_read,
        )

    def __iter__(self) -> Iterator[LeadsPage]:
        """Walk.

        Raises:
            PortalError: A page could not be read; which class says what to do next.
        """
        threads = ThreadPoolExecutor(self._parallel, thread_name_prefix="leads-walk")
        try:
            yield from self._walk(threads)
            self._ended = True
        finally:
            # Not waited for: a thread may be in the middle of an answer that comes slowly.
            self._stop.set()
            threads.shutdown(wait=False, cancel_futures=True)

    def _walk(self, threads: ThreadPoolExecutor) -> Iterator[LeadsPage]:
        while self._rounds < self._most_rounds:
            self._rounds += 1
            yield from self._round(threads)
            if self._tally.total is None or self._tally.is_whole:
                return
            yield from self._catch_up()
            if self._tally.is_whole:
                return

    def _round(self, threads: ThreadPoolExecutor) -> Iterator[LeadsPage]:
        """All pages in ascending order; in the first round only those that are not known."""
        self._tally.begin_round()
        known = self._known if self._rounds == 1 else []
        for stored in known:
            self._tally.note_total(stored.total, before=self._tally.total)
            self._tally.count(stored.records, number=stored.number)
        held = {stored.number for stored in known}
        last_held = max(held, default=0)
        fetching: deque[Future[LeadsPage]] = deque()
        unasked, empty, goes_on = 1, 0, not (known and self._tally.is_whole)
        while empty < _EMPTY_ENOUGH:
            while (
                unasked <= max(self._last_expected, last_held)
                and len(fetching) < self._parallel * _LOOK_AHEAD
            ):
                if unasked not in held:
                    fetching.append(threads.submit(self._read, unasked))
                unasked += 1
            if not fetching:
                if not goes_on or unasked > MOST_PAGES:
                    return
                fetching.append(threads.submit(self._read, unasked))
                unasked += 1
            page = fetching.popleft().result()
            unseen = self._take_in(page)
            yield page
            goes_on = unseen and self._goes_on_after(page, last_held)
            empty = 0 if page.records else empty + 1
        for waiting in fetching:
            waiting.cancel()

    def _catch_up(self) -> Iterator[LeadsPage]:
        """Both ends again: new leads stand at the first when newest first, else at the last."""
        reread = 0
        for page in self._reread(count(1)):
            reread = page.number
            yield page
        if not self._tally.is_whole:
            yield from self._reread(range(self._last_expected, reread, -1))

    def _reread(self, numbers: Iterable[int]) -> Iterator[LeadsPage]:
        """Pages once more, as long as they bring something and something is missing."""
        self._tally.begin_rereading()
        for number in numbers:
            page = self._read(number)
            unseen = self._take_in(page)
            yield page
            if not unseen or self._tally.is_whole or number >= MOST_PAGES:
                return

    def _read(self, number: int) -> LeadsPage:
        self._stop.check()
        if number > self._failed:
            raise StoppedError  # never given: the walk ends at the page that failed
        before = self._tally.total
        try:
            page = self._fetch(number)
        except PortalError:
            self._failed = min(self._failed, number)
            raise
        self._tally.note_total(page.total, before=before)
        return page

    def _take_in(self, page: LeadsPage) -> bool:
        self._pages_read += 1
        self._latest = page
        return self._tally.count(page.records, number=page.number)

    @property
    def _last_expected(self) -> int:
        """The last page, as far as that can be told by now; 0 when it cannot."""
        latest, total = self._latest, self._tally.total
        if total is not None:
            per_page = PER_PAGE if latest is None else latest.pagination.per_page
            pages = -(-total // per_page)
        else:
            pages = 0 if latest is None else latest.pagination.total_pages or 0
        return min(pages, MOST_PAGES)

    def _goes_on_after(self, page: LeadsPage, last_held: int) -> bool:
        """Whether to look behind the expected last page, when this was the last one fetched."""
        if page.number < last_held:  # what the portal says about the last one is not known
            return not self._tally.is_whole
        return page.pagination.has_next

    @property
    def _promises_more(self) -> bool:
        """Whether the latest page says that another one follows."""
        if self._latest is None:
            return False
        pagination = self._latest.pagination
        return pagination.has_next or (pagination.total_pages or 0) > self._latest.number
