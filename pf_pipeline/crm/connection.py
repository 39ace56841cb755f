"""Opening the DuckDB file: briefly, by one process at a time, never for longer than the work.

DuckDB lets one process write, and nobody else even read meanwhile. So every use opens, works and
closes behind a file lock. A program that opens the file without the lock (a notebook, the DuckDB
shell) is waited for as well.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from pf_pipeline.crm.errors import CrmError

SCHEMA = files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
URL_PREFIX = "duckdb:///"
CATALOG = "crm"
RETRY_SECONDS = 0.05


@contextmanager
def open_database(location: str, lock_timeout: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the CRM, with its tables in place, and close it again whatever happens.

    The name ``crm.leads`` works in every file. In one called ``crm.duckdb`` DuckDB names the
    database itself ``crm``, and a schema of that name would make every ``crm.leads`` ambiguous:
    there the tables stand in the database's main schema.

    Args:
        location: ``duckdb:///path``.
        lock_timeout: Seconds to wait for other users of the file.

    Raises:
        CrmError: The location is of an unknown kind, the file is held by others for too long, or
            it is no DuckDB database.
    """
    path = database_path(location)
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + lock_timeout
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=lock_timeout)
    except Timeout:
        raise CrmError(
            f"Another run held the CRM {path} for more than {lock_timeout:.0f} s: try again, or "
            "raise PF_LOCK_TIMEOUT_SECONDS."
        ) from None
    try:
        connection = _connect(path, deadline)
        try:
            _prepare(connection, path)
            yield connection
        finally:
            connection.close()
    finally:
        lock.release()


def database_path(location: str) -> Path:
    """The file behind a ``duckdb:///`` address.

    Raises:
        CrmError: The address is of another kind.
    """
    if not location.startswith(URL_PREFIX) or location == URL_PREFIX:
        raise CrmError(
            f"The setting PF_CRM_URL must look like duckdb:///data/crm.duckdb, "
            f"but it begins with {location.split(':', maxsplit=1)[0]}:."
        )
    return Path(location.removeprefix(URL_PREFIX))


def _connect(path: Path, deadline: float) -> duckdb.DuckDBPyConnection:
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() > deadline:
                raise CrmError(_why_not(path, error)) from None
            time.sleep(RETRY_SECONDS)


def _why_not(path: Path, error: duckdb.IOException) -> str:
    if "lock" in str(error):
        return f"The CRM {path} is open in another program: close it there (a notebook?)."
    reason = str(error).splitlines()[0].removeprefix("IO Error: ")
    return f"The CRM {path} cannot be opened: {reason}"


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    if path.stem.lower() != CATALOG:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {CATALOG}")
    connection.execute(SCHEMA)
