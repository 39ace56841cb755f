"""Whole CRM tables, to compare before and after."""

from pathlib import Path

import duckdb

CRM_TABLES = ("leads", "call_recordings", "lead_events", "rejected_leads", "properties", "agents")
Row = tuple[object, ...]


def crm_rows(path: Path, query: str) -> list[Row]:
    """The rows of a query over a CRM file that nobody has open."""
    with duckdb.connect(str(path), read_only=True) as connection:
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
