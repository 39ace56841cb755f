"""The CRM warehouse: what can be done with it, each a whole transaction.

Open it with :func:`open_crm`, work, and let it close: nobody else can read it meanwhile.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pandas as pd
import pyarrow as pa

from pf_pipeline.crm import statements
from pf_pipeline.crm.connection import open_database
from pf_pipeline.leads.frames import frame_of, table_of
from pf_pipeline.leads.references import normalise_references


@dataclass(frozen=True)
class Loaded:
    """What a load changed.

    Attributes:
        inserted: Rows that are new.
        updated: Rows that changed.
        unchanged: Rows that were already so.
    """

    inserted: int
    updated: int
    unchanged: int

    def __add__(self, other: "Loaded") -> "Loaded":
        return Loaded(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
        )


@contextmanager
def open_crm(location: str, *, lock_timeout: float = 60.0) -> Iterator["Warehouse"]:
    """Open the CRM, create or complete its tables, and close it whatever happens.

    Args:
        location: ``duckdb:///path``.
        lock_timeout: Seconds to wait for other users of the file.

    Raises:
        CrmError: It cannot be opened; one sentence says why.
    """
    with open_database(location, lock_timeout) as connection:
        yield Warehouse(connection)


class Warehouse:
    """An open CRM."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Run a SELECT."""
        return frame_of(self._connection.sql(sql, params=list(parameters)).to_arrow_table())

    def properties(self) -> pd.DataFrame:
        """The listings, with ``reference_key``, the form that the assignment compares."""
        frame = self.query("SELECT * FROM crm.properties WHERE internal_ref IS NOT NULL")
        return frame.assign(reference_key=normalise_references(frame["internal_ref"]))

    def agents(self) -> pd.DataFrame:
        """The people; whoever is not said to be inactive is active."""
        return self.query(
            """
            SELECT * REPLACE (coalesce(active, TRUE) AS active)
            FROM crm.agents
            WHERE agent_id IS NOT NULL
            """
        )

    def replace_properties(self, frame: pd.DataFrame) -> bool:
        """Put other listings in the place of all; says whether anything changed."""
        return self._replace("properties", frame)

    def replace_agents(self, frame: pd.DataFrame) -> bool:
        """Put other people in the place of all; says whether anything changed."""
        return self._replace("agents", frame)

    def load_leads(
        self, observations: pd.DataFrame, rejected: pd.DataFrame, *, days: Sequence[str]
    ) -> Loaded:
        """Merge the observations of some days into the leads, and keep the days' rejects.

        Idempotent: the same observations again, in whatever order and number, change nothing.
        Rejects that are no longer among a day's are removed, because they were settled.

        Args:
            observations: Columns of :class:`pf_pipeline.leads.schema.Observation`.
            rejected: All polled rejects of the days, columns
                :data:`pf_pipeline.leads.observing.REJECT_COLUMNS`.
            days: The partition keys.
        """
        with self._transaction(
            incoming=table_of(observations), rejected=table_of(rejected), **self._reference_data()
        ) as connection:
            connection.execute(statements.KEEP_OBSERVATIONS)
            connection.execute(statements.AFFECTED_OBSERVATIONS)
            connection.execute(statements.ASSIGN)
            connection.execute(statements.DECIDE)
            actions = connection.execute(statements.UPSERT_LEADS).fetchall()
            connection.execute(statements.KEEP_EVENTS)
            connection.execute(statements.REMOVE_SETTLED_REJECTS, {"days": list(days)})
            connection.execute(statements.ADD_NEW_REJECTS)
        return _loaded(actions, observations["lead_id"].nunique())

    def load_call_recordings(self, lead_ids: pd.Series) -> Loaded:
        """Bring the recordings of these leads up to what was observed of them."""
        wanted = table_of(pd.DataFrame({"lead_id": lead_ids.drop_duplicates()}))
        with self._transaction(wanted=wanted) as connection:
            connection.execute(statements.CURRENT_RECORDINGS)
            actions = connection.execute(statements.UPSERT_RECORDINGS).fetchall()
            connection.execute(statements.KEEP_RECORDING_EVENTS)
            total = connection.execute("SELECT count(*) FROM recordings").fetchall()[0][0]
        return _loaded(actions, total)

    def retry_unassigned(self, now: datetime) -> int:
        """Try the assignment rules again for every lead without an agent.

        Args:
            now: Becomes the ``assigned_at`` of those that get one.

        Returns:
            How many leads got an agent.
        """
        with self._transaction(**self._reference_data()) as connection:
            connection.execute(statements.RETRY_UNASSIGNED)
            connection.execute(statements.UPDATE_RETRIED, {"now": now})
            connection.execute(statements.KEEP_RETRIED_EVENTS, {"now": now})
            connection.execute(statements.UPDATE_RETRIED_RECORDINGS)
            assigned = connection.execute("SELECT count(agent_id) FROM retried").fetchall()
        return int(assigned[0][0])

    def standing(self, lead_ids: pd.Series) -> pd.DataFrame:
        """How these leads stand: ``lead_id``, ``assignment_rule``, ``has_recording``."""
        wanted = table_of(pd.DataFrame({"lead_id": lead_ids.drop_duplicates()}))
        with self._registered(wanted=wanted):
            return self.query(
                """
                SELECT
                    leads.lead_id,
                    leads.assignment_rule,
                    recordings.lead_id IS NOT NULL AS has_recording
                FROM crm.leads AS leads
                SEMI JOIN wanted USING (lead_id)
                LEFT JOIN crm.call_recordings AS recordings USING (lead_id)
                """
            )

    def count_rejected(self, day: str) -> int:
        """How many distinct rejects of polled records the day has."""
        counted = self.query(
            """
            SELECT count(*) AS rejected
            FROM crm.rejected_leads
            WHERE received_from = 'poll' AND partition_key = ?
            """,
            [day],
        )
        return int(counted["rejected"].iloc[0])

    def _reference_data(self) -> dict[str, pa.Table]:
        return {
            "known_properties": table_of(
                self.properties()[["internal_ref", "reference_key", "agent_id"]]
            ),
            "known_agents": table_of(self.agents()),
        }

    def _replace(self, table: str, frame: pd.DataFrame) -> bool:
        """Replace a reference table, columns and rows, unless it holds just that already."""
        stored = self.query(f"SELECT * FROM crm.{table}")  # noqa: S608 - a name of our own
        if stored.columns.tolist() == frame.columns.tolist() and stored.equals(
            frame.astype(stored.dtypes)
        ):
            return False
        with self._transaction(replacement=table_of(frame)) as connection:
            connection.execute(
                f"CREATE OR REPLACE TABLE crm.{table} AS SELECT * FROM replacement"  # noqa: S608
            )
        return True

    @contextmanager
    def _transaction(self, **relations: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._registered(**relations):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _registered(self, **relations: pa.Table) -> Iterator[None]:
        for name, table in relations.items():
            self._connection.register(name, table)
        try:
            yield
        finally:
            for name in relations:
                self._connection.unregister(name)


def _loaded(actions: list[tuple[str]], total: int) -> Loaded:
    counts = Counter(action for (action,) in actions)
    inserted, updated = counts["INSERT"], counts["UPDATE"]
    return Loaded(inserted, updated, total - inserted - updated)
