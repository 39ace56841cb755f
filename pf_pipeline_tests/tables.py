"""Whole CRM tables, to compare before and after."""

import time
from pathlib import Path
from typing import Any

import duckdb

CRM_TABLES = ("leads", "call_recordings", "lead_events", "rejected_leads", "properties", "agents")
Row = tuple[Any, ...]
PATIENCE = 30
"""Seconds that others may take to let go of a CRM: a receiver loads into it all the time."""


def crm_rows(path: Path, query: str) -> list[Row]:
    """The rows of a query over a CRM file, once it stands and nobody else has it open."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection = duckdb.connect(str(path), read_only=True)
        except duckdb.IOException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
            continue
        with connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(query).fetchall()


def all_crm_tables(path: Path) -> dict[str, list[Row]]:
    """Every row of every CRM table, in a definite order."""
    return {
        table: crm_rows(path, f"SELECT * FROM crm.{table} ORDER BY ALL") for table in CRM_TABLES
    }


def staged_files(data_dir: Path) -> dict[str, bytes]:
    """Every staged file's bytes, by its path."""
    folder = data_dir / "staged"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}
