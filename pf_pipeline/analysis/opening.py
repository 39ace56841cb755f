"""Opening the CRM to read it: for one question, beside other readers, never before a writer.

DuckDB lets several processes read, or one write. A reader passes the writers' file lock for the
moment of opening only: readers then read at the same time, while a writer that waits behind the
lock is overtaken by nobody and gets the file as soon as those who read are done.
"""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from pf_pipeline.analysis.errors import QueryError
from pf_pipeline.crm.connection import LOCK_MESSAGES, lock_file

READER_RETRY_SECONDS = 0.01
_one_at_a_time = threading.Lock()
"""Closing a file lets go of all locks that this process has on it, also those of other threads."""


@contextmanager
def attached(connection: duckdb.DuckDBPyConnection, path: Path, timeout: float) -> Iterator[str]:
    """Attach the CRM read-only, and let it go again.

    Args:
        connection: An empty database in memory.
        path: The CRM's file.
        timeout: Seconds to wait for a load.

    Yields:
        The name under which the CRM stands in the database: one that nobody can guess.

    Raises:
        QueryError: There is no CRM, it is held for too long, or it is no DuckDB database.
    """
    deadline = time.monotonic() + timeout
    if not path.is_file():
        raise QueryError(f"There is no CRM {path} yet: load leads first, for example by make demo.")
    if not _one_at_a_time.acquire(timeout=timeout):
        raise QueryError(_held(path, timeout))
    try:
        alias = f"source_{secrets.token_hex(8)}"
        with _turnstile(path, timeout):
            _attach(connection, path, alias, deadline, timeout)
        yield alias
    finally:
        connection.close()
        _one_at_a_time.release()


@contextmanager
def _turnstile(path: Path, timeout: float) -> Iterator[None]:
    lock = FileLock(lock_file(path))
    try:
        lock.acquire(timeout=timeout, poll_interval=READER_RETRY_SECONDS)
    except Timeout:
        raise QueryError(_held(path, timeout)) from None
    except OSError:
        # Somebody who may read the CRM but not write beside it: DuckDB's own lock has to do.
        with nullcontext():
            yield
        return
    try:
        yield
    finally:
        lock.release()


def _attach(
    connection: duckdb.DuckDBPyConnection, path: Path, alias: str, deadline: float, timeout: float
) -> None:
    quoted = str(path).replace("'", "''")
    while True:
        try:
            connection.execute(f"ATTACH '{quoted}' AS {alias} (READ_ONLY)")
        except duckdb.Error as error:
            if not any(message in str(error) for message in LOCK_MESSAGES):
                reason = str(error).partition("\n")[0].partition(": ")[2].rstrip("!. ")
                reason = reason.replace(alias, "it")
                raise QueryError(f"The CRM {path} cannot be read: {reason}.") from None
            if time.monotonic() > deadline:
                raise QueryError(_held(path, timeout)) from None
            time.sleep(READER_RETRY_SECONDS)
        else:
            return


def _held(path: Path, timeout: float) -> str:
    return (
        f"The CRM {path} was being written to for more than {timeout:g} s: try again, or raise "
        "PF_LOCK_TIMEOUT_SECONDS."
    )
