"""Whether everything that the portal says there is has been seen.

Only counting belongs here; which pages are read, and when, is up to ``walk``.
"""

import json
import threading
from collections import Counter
from collections.abc import Hashable, Iterable


class Tally:
    """The distinct records that were seen, beside the portal's own count of them.

    The portal's count changes while pages are read. It rises when leads arrive: then whatever was
    seen is still there, and as many distinct records as the count are all of them. It falls when
    leads are deleted: then some of what was seen may be gone, and each such loss counts against
    what was seen, unless a whole round was read after it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total: int | None = None
        self._seen: set[Hashable] = set()
        self._gone = 0
        self._seen_this_round: set[Hashable] = set()
        self._gone_this_round = 0
        self._round_is_new = True
        self._nameless: Counter[str] = Counter()

    @property
    def total(self) -> int | None:
        """How many records there are now, or None while the portal does not say."""
        return self._total

    @property
    def distinct(self) -> int:
        """How many different records were seen, in all rounds."""
        return len(self._seen)

    @property
    def is_whole(self) -> bool:
        """Whether as many records were seen as there are; never without the portal's count."""
        if self._total is None:
            return False
        ever = len(self._seen) - self._gone
        this_round = len(self._seen_this_round) - self._gone_this_round
        return max(ever, this_round) >= self._total

    def begin_round(self) -> None:
        """From here on every page is read once more."""
        self._seen_this_round = set()
        self._gone_this_round = 0
        self._round_is_new = True
        self.begin_pass()

    def begin_pass(self) -> None:
        """From here on pages are read that were read before."""
        self._nameless.clear()

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
            if self._total is None or total > self._total:
                self._total = total
            elif before is not None and total < min(before, self._total):
                self._gone += self._total - total
                if not self._round_is_new:  # else they were gone before the round began
                    self._gone_this_round += self._total - total
                self._total = total
            self._round_is_new = False

    def count(self, records: Iterable[object]) -> bool:
        """Count the records of one page; returns whether there was one not seen before."""
        known = len(self._seen)
        for record in records:
            identity = self._identity(record)
            self._seen.add(identity)
            self._seen_this_round.add(identity)
        return len(self._seen) > known

    def _identity(self, record: object) -> Hashable:
        """A record's ``id``; malformed ones count as well, and equal ones count each time."""
        found = record.get("id") if isinstance(record, dict) else None
        if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
            return found
        text = _canonical(record)
        self._nameless[text] += 1
        return text, self._nameless[text]


def _canonical(record: object) -> str:
    try:
        return json.dumps(record, sort_keys=True)
    except RecursionError:
        return "nested too deep to be told from others"
