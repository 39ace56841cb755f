"""Frames between pandas, Arrow and DuckDB, always with the same types.

Texts are Arrow-backed strings, whole numbers nullable integers, instants UTC: a column that is
missing throughout keeps its type.
"""

from contextlib import suppress
from functools import cache

import duckdb
import pandas as pd
import pyarrow as pa

FEW_THREADS: dict[str, str | bool | int | float | list[str]] = {"threads": 2}
"""How DuckDB is opened here and in the CRM.

By default it starts a thread for every core of the machine, at every opening; a day's leads, or
some weeks' of them, gain nothing from more than two.
"""


def frame_of(table: pa.Table) -> pd.DataFrame:
    """An Arrow table as a frame."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=_pandas_type)
    return frame


def table_of(frame: pd.DataFrame) -> pa.Table:
    """A frame as an Arrow table, without its index."""
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def select(sql: str, **relations: pd.DataFrame) -> pd.DataFrame:
    """Run a SELECT with each frame standing under its keyword's name, seen by this call only."""
    with _database().cursor() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, frame in relations.items():
            connection.register(name, table_of(frame))
        return frame_of(connection.sql(sql).to_arrow_table())


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """An empty database in memory; opening one takes longer than most queries."""
    database = duckdb.connect(config=FEW_THREADS)
    show_no_progress(database)
    return database


def show_no_progress(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep DuckDB from drawing progress bars.

    In a process without a script of its own it thinks that a person is looking on. In Jupyter it
    draws none where the package for it is missing, and takes no wish about it either.
    """
    with suppress(duckdb.InvalidInputException):
        connection.execute("SET enable_progress_bar = false")


def _pandas_type(type_: pa.DataType) -> object:
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return pd.StringDtype(na_value=float("nan"))
    if pa.types.is_integer(type_):
        return pd.Int64Dtype()
    if pa.types.is_timestamp(type_) and type_.tz:
        return pd.DatetimeTZDtype("us", "UTC")
    return None
