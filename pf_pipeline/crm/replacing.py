"""Putting a CRM that was made anew in the place of the old one.

Everything happens under the old one's file lock: nobody writes to either meanwhile.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pf_pipeline.crm.connection import SESSION, connect, held, home_of
from pf_pipeline.crm.errors import CrmError
from pf_pipeline.crm.statements import carrying

LEAD_KEY = "stored.lead_id"
EVERY_ROW = "stored::VARCHAR || row_number() OVER (PARTITION BY stored::VARCHAR)"
KEYS = {
    "crm.leads": LEAD_KEY,
    "crm.call_recordings": LEAD_KEY,
    "crm.lead_events": "stored.lead_id || '/' || stored.kind || '/' || stored.value",
    "crm.rejected_leads": EVERY_ROW,
    "crm.properties": EVERY_ROW,
    "crm.agents": EVERY_ROW,
    "pipeline.lead_observations": "stored.lead_id || '/' || stored.observed_by || '/' "
    "|| stored.content_id",
    "pipeline.given_agents": LEAD_KEY,
    "pipeline.portal_users": EVERY_ROW,
    "pipeline.portal_listings": EVERY_ROW,
}
"""The tables that are compared, and what makes a row of each the same row."""


@dataclass(frozen=True)
class TableDifference:
    """How a table of the new CRM differs from the old one's.

    Attributes:
        table: Its name.
        before: Rows in the old one.
        after: Rows in the new one.
        removed: Rows that only the old one has.
        added: Rows that only the new one has.
        changed: Rows that both have, with different contents.
    """

    table: str
    before: int
    after: int
    removed: int
    added: int
    changed: int

    @property
    def is_equal(self) -> bool:
        """Whether they are equal row for row."""
        return not (self.removed or self.added or self.changed)


@contextmanager
def beside(new: Path, old: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a new CRM with the old one, read only, attached to it as ``old``.

    Raises:
        CrmError: One of them cannot be opened.
    """
    with closing(connect(new)) as connection:
        connection.execute(SESSION)
        try:
            connection.execute(
                f"ATTACH '{str(old).replace(chr(39), chr(39) * 2)}' AS old (READ_ONLY)"
            )
        except duckdb.Error as error:
            raise CrmError(f"The CRM {old} cannot be read: {str(error).splitlines()[0]}") from None
        yield connection


def carry_over(connection: duckdb.DuckDBPyConnection, *, assign_anew: bool) -> int:
    """Carry people's decisions over, and assignments whose inputs are what they were.

    Args:
        connection: From :func:`beside`.
        assign_anew: Only people's decisions: the rules decide again for all others.

    Returns:
        How many leads keep the agent, or the want of one, of the old CRM.
    """
    names = {"old": f"old.{home_of(connection, 'old', 'crm')}"}
    names["old_pipeline"] = f"old.{home_of(connection, 'old', 'pipeline')}"
    connection.execute("BEGIN")
    connection.execute(carrying.CARRIED.format(**names), {"assign_anew": assign_anew})
    for step in carrying.STEPS:
        connection.execute(step.format(**names))
    connection.execute("COMMIT")
    return int(connection.execute("SELECT count(*) FROM carried").fetchall()[0][0])


def differences(connection: duckdb.DuckDBPyConnection) -> list[TableDifference]:
    """Compare all tables, those of the design and those behind them.

    Args:
        connection: From :func:`beside`.
    """
    found = []
    for table, key in KEYS.items():
        schema, _, name = table.partition(".")
        old_table = f"old.{home_of(connection, 'old', schema)}.{name}"
        sql = carrying.COMPARE.format(key=key, old_table=old_table, new_table=table)
        found.append(TableDifference(table, *connection.execute(sql).fetchall()[0]))
    return found


def put_in_place(new: Path, old: Path) -> None:
    """Rename a new CRM over the old one, so that a crash leaves the one or the other, whole.

    Args:
        new: Closed, and on the same file system.
        old: Locked by :func:`held`; it need not stand.

    Raises:
        CrmError: Something is still to be written to one of them.
    """
    for path in (new, old):
        if path.exists() and _log_of(path).exists():
            with closing(connect(path)) as connection:
                connection.execute("CHECKPOINT")
        if _log_of(path).exists():
            raise CrmError(f"The CRM {path} has changes in {_log_of(path)} that cannot be written.")
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    new.replace(old)
    flush(old.parent)


def put_aside(damaged: Path, stamp: str) -> Path:
    """Rename a CRM that cannot be opened; returns what it is called now."""
    aside = damaged.with_name(f"{damaged.name}.damaged-{stamp}")
    for path, name in ((damaged, aside), (_log_of(damaged), _log_of(aside))):
        if path.exists():
            path.replace(name)
    return aside


def flush(folder: Path) -> None:
    """Make a folder's renames survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _log_of(path: Path) -> Path:
    """DuckDB's log of what is not in its file yet."""
    return path.with_name(f"{path.name}.wal")


__all__ = [
    "TableDifference",
    "beside",
    "carry_over",
    "differences",
    "held",
    "put_aside",
    "put_in_place",
]
