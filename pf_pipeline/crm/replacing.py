"""Putting a CRM that was made anew in the place of the old one.

Everything happens under the old one's file lock: nobody writes to either meanwhile.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pf_pipeline.crm.connection import SESSION, connect, home_of
from pf_pipeline.crm.errors import CrmError
from pf_pipeline.crm.statements import carrying
from pf_pipeline.leads.frames import show_no_progress

OLD = "the_old_crm"
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
def beside(new: Path, old: Path, patience: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a new CRM with the old one, read only, attached to it.

    Args:
        new: The new one's file.
        old: The old one's, whose lock is held.
        patience: Seconds to wait for other programs that have it open.

    Raises:
        CrmError: One of them cannot be opened, or is damaged.
    """
    deadline = time.monotonic() + patience
    connect(old, deadline).close()  # waits, and brings what a crash left in its log into the file
    address = str(old).replace("'", "''")
    with closing(connect(new, deadline)) as connection:
        try:
            connection.execute(SESSION)
            show_no_progress(connection)
            connection.execute(f"ATTACH '{address}' AS {OLD} (READ_ONLY)")
            yield connection
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise CrmError(
                f"The CRM {old} cannot be compared with the new one and stays as it is: {reason}."
            ) from None


def own_additions(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables, views and columns in the old CRM that are not the pipeline's, and would be lost.

    Args:
        connection: From :func:`beside`.
    """
    found = connection.execute(
        """
        WITH columns AS (
            SELECT database_name = $old AS is_old, table_name, column_name
            FROM duckdb_columns()
            WHERE NOT internal AND database_name IN ($old, current_database())
        )
        SELECT DISTINCT
            CASE
                WHEN table_name IN (SELECT table_name FROM columns WHERE NOT is_old)
                    THEN table_name || '.' || column_name
                ELSE table_name
            END
        FROM columns
        ANTI JOIN (SELECT * FROM columns WHERE NOT is_old) AS ours USING (table_name, column_name)
        WHERE is_old AND table_name NOT IN ('properties', 'agents')
        ORDER BY 1
        """,
        {"old": OLD},
    ).fetchall()
    return [name for (name,) in found]


def take_over_reference_tables(
    connection: duckdb.DuckDBPyConnection, *, properties: bool, agents: bool
) -> None:
    """Copy properties or agents as the old CRM holds them.

    Args:
        connection: From :func:`beside`.
        properties: Whether to copy the properties.
        agents: Whether to copy the agents.
    """
    home = home_of(connection, OLD, "crm")
    for table, wanted in (("properties", properties), ("agents", agents)):
        if wanted:
            connection.execute(
                f"CREATE OR REPLACE TABLE crm.{table} AS SELECT * FROM {OLD}.{home}.{table}"  # noqa: S608
            )


def carry_over(connection: duckdb.DuckDBPyConnection, *, assign_anew: bool) -> int:
    """Carry people's decisions over, and assignments whose inputs are what they were.

    Args:
        connection: From :func:`beside`.
        assign_anew: Only people's decisions: the rules decide again for all others.

    Returns:
        How many leads keep the agent, or the want of one, of the old CRM.
    """
    names = {"old": f"{OLD}.{home_of(connection, OLD, 'crm')}"}
    names["old_pipeline"] = f"{OLD}.{home_of(connection, OLD, 'pipeline')}"
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
        old_table = f"{OLD}.{home_of(connection, OLD, schema)}.{name}"
        sql = carrying.COMPARE.format(key=key, old_table=old_table, new_table=table)
        found.append(TableDifference(table, *connection.execute(sql).fetchall()[0]))
    return found


def put_in_place(new: Path, old: Path) -> None:
    """Rename a new CRM over the old one, so that a crash leaves the one or the other, whole.

    Flushing the folder is for the caller: before that, a power cut may bring the old one back.

    Args:
        new: Closed, and on the same file system.
        old: Locked by :func:`~pf_pipeline.crm.connection.held`; it need not stand.

    Raises:
        CrmError: Something is still to be written to one of them.
    """
    for path in (new, old):
        if path.exists() and _log_of(path).exists():
            with closing(connect(path)) as connection:
                connection.execute("CHECKPOINT")
        if _log_of(path).exists():
            raise CrmError(f"The CRM {path} has changes in {_log_of(path)} that cannot be written.")
    if old.exists():
        shutil.copymode(old, new)
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    new.replace(old)


def put_aside(damaged: Path, stamp: str) -> Path:
    """Give a CRM that cannot be opened another name; the file stays until the new one replaces it.

    Returns:
        The other name.
    """
    aside = damaged.with_name(f"{damaged.name}.damaged-{stamp}")
    log = _log_of(damaged)
    if log.exists():  # first, lest it be read as that of another file
        log.replace(_log_of(aside))
    os.link(damaged, aside)
    return aside


def _log_of(path: Path) -> Path:
    """DuckDB's log of what is not in its file yet."""
    return path.with_name(f"{path.name}.wal")
