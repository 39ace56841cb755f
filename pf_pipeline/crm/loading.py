"""The steps of a load, in their order, within a transaction that somebody else holds."""

from collections.abc import Sequence
from datetime import datetime

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


def load_leads(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    """Merge the relation ``incoming``; returns what became of each row that changed."""
    connection.execute(leads.SEEN_BEFORE)
    connection.execute(leads.KEEP_OBSERVATIONS)
    connection.execute(leads.AFFECTED_OBSERVATIONS)
    connection.execute(leads.NEWS)
    connection.execute(leads.ASSIGN)
    connection.execute(leads.DECIDE)
    actions: list[tuple[str]] = connection.execute(leads.UPSERT_LEADS).fetchall()
    connection.execute(leads.KEEP_GIVEN_AGENTS)
    connection.execute(events.KEEP_EVENTS)
    connection.execute(rejects.REMOVE_SETTLED_REJECTS)
    connection.execute(rejects.ADD_NEW_REJECTS)
    return actions


def load_recordings(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    """Merge the recordings of the relation ``wanted``; returns what became of each that changed."""
    connection.execute(recordings.CURRENT_RECORDINGS)
    actions: list[tuple[str]] = connection.execute(recordings.UPSERT_RECORDINGS).fetchall()
    connection.execute(recordings.KEEP_RECORDING_EVENTS)
    return actions
