"""The raw archive: pages exactly as received, in sweeps that add up and are never replaced.

``raw/leads/date=YYYY-MM-DD/sweep=<UTC stamp>/page-0001.json.gz ... manifest.json``. One pass over
the portal may serve several days; each day gets a sweep of its own, and a page that holds leads of
two days stands under both. Days that nothing is added to any more are packed.

Asking the portal is not done here, nor is deciding what a lead is: pages come in, bytes are stored.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

from filelock import FileLock

from pf_pipeline.archive.days import DayFolder, listed
from pf_pipeline.archive.files import OWNER_ONLY_FILE, make_folder
from pf_pipeline.archive.journals import Question
from pf_pipeline.archive.manifests import AskedFor, Manifest, StoredPage
from pf_pipeline.archive.packing import Packed, pack_day, unpack_day
from pf_pipeline.archive.passes import LeadsPass
from pf_pipeline.archive.unfinished import UnfinishedPasses
from pf_pipeline.archive.windows import Window, covered_within, gaps_within, window_of_day
from pf_pipeline.leads.observing import Sighting
from pf_pipeline.leads.parser import days_of_records, decode_page

DAY_PREFIX = "date="

CROWDED_SWEEPS = 72
"""A day with so many loose sweeps is packed though it goes on: a quarter of a day of polls."""


class RawLeads:
    """The raw archive of polled leads under one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "raw" / "leads"
        self._passes = UnfinishedPasses(data_dir / "raw" / "passes", self._folder)

    # ---- passes

    def open_pass(
        self,
        days: Sequence[date],
        window: Window,
        *,
        base_url: str,
        dialect: str,
        now: Callable[[], datetime],
        asked_for: AskedFor = "window",
    ) -> LeadsPass:
        """Begin a pass over the portal, or resume one that was interrupted.

        A pass is resumed if it asked the same from the same instant on, began less than six hours
        ago, and nobody runs it. It keeps its pinned end: what lies beyond needs a further pass,
        see :attr:`LeadsPass.beyond`. Sweeps are written when the pass is finished; one that fails
        harms no earlier sweep, and one in which the portal had nothing leaves empty sweeps, which
        say that there was nothing.

        Passes that asked for the same days from another instant on, or too long ago, are closed:
        see :meth:`close_abandoned`.

        Args:
            days: The days that the pass serves; records of other days are not stored.
            window: What is asked for.
            base_url: The portal.
            dialect: The query parameters used.
            now: The clock.
            asked_for: Every lead of the window, or single leads by id.
        """
        question = Question(tuple(sorted(set(days))), window, base_url, dialect, asked_for)
        return self._passes.open(question, now)

    def close_abandoned(self, now: datetime) -> list[Manifest]:
        """Make sweeps of interrupted passes that can no longer be resumed.

        Nothing that was received is thrown away: the pages of such a pass become sweeps that say
        that they are not complete. One that had seen all it wanted becomes what it would have been.
        """
        return self._passes.close_abandoned(now)

    # ---- reading

    def sweeps(self, day: date) -> frozenset[str]:
        """The names of a day's finished sweeps, such as ``sweep=20251219T120000.000000Z``.

        A sweep keeps its name when the day is packed.

        Raises:
            ValueError: A pack is damaged; names the file.
        """
        return self._folder(day).sweeps()

    def manifests(self, day: date, sweeps: Container[str] | None = None) -> list[Manifest]:
        """The finished sweeps of a day, oldest first.

        Args:
            day: The UTC day.
            sweeps: The names of those that are wanted; all if None.

        Raises:
            ValueError: A manifest or a pack is damaged; names the file.
        """
        return [
            manifest
            for sweep, manifest in self._folder(day).manifests().items()
            if sweeps is None or sweep in sweeps
        ]

    def covered(self, day: date) -> list[Window]:
        """What complete sweeps cover of a day, merged and in order."""
        return covered_within(window_of_day(day), self._covering(day))

    def gaps(self, day: date, until: datetime) -> list[Window]:
        """What no complete sweep covers of a day before an instant, merged and in order."""
        whole = window_of_day(day)
        return gaps_within(Window(whole.start, min(whole.end, until)), self._covering(day))

    def sightings(self, day: date, sweeps: Container[str] | None = None) -> Iterator[Sighting]:
        """The day's records, each distinct page once, with when and how often it was seen.

        Args:
            day: The UTC day.
            sweeps: The names of the sweeps that are wanted; all if None.

        Raises:
            ValueError: A stored page, a manifest or a pack is damaged; names the file.
        """
        seen: dict[str, list[StoredPage]] = {}
        for manifest in self.manifests(day, sweeps):
            for page in manifest.pages:
                seen.setdefault(page.sha256, []).append(page)
        digests = {pages[0].file: digest for digest, pages in seen.items()}
        for file, body in self._folder(day).bodies(digests):
            pages = seen[digests[file]]
            records = decode_page(body)
            days = days_of_records(records, alone=day)
            instants = [page.requested_at for page in pages]
            yield Sighting(
                [record for record, its_day in zip(records, days, strict=True) if its_day == day],
                min(instants),
                max(instants),
                len(pages),
            )

    def days(self) -> list[date]:
        """All days of which something was received, or asked for, in order."""
        return [day for day in self._days() if not self._folder(day).is_empty()]

    # ---- packing

    def packable_days(self, before: date) -> list[date]:
        """Days before a day that have sweeps which could be packed, in order."""
        running = self._passes.sweeps()
        return [
            day
            for day in self._days()
            if day < before and set(self._folder(day).loose_sweeps()) - running
        ]

    def is_crowded(self, day: date) -> bool:
        """Whether a day has so many loose sweeps that it should be packed before it is over."""
        return len(self._folder(day).loose_sweeps()) >= CROWDED_SWEEPS

    def pack(self, day: date) -> Packed | None:
        """Bring all finished sweeps of a day into one compressed file.

        Everything in it was read back and compared before any original goes; readers see no
        difference, nor does a crash make one. Sweeps whose pass runs or can be resumed stay. An
        earlier pack becomes part of the new one.

        Returns:
            What it saved; None if there was nothing to pack.

        Raises:
            ValueError: A page, a manifest or a pack is damaged: then nothing was removed.
        """
        folder = self._folder(day)
        if folder.is_empty():
            return None
        with self._packing():
            loose = folder.loose_sweeps()  # before the journals: a pass may end in between
            running = self._passes.sweeps()
            return pack_day(folder, [sweep for sweep in loose if sweep not in running])

    def unpack(self, day: date) -> int:
        """Bring a day's pack back as the files that it was made of.

        Returns:
            How many files were restored.

        Raises:
            ValueError: The pack is damaged: it stays.
        """
        with self._packing():
            return unpack_day(self._folder(day))

    def _folder(self, day: date) -> DayFolder:
        return DayFolder(self._root / f"{DAY_PREFIX}{day.isoformat()}", day)

    def _covering(self, day: date) -> list[Window]:
        windows = (manifest.covers for manifest in self.manifests(day))
        return [window for window in windows if window is not None]

    def _days(self) -> list[date]:
        days = []
        for name in listed(self._root):
            prefix, _, day = name.partition("=")
            if f"{prefix}=" == DAY_PREFIX:
                days.append(date.fromisoformat(day))
        return days

    @contextmanager
    def _packing(self) -> Iterator[None]:
        """Only one may pack or unpack at a time; others wait."""
        make_folder(self._root)
        with FileLock(self._root / ".packing.lock", mode=OWNER_ONLY_FILE):
            yield
