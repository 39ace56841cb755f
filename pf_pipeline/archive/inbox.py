"""The durable inbox of webhook deliveries: one SQLite file, committed before anyone is answered.

Belongs here: what is stored, and when it may go again. A delivery gets a number, which only grows:
whoever reads the inbox remembers how far. Several processes use it at once: the receiver writes,
Dagster's runs archive what came.
"""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple
from uuid import uuid4

from filelock import FileLock

from pf_pipeline.archive.files import flush_folder, make_folder, open_for_owner
from pf_pipeline.leads.deliveries import Delivery

SCHEMA = files(__package__).joinpath("inbox.sql").read_text(encoding="utf-8")
VERSION = 1
ROWS_A_STATEMENT = 1_000
"""How many rows one statement takes: Python's lock is passed on at each, which costs most."""
ROWS_A_TRANSACTION = 5_000
"""How many rows one transaction may change, so that the receiver never waits for long."""
PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    # What was removed is personal data: nothing of it stays in the file's free pages.
    "secure_delete = ON",
    "cache_size = -32768",  # KiB
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LATEST = 2**62
"""Later than any delivery, in microseconds."""


class InboxError(Exception):
    """The inbox cannot be read or written; the message is one sentence."""


class InboxCounts(NamedTuple):
    """How much the inbox holds.

    Attributes:
        stored: Deliveries that are kept, each once.
        repeats: How often one of these came again.
        unarchived: Those that no archive has yet.
    """

    stored: int
    repeats: int
    unarchived: int


class Inbox:
    """The inbox of one data folder; made at the first delivery, and never by looking into it.

    Threads may share it and take turns; a thread that must not wait opens one of its own.
    """

    def __init__(self, data_dir: Path, *, patience: float = 30.0) -> None:
        """Name the inbox; nothing is opened yet.

        Args:
            data_dir: The data folder.
            patience: Seconds to wait for others who write to it.
        """
        self.path = data_dir / "inbox" / "webhooks.sqlite"
        self._patience = patience
        self._turn = RLock()
        self._open: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def store(self, batch: Sequence[tuple[str, datetime, bytes]]) -> list[bool]:
        """Keep deliveries, all or none; they survive a power cut once this returns.

        Args:
            batch: The id, the instant and the body of each.

        Returns:
            For each whether it is new; one that is not was counted.

        Raises:
            InboxError: The disk or the file fails; nothing of the batch may be acknowledged.
        """
        with self._transaction() as connection:
            known = _known(connection, [delivery_id for delivery_id, _, _ in batch])
            fresh: list[bool] = []
            rows: list[object] = []
            repeated: Counter[str] = Counter()
            for delivery_id, received_at, body in batch:
                fresh.append(delivery_id not in known)
                if fresh[-1]:
                    known.add(delivery_id)
                    rows += (delivery_id, _microseconds(received_at), body)
                else:
                    repeated[delivery_id] += 1
            step = 3 * ROWS_A_STATEMENT
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                values = ", ".join(["(?, ?, ?)"] * (len(part) // 3))
                connection.execute(
                    f"INSERT INTO deliveries (delivery_id, received_at, body) VALUES {values}",
                    part,
                )
            connection.executemany(
                "UPDATE deliveries SET repeats = repeats + ? WHERE delivery_id = ?",
                [(times, delivery_id) for delivery_id, times in repeated.items()],
            )
        return fresh

    def after(self, number: int, limit: int) -> list[Delivery]:
        """The next deliveries after a number, in the order of arrival."""
        return self._deliveries("WHERE number > ? ORDER BY number LIMIT ?", [number, limit])

    @property
    def last_number(self) -> int:
        """The number of the latest delivery; 0 if there never was one."""
        found = self._read("SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'")
        return int(found[0][0]) if found else 0

    @property
    def inbox_id(self) -> str:
        """What tells this inbox from any other, whose numbers are not this one's; empty if none."""
        found = self._read("SELECT inbox_id FROM about")
        return str(found[0][0]) if found else ""

    def unarchived(self, day: date) -> list[Delivery]:
        """The deliveries of a UTC day that no archive has yet, in the order of arrival."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        span = [_microseconds(start), _microseconds(start + timedelta(days=1))]
        return self._deliveries(
            "WHERE archived = 0 AND received_at >= ? AND received_at < ? ORDER BY number", span
        )

    def unarchived_days(self, before: datetime | None = None) -> list[date]:
        """The UTC days with deliveries that no archive has yet, oldest first.

        Args:
            before: Only those that came before an instant.
        """
        latest = LATEST if before is None else _microseconds(before)
        found = self._read(
            """
            SELECT DISTINCT date(received_at / 1000000, 'unixepoch')
            FROM deliveries WHERE archived = 0 AND received_at < ? ORDER BY 1
            """,
            [latest],
        )
        return [date.fromisoformat(day) for (day,) in found]

    def mark_archived(self, numbers: Sequence[int]) -> None:
        """Note that these deliveries stand in the archive.

        Raises:
            InboxError: It cannot be written.
        """
        for start in range(0, len(numbers), ROWS_A_TRANSACTION):
            part = [(number,) for number in numbers[start : start + ROWS_A_TRANSACTION]]
            with self._transaction() as connection:
                connection.executemany("UPDATE deliveries SET archived = 1 WHERE number = ?", part)

    def forget_archived(self, before: datetime) -> int:
        """Remove what the archive has, and what came before an instant.

        Returns:
            How many deliveries were removed.

        Raises:
            InboxError: It cannot be written.
        """
        removed = 0
        while self.path.exists():
            with self._transaction() as connection:
                count = connection.execute(
                    """
                    DELETE FROM deliveries WHERE number IN (
                        SELECT number FROM deliveries
                        WHERE archived = 1 AND received_at < ? LIMIT ?
                    )
                    """,
                    [_microseconds(before), ROWS_A_TRANSACTION],
                ).rowcount
            removed += count
            if count < ROWS_A_TRANSACTION:
                break
        return removed

    def counts(self) -> InboxCounts:
        """How much it holds."""
        found = self._read(
            """
            SELECT
                (SELECT count(*) FROM deliveries),
                (SELECT coalesce(sum(repeats), 0) FROM deliveries WHERE repeats > 0),
                (SELECT count(*) FROM deliveries WHERE archived = 0)
            """
        )
        return InboxCounts(*found[0]) if found else InboxCounts(0, 0, 0)

    def check_writable(self) -> None:
        """Write and flush a trifle.

        Raises:
            InboxError: That failed.
        """
        with self._transaction() as connection:
            connection.execute("UPDATE about SET checked_at = ?", [time.time_ns() // 1_000])

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._turn:
            if self._open is not None:
                with suppress(sqlite3.Error):
                    self._open.close()
                self._open = None

    def _deliveries(self, which: str, parameters: Sequence[object]) -> list[Delivery]:
        found = self._read(
            f"SELECT number, delivery_id, received_at, body FROM deliveries {which}", parameters
        )
        return [
            Delivery(number, delivery_id, EPOCH + received_at * MICROSECOND, body)
            for number, delivery_id, received_at, body in found
        ]

    def _read(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """What a query finds; nothing in an inbox that does not stand."""
        with self._turn, self._explained():
            if not self.path.exists():
                self.close()
                return []
            return self._connection().execute(sql, parameters).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn, self._explained():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """One sentence for whatever fails; then the file is opened anew, as it may be by then."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self.close()
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise InboxError(f"The inbox {self.path} cannot be used: {reason}.") from None

    def _connection(self) -> sqlite3.Connection:
        """The open file, opened anew if another stands in its place: what is written must stay."""
        file = _identity(self.path)
        if file is None:
            self.close()
            self._create()
            file = _identity(self.path)
        if self._open is not None and file == self._file:
            return self._open
        self.close()
        self._open, self._file = self._connect(), file
        return self._open

    def _connect(self) -> sqlite3.Connection:
        connection = _opened(self.path, self._patience)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            connection.close()
            raise InboxError(
                f"The inbox {self.path} is of another version: use the one that made it."
            )
        return connection

    def _create(self) -> None:
        """Make the file whole under another name first; of several who do, one wins."""
        make_folder(self.path.parent)
        with FileLock(f"{self.path}.lock", timeout=self._patience, mode=0o600):
            if self.path.exists():
                return
            temporary = self.path.with_name(f".{self.path.name}.{uuid4().hex}.tmp")
            open_for_owner(temporary, "wb").close()
            with closing(_opened(temporary, self._patience)) as connection:
                connection.executescript(SCHEMA)
                connection.execute("INSERT INTO about (inbox_id) VALUES (?)", [uuid4().hex])
                connection.execute(f"PRAGMA user_version = {VERSION}")
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.rename(self.path)
            flush_folder(self.path.parent)


def _opened(path: Path, patience: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        timeout=patience,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _known(connection: sqlite3.Connection, delivery_ids: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(delivery_ids), ROWS_A_STATEMENT):
        part = delivery_ids[start : start + ROWS_A_STATEMENT]
        wanted = ", ".join("?" * len(part))
        found = connection.execute(
            f"SELECT delivery_id FROM deliveries WHERE delivery_id IN ({wanted})", part
        )
        known.update(delivery_id for (delivery_id,) in found)
    return known


def _microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // MICROSECOND


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands there, whatever it is called."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
