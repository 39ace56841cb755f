"""``query``: a SELECT over the CRM as a DataFrame, opened briefly and masked by default."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from pf_pipeline.analysis.errors import QueryError
from pf_pipeline.analysis.masking import Column, check_revealed
from pf_pipeline.analysis.opening import attached
from pf_pipeline.analysis.statements import sentence, tables_read
from pf_pipeline.crm.connection import SCHEMAS, database_path
from pf_pipeline.leads.frames import FEW_THREADS, frame_of
from pf_pipeline.settings import Settings, load_settings

LONGEST_SECONDS = 20.0
"""A query that runs for longer is ended: a load waits for it, and gives up after
``PF_LOCK_TIMEOUT_SECONDS`` (60)."""


def query(
    sql: str,
    parameters: Sequence[object] = (),
    *,
    reveal: Collection[str] = (),
    settings: Settings | None = None,
    longest: float = LONGEST_SECONDS,
) -> pd.DataFrame:
    """Ask the CRM, and let it go at once: nothing stays open behind the frame that comes back.

    The tables are called ``crm.leads`` and so on, whatever the file is called. Readers do not wait
    for each other; for a load they wait up to ``PF_LOCK_TIMEOUT_SECONDS``.

    Names, phones, emails, messages, links, and the JSON that may hold them, come out as pseudonyms
    such as ``masked-0c1f5ab2d3``: the same for equal values as long as the program runs.

    Args:
        sql: One SELECT. Within it, days and hours of instants are those of
            ``PF_DISPLAY_TIMEZONE``.
        parameters: Values for the question marks in it.
        reveal: Columns to be shown as they are: ``"phone"`` in all tables, or ``"leads.phone"``.
        settings: Where the CRM is; those of the environment and ``.env`` unless given.
        longest: Seconds that the query may run, because loads have to wait for it.

    Returns:
        A frame. Texts are strings, whole numbers ``Int64``, instants in the display time zone.

    Raises:
        QueryError: The query is wrong or no question, or the CRM is missing or held; one sentence.
        SettingsError: A setting is wrong.
    """
    settings = settings or load_settings()
    revealed = {reveal} if isinstance(reveal, str) else {*reveal}
    path = database_path(settings.crm_location)
    with duckdb.connect(config=FEW_THREADS) as connection:
        connection.execute(f"SET TimeZone = '{settings.display_timezone}'")
        connection.execute("SET python_enable_replacements = false")
        read = tables_read(connection, sql)
        with (
            attached(connection, path, settings.lock_timeout_seconds) as alias,
            _no_longer_than(longest, connection),
        ):
            _cover(connection, alias, path, read, revealed)
            connection.execute("SET enable_external_access = false")
            try:
                answer = connection.sql(sql, params=list(parameters)).to_arrow_table()
            except duckdb.InterruptException:
                raise QueryError(
                    f"The query took more than {longest:g} s, and loads have to wait for it: ask "
                    "for less at once."
                ) from None
            except duckdb.Error as error:
                raise QueryError(sentence(error).replace(alias, "crm")) from None
    return _as_frame(answer, settings.display_timezone)


def _cover(
    connection: duckdb.DuckDBPyConnection,
    alias: str,
    path: Path,
    read: Collection[str],
    revealed: Collection[str],
) -> None:
    """Put views in the place of the tables that are read, which mask what is not revealed."""
    columns = {name: _columns(connection, _place_of(name, alias, path), name) for name in read}
    if revealed or not read or not all(columns.values()):
        columns = _all_columns(connection, alias, path)
        if "crm.leads" not in columns:
            raise QueryError(f"The CRM {path} has no leads yet: load some first.")
        check_revealed(revealed, [column for each in columns.values() for column in each])
    for schema in SCHEMAS:
        connection.execute(f"CREATE SCHEMA {schema}")
    for name, its_columns in columns.items():
        selected = ", ".join(column.expression(revealed) for column in its_columns)
        source = _place_of(name, alias, path)
        connection.execute(f"CREATE VIEW {_quoted(name)} AS SELECT {selected} FROM {source}")


def _place_of(name: str, alias: str, path: Path) -> str:
    """Where a table such as ``crm.leads`` stands in the CRM's file.

    In ``crm.duckdb`` the tables of the schema ``crm`` stand in ``main``, likewise for the other.
    """
    schema, _, table = name.partition(".")
    home = "main" if path.stem.lower() == schema else schema
    return f"{alias}.{_quoted(f'{home}.{table}')}"


def _quoted(name: str) -> str:
    schema, _, table = name.partition(".")
    escaped = table.replace('"', '""')
    return f'{schema}."{escaped}"'


def _columns(connection: duckdb.DuckDBPyConnection, place: str, name: str) -> list[Column]:
    """A table's columns; none if it is not there."""
    try:
        rows = connection.execute(f"DESCRIBE {place}").fetchall()
    except duckdb.CatalogException:
        return []
    return [Column(name.partition(".")[2], *row[:2]) for row in rows]


def _all_columns(
    connection: duckdb.DuckDBPyConnection, alias: str, path: Path
) -> dict[str, list[Column]]:
    """The columns of all tables; asking DuckDB for them takes longer than most questions."""
    tables = connection.execute(
        "SELECT DISTINCT schema_name, table_name FROM duckdb_tables() WHERE database_name = ?",
        [alias],
    ).fetchall()
    names = {
        f"{path.stem.lower() if home == 'main' else home}.{table}".lower() for home, table in tables
    }
    return {
        name: _columns(connection, _place_of(name, alias, path), name)
        for name in sorted(names)
        if name.partition(".")[0] in SCHEMAS
    }


@contextmanager
def _no_longer_than(seconds: float, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _as_frame(answer: pa.Table, timezone: str) -> pd.DataFrame:
    frame = frame_of(pa.table([_plain(column) for column in answer.columns], answer.column_names))
    for position, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, pd.DatetimeTZDtype):
            frame.isetitem(position, frame.iloc[:, position].dt.tz_convert(timezone))
    return frame


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Sums come as decimals of 38 digits, with which nobody can go on reckoning.

    And texts of an answer without rows need a chunk of pandas' own type, or it cannot join them.
    """
    if not len(column) and pa.types.is_string(column.type):
        return pa.chunked_array([pa.array([], pa.large_string())])
    if not pa.types.is_decimal(column.type):
        return column
    return column.cast(pa.float64() if column.type.scale else pa.int64())
