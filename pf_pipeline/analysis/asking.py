"""``query``: a SELECT over the CRM as a DataFrame, opened briefly and masked by default."""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from pf_pipeline.analysis.errors import QueryError
from pf_pipeline.analysis.masking import Column, check_revealed
from pf_pipeline.analysis.opening import reading
from pf_pipeline.analysis.statements import check_statement, sentence
from pf_pipeline.crm.connection import SCHEMAS, database_path
from pf_pipeline.leads.frames import frame_of
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
    with reading(path, settings.lock_timeout_seconds) as (connection, alias):
        _cover(connection, alias, path, revealed)
        connection.execute(f"SET TimeZone = '{settings.display_timezone}'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET python_enable_replacements = false")
        check_statement(connection, sql)
        with _no_longer_than(longest, connection):
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
    connection: duckdb.DuckDBPyConnection, alias: str, path: Path, revealed: Collection[str]
) -> None:
    """Put views in the place of the CRM's tables, which mask what is not revealed."""
    rows = connection.execute(
        """
        SELECT schema_name, table_name, column_name, data_type
        FROM duckdb_columns()
        WHERE database_name = ?
        ORDER BY schema_name, table_name, column_index
        """,
        [alias],
    ).fetchall()
    check_revealed(revealed, [Column(*row[1:]) for row in rows])
    for schema in SCHEMAS:
        connection.execute(f"CREATE SCHEMA {schema}")
    names = set()
    for (home, table), columns in groupby(rows, key=lambda row: (row[0], row[1])):
        # In crm.duckdb the tables of the schema crm stand in main, and likewise for the other.
        schema = path.stem.lower() if home == "main" else home
        if schema in SCHEMAS:
            names.add(f"{schema}.{table}")
            selected = ", ".join(Column(*row[1:]).expression(revealed) for row in columns)
            source = f'{alias}.{home}."{table}"'
            connection.execute(f'CREATE VIEW {schema}."{table}" AS SELECT {selected} FROM {source}')
    if "crm.leads" not in names:
        raise QueryError(f"The CRM {path} has no leads yet: load some first.")


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
