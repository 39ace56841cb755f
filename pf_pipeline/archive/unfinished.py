"""The passes that have not ended: begun, interrupted, resumed, or closed because nobody goes on.

Each has a journal, and beside it a lock of the operating system that is held while the pass runs;
a crash releases it. Only who holds the lock may touch the journal.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from pf_pipeline.archive.days import SWEEP_PREFIX, DayFolder, listed
from pf_pipeline.archive.files import OWNER_ONLY_FILE, make_folder
from pf_pipeline.archive.journals import Journal, JournaledPage, Outcome, Question
from pf_pipeline.archive.manifests import Manifest
from pf_pipeline.archive.passes import (
    Folders,
    KnownPage,
    LeadsPass,
    clear_leftovers,
    store_sweep,
)

RESUME_WITHIN = timedelta(hours=6)
"""A pass is resumed if it began less than so long ago: later, what it read is out of date."""

STAMP = "%Y%m%dT%H%M%S.%fZ"
JOURNAL_SUFFIX, LOCK_SUFFIX = ".jsonl", ".lock"


class UnfinishedPasses:
    """The journals of one archive.

    Args:
        path: Their folder, which need not stand.
        folder_of: Gives the folder of a day.
    """

    def __init__(self, path: Path, folder_of: Callable[[date], DayFolder]) -> None:
        self._path = path
        self._folder_of = folder_of

    def open(self, question: Question, now: Callable[[], datetime]) -> LeadsPass:
        """Resume the pass that asked this and was interrupted, or begin one.

        What can no longer be resumed is closed.
        """
        resumed: tuple[Journal, BaseFileLock] | None = None
        begun_at = now()
        for journal, lock in self._interrupted():
            is_recent = _is_recent(journal, begun_at)
            if resumed is None and is_recent and journal.question.is_the_same(question):
                resumed = journal, lock
                continue
            if _has_ended(journal, begun_at) or (
                journal.question.is_about_the_same(question)
                and not journal.question.is_the_same(question)
            ):
                self._close(journal)
            _release(journal.path, lock)
        folders = {day: self._folder_of(day) for day in question.days}
        standing = {day: folder.manifests() for day, folder in folders.items()}
        taken = {sweep for sweeps in standing.values() for sweep in sweeps}
        journal, lock = resumed or self._begin(question, taken, folders, begun_at)
        try:
            return LeadsPass(
                journal,
                folders,
                standing={day: [*sweeps.values()] for day, sweeps in standing.items()},
                wanted=question.window,
                known=_resume(journal, folders) if resumed else None,
                now=now,
                release=lambda: _release(journal.path, lock),
            )
        except BaseException:
            _release(journal.path, lock)
            raise

    def close_abandoned(self, now: datetime) -> list[Manifest]:
        """Make sweeps of what can no longer be resumed; see :meth:`RawLeads.close_abandoned`."""
        closed: list[Manifest] = []
        for journal, lock in self._interrupted():
            if _has_ended(journal, now):
                closed += self._close(journal)
            _release(journal.path, lock)
        return closed

    def sweeps(self) -> set[str]:
        """The names of the sweeps whose passes have not ended."""
        return {
            SWEEP_PREFIX + name.removesuffix(JOURNAL_SUFFIX)
            for name in listed(self._path)
            if name.endswith(JOURNAL_SUFFIX)
        }

    def _interrupted(self) -> Iterator[tuple[Journal, BaseFileLock]]:
        """The journals that nobody holds, latest first, each with its lock held."""
        names = {name.removesuffix(LOCK_SUFFIX) for name in listed(self._path)}
        for name in sorted(names, reverse=True):
            if not name.endswith(JOURNAL_SUFFIX):
                continue
            journal_path = self._path / name
            lock = _lock_of(journal_path)
            if lock is None:
                continue
            journal = Journal.read(journal_path)
            if journal is not None:
                yield journal, lock
            else:
                _release(journal_path, lock)

    def _begin(
        self, question: Question, taken: set[str], folders: Folders, now: datetime
    ) -> tuple[Journal, BaseFileLock]:
        """A journal under a name that neither a pass nor a sweep of its days has."""
        make_folder(self._path)
        stamp = now.astimezone(UTC).strftime(STAMP)
        for attempt in count(1):
            name = stamp if attempt == 1 else f"{stamp}-{attempt}"
            path = self._path / f"{name}{JOURNAL_SUFFIX}"
            lock = _lock_of(path) if f"{SWEEP_PREFIX}{name}" not in taken else None
            if lock is None:
                continue
            journal = Journal(path, question, now)
            # Looked at under the lock: a pass that began at the same instant may just have ended.
            if path.exists() or any(
                folder.manifest_path(journal.sweep).exists() for folder in folders.values()
            ):
                _release(path, lock)
                continue
            journal.write()
            return journal, lock
        raise AssertionError

    def _close(self, journal: Journal) -> list[Manifest]:
        """Bring a pass to its end as it is: what it stored is kept, what it claims is less."""
        folders = {day: self._folder_of(day) for day in journal.question.days}
        standing = [page for page, _ in _standing(journal, folders)]
        outcome = journal.outcome
        if outcome is None or len(standing) < len(journal.pages):
            outcome = _incomplete(journal, standing)
        journal.pages = standing
        manifests = []
        if standing or outcome.complete:
            manifests = [
                store_sweep(journal, outcome, folder, replace=False) for folder in folders.values()
            ]
        clear_leftovers(journal, folders)
        journal.remove()
        return manifests


def _has_ended(journal: Journal, now: datetime) -> bool:
    """Whether a pass that nobody runs either saw all it wanted, or is too old to go on."""
    return journal.outcome is not None or not _is_recent(journal, now)


def _is_recent(journal: Journal, now: datetime) -> bool:
    return now - journal.started_at < RESUME_WITHIN


def _incomplete(journal: Journal, standing: list[JournaledPage]) -> Outcome:
    if journal.outcome is not None:
        return replace(journal.outcome, complete=False)
    return Outcome(
        complete=False,
        distinct=None,
        portal_total=next((page.total for page in standing), None),
        rounds=1,
        pages_read=len(standing),
        finished_at=max(
            (page.stored.requested_at for page in standing), default=journal.started_at
        ),
    )


def _resume(journal: Journal, folders: Folders) -> list[KnownPage]:
    """Make a journal ready to go on: without torn lines, and without pages that cannot be read."""
    standing = _standing(journal, folders)
    if len(standing) < len(journal.pages):
        journal.outcome = None
    journal.pages = [page for page, _ in standing]
    journal.write()
    return [
        KnownPage(page.stored.number, body, page.stored.requested_at, page.total)
        for page, body in standing
    ]


def _standing(journal: Journal, folders: Folders) -> list[tuple[JournaledPage, bytes]]:
    """The pages of a journal whose files can be read under every day, with their bodies."""
    bodies = {
        day: folder.readable(
            {
                page.by_day[day].file: page.by_day[day].sha256
                for page in journal.pages
                if day in page.by_day
            }
        )
        for day, folder in folders.items()
    }
    return [
        (page, bodies[day][stored.file])
        for page in journal.pages
        for day, stored in [next(iter(page.by_day.items()))]
        if all(of_day.file in bodies.get(day, {}) for day, of_day in page.by_day.items())
    ]


def _lock_of(journal_path: Path) -> BaseFileLock | None:
    """The lock of a journal, held; None if somebody else holds it."""
    lock = FileLock(
        f"{journal_path}{LOCK_SUFFIX}", mode=OWNER_ONLY_FILE, blocking=False, thread_local=False
    )
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def _release(journal_path: Path, lock: BaseFileLock) -> None:
    """Give a lock back; its file goes with the journal, and what a crash left of one."""
    if not journal_path.exists():
        for temporary in journal_path.parent.glob(f".{journal_path.name}.*.tmp"):
            temporary.unlink(missing_ok=True)
        # Removed while it is held: whoever waits for this very file finds that it has no name.
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
