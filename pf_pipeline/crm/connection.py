"""Opening the DuckDB file: briefly, by one process at a time, never for longer than the work.

DuckDB lets one process write, and nobody else even read meanwhile. So every use opens, works and
closes behind a file lock. A program that opens the file without the lock (a notebook, the DuckDB
shell) is waited for as well.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import duckdb
from filelock import FileLock, Timeout

from pf_pipeline.crm.errors import (
    CrmAddressError,
    CrmBusyError,
    CrmDamagedError,
    CrmError,
)
from pf_pipeline.leads.frames import FEW_THREADS, show_no_progress

SCHEMA = files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
URL_PREFIX = "duckdb:///"
IN_MEMORY = ":memory:"
SCHEMAS = ("crm", "pipeline")
KNOWN_BY = {"crm": "lead_events", "pipeline": "lead_observations"}
"""A table by which each schema is found in a database that is called otherwise."""
MARKER = "pipeline.schema_marker"
FINGERPRINT = hashlib.sha256(SCHEMA.encode()).hexdigest()
TABLES = re.findall(r"^CREATE TABLE IF NOT EXISTS (\S+)", SCHEMA, re.MULTILINE)
PROBE = " ".join(
    [
        f"SELECT made_of FROM {MARKER}",  # noqa: S608 - names of our own
        *(f"LEFT JOIN {table} AS t{number} ON FALSE" for number, table in enumerate(TABLES)),
    ]
)
"""Tells what schema the tables were completed to, and fails if one of them is missing since."""

SESSION = """
SET TimeZone = 'UTC';
-- Up to so many leads are looked up by the indexes, and not by reading whole tables.
SET dynamic_or_filter_threshold = 2000;
"""

CONFIG = FEW_THREADS | {
    # What is committed goes into the file at once: left to the closing, it is written twice.
    "checkpoint_threshold": "1B"
}

NOTHING = '"/"'
"""A database of no file, whose name no file can have."""
ATTACHED = """
SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name <> '/'
"""
_idle_instances: dict[Path, duckdb.DuckDBPyConnection] = {}
"""The last instance that was used, by the file that it was made for."""
Opened = TypeVar("Opened")

LOCK_MESSAGES = ("Could not set lock", "used by another process")
"""How DuckDB says that another program has the file open, on POSIX systems and on Windows."""
OPEN_HERE_MESSAGE = "Unique file handle conflict"
"""How it says that this program has it open already, in another instance of DuckDB."""
DAMAGE_MESSAGES = ("not a valid duckdb database", "corrupt", "checksum")
"""How DuckDB says that a file is damaged, and not only of another version or not to be read."""
RETRY_SECONDS = 0.02
"""How often one who waits looks whether the CRM is free; the receiver leaves gaps of more."""


@contextmanager
def open_database(location: str, lock_timeout: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the CRM, with its tables in place, and close it again whatever happens.

    The name ``crm.leads`` works in every file. DuckDB names a database after its file: in one
    called ``crm.duckdb`` a schema ``crm`` would make every ``crm.leads`` ambiguous, so there the
    tables stand in the database's main schema. The same holds for ``pipeline``.

    Args:
        location: ``duckdb:///path``.
        lock_timeout: Seconds to wait for other users of the file.

    Raises:
        CrmError: The location is of an unknown kind, the file is held by others for too long, or
            it is no DuckDB database.
    """
    path = database_path(location)
    deadline = time.monotonic() + lock_timeout
    with held(path, lock_timeout), _attached(path, deadline) as connection:
        try:
            _prepare(connection, path)
        except duckdb.Error as error:
            raise CrmError(_why_not(path, error)) from None
        yield connection


@contextmanager
def held(path: Path, lock_timeout: float) -> Iterator[None]:
    """Hold a CRM's lock, whether or not the file stands: nobody else of this project opens it.

    Raises:
        CrmBusyError: Others hold it for too long.
        CrmError: There can be no such file.
    """
    lock = FileLock(lock_file(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=lock_timeout, poll_interval=RETRY_SECONDS)
    except Timeout:
        raise CrmBusyError(
            f"Another run held the CRM {path} for more than {lock_timeout:g} s: try again, or "
            "raise PF_LOCK_TIMEOUT_SECONDS."
        ) from None
    except OSError as error:
        raise CrmError(f"The CRM {path} cannot be opened: {error.strerror}.") from None
    try:
        yield
    finally:
        lock.release()


def lock_file(path: Path) -> Path:
    """The file whose lock a CRM's users take in turn: one for the file and for links to it."""
    file = path.resolve()
    return file.with_name(f"{file.name}.lock")


def database_path(location: str) -> Path:
    """The file behind a ``duckdb:///`` address.

    Raises:
        CrmAddressError: The address is of another kind.
    """
    path = location.removeprefix(URL_PREFIX)
    if path == location or path.strip() in {"", IN_MEMORY} or not path.isprintable():
        kind = location.partition(":")[0]  # the rest may hold a password
        raise CrmAddressError(
            "The setting PF_CRM_URL must look like duckdb:///data/crm.duckdb, with the name of a "
            f"file after three slashes, but it begins with '{kind}'."
        )
    return Path(path)


def connect(path: Path, deadline: float | None = None) -> duckdb.DuckDBPyConnection:
    """Open a file whose lock is held.

    Args:
        path: The file.
        deadline: On the monotonic clock: so long other programs are waited for.

    Raises:
        CrmBusyError: Another program has it open.
        CrmDamagedError: It is damaged.
        CrmError: It cannot be opened.
    """
    return _once_free(path, deadline, lambda: duckdb.connect(str(path), config=CONFIG))


@contextmanager
def _attached(path: Path, deadline: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file as :func:`connect` does, in an instance of DuckDB that is kept for the next time.

    Starting and ending an instance takes 20 ms, attaching a file to one a tenth of that: for a
    lead that is waiting it makes a difference. Settings that somebody makes globally stay with it.
    """
    file = path.resolve()  # DuckDB takes the database's name from the file, not from a link to it
    instance = _idle_instances.pop(file, None) or _new_instance(file)
    address = str(file).replace("'", "''")
    try:
        with instance.cursor() as connection:
            _once_free(path, deadline, lambda: connection.execute(f"ATTACH '{address}'"))
            ((name,),) = connection.execute(ATTACHED).fetchall()
            name = name.replace('"', '""')
            connection.execute(f'USE "{name}".main')
            yield connection
        # After the closing of the connection: what was not committed, or not read, is gone.
        instance.execute(f'DETACH "{name}"')
    except BaseException:
        instance.close()  # it may be interrupted or invalid; without it the file is free
        raise
    for other in [*_idle_instances]:
        _idle_instances.pop(other, instance).close()
    _idle_instances[file] = instance


def _new_instance(file: Path) -> duckdb.DuckDBPyConnection:
    # What does not fit into memory stands beside the file, as it would without us.
    instance = duckdb.connect(config=CONFIG | {"temp_directory": f"{file}.tmp"})
    # Out of the way of a file called memory.duckdb.
    instance.execute(f"ATTACH ':memory:' AS {NOTHING}; USE {NOTHING}.main; DETACH memory")
    return instance


def _once_free(path: Path, deadline: float | None, open_file: Callable[[], Opened]) -> Opened:
    while True:
        try:
            return open_file()
        except duckdb.Error as error:
            if any(message in str(error).lower() for message in DAMAGE_MESSAGES):
                raise CrmDamagedError(_why_not(path, error)) from None
            if not _is_locked(error):
                raise CrmError(_why_not(path, error)) from None
            if deadline is None or time.monotonic() > deadline:
                raise CrmBusyError(_why_not(path, error)) from None
            time.sleep(RETRY_SECONDS)


def home_of(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> str:
    """The schema in which the tables of ``crm`` or ``pipeline`` stand in an attached database.

    Raises:
        CrmError: It has no such tables.
    """
    found = connection.execute(
        "SELECT schema_name FROM duckdb_tables() WHERE database_name = ? AND table_name = ?",
        [database, KNOWN_BY[schema]],
    ).fetchall()
    if not found:
        raise CrmError(f"The CRM that is to be replaced has no table {schema}.{KNOWN_BY[schema]}.")
    return str(found[0][0])


def _is_locked(error: duckdb.Error) -> bool:
    return any(message in str(error) for message in (*LOCK_MESSAGES, OPEN_HERE_MESSAGE))


def _why_not(path: Path, error: duckdb.Error) -> str:
    if OPEN_HERE_MESSAGE in str(error):
        return f"The CRM {path} is open elsewhere in this program: close it there first."
    if _is_locked(error):
        return f"The CRM {path} is open in another program: close it there (a notebook?)."
    reason = str(error).partition("\n")[0].removeprefix("IO Error: ").rstrip("!.")
    return f"The CRM {path} cannot be opened: {reason}."


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(SESSION)
    show_no_progress(connection)
    with suppress(duckdb.CatalogException, duckdb.BinderException):
        made_of = connection.execute(PROBE).fetchall()
        if made_of == [(FINGERPRINT,)]:
            return
    _check_home(connection, path)
    (name,) = connection.execute("SELECT current_database()").fetchall()[0]
    for schema in SCHEMAS:
        if name.lower() != schema:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.execute(SCHEMA)
    connection.execute(f"CREATE OR REPLACE TABLE {MARKER} AS SELECT ? AS made_of", [FINGERPRINT])


def _check_home(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    (found,) = connection.execute(
        """
        SELECT
            current_database() AS name,
            list(schema_name) FILTER (contains(sql, 'assignment_rule')) AS homes_of_leads
        FROM duckdb_tables()
        WHERE database_name = current_database() AND table_name = 'leads'
        """
    ).fetchall()
    name, homes_of_leads = found
    home = "main" if name.lower() == SCHEMAS[0] else SCHEMAS[0]
    if homes_of_leads and home not in homes_of_leads:
        raise CrmError(
            f"The CRM {path} had another file name when it was made, and DuckDB would not find "
            "its tables under this one: give the file its former name."
        )
