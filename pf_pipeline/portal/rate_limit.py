"""One request budget for the whole machine, shared by threads and processes (law 6).

The portal counts requests per client: 650 a minute, tokens 60 a minute (contract: limits). What
has been sent is therefore kept in one SQLite file that every process of the machine writes to.
Waiting for a failed request to be repeated does not belong here: see ``retries``.
"""

import sqlite3
import threading
import time
from pathlib import Path

from filelock import FileLock

from pf_pipeline.portal.errors import PermanentPortalError
from pf_pipeline.portal.stopping import Stop

REQUESTS_PER_MINUTE = 650
"""Requests a minute for everything but tokens (contract: limits)."""

TOKENS_PER_MINUTE = 60
"""Tokens a minute (contract: limits)."""

_BUSY_SECONDS = 30.0
# A request reaches the portal a moment after it was let through here, and that moment varies: a
# window 1.5 % longer than the portal's keeps the portal's own count below its limit.
_SAFETY = 1.015

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    budget TEXT NOT NULL,
    number INTEGER NOT NULL,
    booked_at REAL NOT NULL,  -- time.monotonic(): one clock for every process of the machine
    goes_at REAL NOT NULL,
    PRIMARY KEY (budget, number)
) WITHOUT ROWID
"""


class RequestBudget:
    """Lets through at most a fixed number of requests in any sliding minute.

    Requests are numbered, and each books the instant at which it goes: number ``n`` a minute after
    number ``n - per_minute``, or now. That is one look-up by key however large the budget is, and
    whoever asked first goes first: no process starves another.
    """

    def __init__(
        self, path: Path, name: str, per_minute: int, *, period_seconds: float = 60.0
    ) -> None:
        """Open, or create, the budget.

        Args:
            path: The SQLite file, on a local disk; all processes name the same one.
            name: Which budget in that file; budgets of different names do not share.
            per_minute: Requests that may go out in one period.
            period_seconds: The length of the sliding window; other than 60 only in tests.

        Raises:
            PermanentPortalError: The file cannot be opened or is not a budget.
        """
        self._path = path
        self._name = name
        self._limit = per_minute
        self._window = period_seconds * _SAFETY
        self._thread_lock = threading.Lock()
        self._closed = Stop()
        self._connection = _open(path)

    def acquire(self, stop: Stop | None = None) -> None:
        """Count one more request, and wait until it may go.

        Args:
            stop: Ends the wait; None waits until the budget is closed.

        Raises:
            PermanentPortalError: The file was damaged or stays locked.
            StoppedError: The wait was ended; the request stays counted.
        """
        stop = stop or self._closed
        stop.check()
        try:
            with self._thread_lock, self._connection:
                # The write lock is taken before the first read: two processes must not both see
                # the last free place.
                self._connection.execute("BEGIN IMMEDIATE")
                seconds = self._book(time.monotonic())
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from None
        if seconds > 0:
            stop.pause(seconds)

    def close(self) -> None:
        """End the waits and close the file; other processes go on with what was counted."""
        self._closed.set()
        with self._thread_lock:
            self._connection.close()

    def _book(self, now: float) -> float:
        """Book the next place and return the seconds until it."""
        execute = self._connection.execute
        last = execute(
            "SELECT number, booked_at, goes_at FROM requests"
            " WHERE budget = ? ORDER BY number DESC LIMIT 1",
            (self._name,),
        ).fetchone()
        if last is not None and last[1] > now:
            # The monotonic clock starts again with the machine: these are from before a restart.
            execute("DELETE FROM requests WHERE budget = ?", (self._name,))
            last = None
        number, earliest = (1, now) if last is None else (last[0] + 1, max(now, last[2]))
        rival = execute(
            "SELECT goes_at FROM requests WHERE budget = ? AND number = ?",
            (self._name, number - self._limit),
        ).fetchone()
        goes_at = earliest if rival is None else max(earliest, rival[0] + self._window)
        execute("INSERT INTO requests VALUES (?, ?, ?, ?)", (self._name, number, now, goes_at))
        # Only what is old as well: another process may have a larger limit for this budget.
        execute(
            "DELETE FROM requests WHERE budget = ? AND number <= ? AND goes_at <= ?",
            (self._name, number - self._limit, now - self._window),
        )
        return float(goes_at - now)


def _open(path: Path) -> sqlite3.Connection:
    connection: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite answers "locked" at once, without waiting, when two processes turn the write-ahead
        # log on at the same instant.
        with FileLock(f"{path}.lock", timeout=_BUSY_SECONDS):
            connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
    except (OSError, sqlite3.Error) as error:
        if connection is not None:
            connection.close()
        raise _unusable(path, error) from None
    return connection


def _unusable(path: Path, error: Exception) -> PermanentPortalError:
    return PermanentPortalError(
        f"The request budget in {path} cannot be used ({error}): "
        "make its folder writable, or delete the file."
    )
