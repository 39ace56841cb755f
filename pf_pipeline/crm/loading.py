"""The steps of a load, in their order, within a transaction that somebody else holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

import duckdb
import pyarrow as pa

from pf_pipeline.crm.statements import events, leads, recordings, rejects

SETTLED = pa.schema(
    [
        ("received_from", pa.string()),
        ("partition_key", pa.string()),
        ("until", pa.timestamp("us", "UTC")),
    ]
)
"""Of which rejects all that there is up to an arrival is at hand."""


def settled_table(settled: Sequence[tuple[str, str, datetime]]) -> pa.Table:
    """Days as the relation ``settled``."""
    rows = [dict(zip(SETTLED.names, row, strict=True)) for row in settled]
    return pa.Table.from_pylist(rows, schema=SETTLED)


def run(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None = None
) -> duckdb.DuckDBPyConnection:
    """Run one statement that is parsed once a process: for a few leads that is much of the cost."""
    return connection.execute(_parsed(sql), parameters)


@cache
def _parsed(sql: str) -> duckdb.Statement:
    (statement,) = duckdb.extract_statements(sql)
    return statement


def load_leads(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    """Merge the relation ``incoming``; returns what became of each row that changed."""
    run(connection, leads.SEEN_BEFORE)
    ((all_new,),) = run(connection, leads.ALL_NEW).fetchall()
    if all_new:
        run(connection, leads.OBSERVATIONS_NEW)
        run(connection, leads.ASSIGN_NEW)
        run(connection, leads.DECIDE_NEW)
    else:
        run(connection, leads.AFFECTED_OBSERVATIONS)
        run(connection, leads.NEWS)
        run(connection, leads.ASSIGN)
        run(connection, leads.DECIDE)
    run(connection, leads.KEEP_OBSERVATIONS)
    actions: list[tuple[str]] = run(connection, leads.UPSERT_LEADS).fetchall()
    run(connection, leads.KEEP_GIVEN_AGENTS)
    if all_new:
        run(connection, events.ADD_EVENTS_NEW)
    else:
        _keep_events(connection)
    return actions


def _keep_events(connection: duckdb.DuckDBPyConnection) -> None:
    run(connection, events.CHANGES)
    ((added, moved, removed),) = run(connection, events.NEEDED).fetchall()
    if moved:
        run(connection, events.MOVE_EVENTS)
    if removed:
        run(connection, events.REMOVE_EVENTS)
    if added:
        run(connection, events.ADD_EVENTS)


def settle_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove the rejects of the relation ``settled`` that are not among ``rejected`` any more."""
    run(connection, rejects.REMOVE_SETTLED_REJECTS)


def keep_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    """Add what is new in the relation ``rejected``."""
    run(connection, rejects.ADD_NEW_REJECTS)


def load_recordings(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    """Merge the recordings of the relation ``wanted``; returns what became of each that changed."""
    run(connection, recordings.CURRENT_RECORDINGS)
    actions: list[tuple[str]] = run(connection, recordings.UPSERT_RECORDINGS).fetchall()
    run(connection, recordings.KEEP_RECORDING_EVENTS)
    return actions
