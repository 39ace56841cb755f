"""Whether everything that the portal says there is has been seen.

Only counting belongs here; which pages are read, and when, is up to ``walk``.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable


class Tally:
    """The distinct records that were seen, beside the portal's own count of them.

    The portal's count changes while pages are read. It rises when leads arrive: then whatever was
    seen is still there, and as many distinct records as the count are all of them. It falls when
    leads are deleted: then some of what was seen may be gone, and each such loss counts against
    what was seen, unless a whole round was read after it.

    Records without an id can be told apart only by where they stand: see :class:`_Nameless`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total: int | None = None
        self._seen: set[str | int] = set()
        self._gone = 0
        self._seen_this_round: set[str | int] = set()
        self._gone_this_round = 0
        self._round_is_new = True
        self._nameless = _Nameless()

    @property
    def total(self) -> int | None:
        """How many records there are now, or None while the portal does not say."""
        return self._total

    @property
    def distinct(self) -> int:
        """How many different records were seen, in all rounds."""
        return len(self._seen) + self._nameless.ever

    @property
    def is_whole(self) -> bool:
        """Whether as many records were seen as there are; never without the portal's count."""
        if self._total is None:
            return False
        seen_this_round = len(self._seen_this_round) + self._nameless.this_round
        return (
            max(self.distinct - self._gone, seen_this_round - self._gone_this_round) >= self._total
        )

    def begin_round(self) -> None:
        """From here on every page is read once more."""
        with self._lock:
            self._seen_this_round = set()
            self._gone_this_round = 0
            self._round_is_new = True
            self._nameless.begin_round()

    def begin_rereading(self) -> None:
        """From here on, until the next round, single pages are read that were read before."""
        with self._lock:
            self._nameless.end_round()

    def note_total(self, total: int | None, *, before: int | None) -> None:
        """Take what an answer says; to be called as soon as it is there, from any thread.

        Args:
            total: How many records there are, as the answer says.
            before: The ``total`` of this tally when the page was asked for. Pages that are read at
                the same time may be answered in any order: only what was known before a page was
                asked for can have fallen.
        """
        with self._lock:
            if total is None:
                return
            self._nameless.note_total(total)
            if self._total is None or total > self._total:
                self._total = total
            elif before is not None and total < min(before, self._total):
                self._gone += self._total - total
                if not self._round_is_new:  # else they were gone before the round began
                    self._gone_this_round += self._total - total
                self._total = total
            self._round_is_new = False

    def count(self, records: Iterable[object], *, number: int) -> bool:
        """Count the records of one page; returns whether there was one not seen before.

        Args:
            records: Malformed ones count as well.
            number: The page's.
        """
        known = len(self._seen)
        nameless: Counter[str] = Counter()
        repeats = False
        for record in records:
            name = _name(record)
            if name is None:
                nameless[_canonical(record)] += 1
                continue
            repeats = repeats or name in self._seen_this_round
            self._seen.add(name)
            self._seen_this_round.add(name)
        with self._lock:
            unseen = self._nameless.count(nameless, number=number, repeats=repeats)
        return unseen or len(self._seen) > known


class _Nameless:
    """The records without an id, of which several may be equal.

    Equal ones on one page are different records. On two pages they are two records or one that
    shifted in between. In a round in which nothing shifted they count each time: the portal's total
    stayed the same, and no record with an id, and no page, came twice. Else only as many count as
    stood on one page: too few rather than too many, and the next round that is quiet settles it.
    """

    def __init__(self) -> None:
        self._earlier: Counter[str] = Counter()
        self._on_one_page: Counter[str] = Counter()
        self.begin_round()

    @property
    def ever(self) -> int:
        """How many there are at least, by all rounds."""
        return sum(map(self._copies, self._earlier.keys() | self._on_one_page.keys()))

    @property
    def this_round(self) -> int:
        """How many there are at least, by this round alone."""
        return sum(map(self._copies_this_round, self._on_one_page))

    def begin_round(self) -> None:
        for text in self._on_one_page:
            self._earlier[text] = self._copies(text)
        self._on_one_page = Counter()
        self._in_the_round: Counter[str] = Counter()
        self._pages: set[int] = set()
        self._total: int | None = None
        self._is_quiet = True
        self._has_ended = False

    def end_round(self) -> None:
        self._has_ended = True

    def note_total(self, total: int) -> None:
        if not self._has_ended:
            self._is_quiet = self._is_quiet and self._total in (None, total)
            self._total = total

    def count(self, on_page: Counter[str], *, number: int, repeats: bool) -> bool:
        """Count those of one page; returns whether there was one not seen before.

        Args:
            on_page: How often each stands there.
            number: The page's.
            repeats: Whether a record with an id stands there that this round has seen before.
        """
        known = {text: self._copies(text) for text in on_page}
        if not self._has_ended:
            self._is_quiet = self._is_quiet and not repeats and number not in self._pages
            self._pages.add(number)
            self._in_the_round.update(on_page)
        self._on_one_page |= on_page  # the larger number of each
        return any(self._copies(text) > copies for text, copies in known.items())

    def _copies(self, text: str) -> int:
        return max(self._earlier[text], self._copies_this_round(text))

    def _copies_this_round(self, text: str) -> int:
        in_the_round = self._in_the_round[text] if self._is_quiet else 0
        return max(in_the_round, self._on_one_page[text])


def _name(record: object) -> str | int | None:
    """A record's ``id``, if it has one."""
    found = record.get("id") if isinstance(record, dict) else None
    is_name = isinstance(found, str | int) and not isinstance(found, bool) and found != ""
    return found if is_name else None


def _canonical(record: object) -> str:
    try:
        return json.dumps(record, sort_keys=True)
    except RecursionError:
        return "nested too deep to be told from others"
