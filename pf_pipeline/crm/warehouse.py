"""The CRM warehouse: what can be done with it, each a whole transaction.

Open it with :func:`open_crm`, work, and let it close: nobody else can read it meanwhile.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb
import pandas as pd
import pyarrow as pa

from pf_pipeline.crm.connection import open_database
from pf_pipeline.crm.loading import (
    keep_rejects,
    load_leads,
    load_recordings,
    run,
    settle_rejects,
    settled_table,
)
from pf_pipeline.crm.lookups import lookups, reference_data
from pf_pipeline.crm.statements import arrivals, deliveries, rejects, retries
from pf_pipeline.leads.assignment import ReferenceData
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

    def query(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> pd.DataFrame:
        """Run a SELECT."""
        values = parameters if isinstance(parameters, Mapping) else list(parameters)
        return frame_of(self._connection.sql(sql, params=values).to_arrow_table())

    def properties(self) -> pd.DataFrame:
        """The listings, with ``reference_key``, the form that the assignment compares."""
        frame = self.query(
            """
            SELECT * REPLACE (internal_ref::VARCHAR AS internal_ref, agent_id::VARCHAR AS agent_id)
            FROM crm.properties
            WHERE internal_ref IS NOT NULL
            """
        )
        return frame.assign(reference_key=normalise_references(frame["internal_ref"]))

    def agents(self) -> pd.DataFrame:
        """The people; whoever is not said to be inactive is active."""
        return self.query(
            """
            SELECT * REPLACE (
                agent_id::VARCHAR AS agent_id,
                portal_user_id::VARCHAR AS portal_user_id,
                portal_profile_id::VARCHAR AS portal_profile_id,
                coalesce(active::BOOLEAN, TRUE) AS active
            )
            FROM crm.agents
            WHERE agent_id IS NOT NULL
            """
        )

    def reference_data(self) -> ReferenceData:
        """What the assignment rules decide by, as the CRM holds it."""
        return reference_data(self._connection)

    def replace_properties(self, frame: pd.DataFrame) -> bool:
        """Put other listings in the place of all; says whether anything changed."""
        return self._replace("crm.properties", frame)

    def replace_agents(self, frame: pd.DataFrame) -> bool:
        """Put other people in the place of all; says whether anything changed."""
        return self._replace("crm.agents", frame)

    def replace_portal_users(self, frame: pd.DataFrame) -> bool:
        """Put other people of the portal in the place of all; says whether anything changed."""
        return self._replace("pipeline.portal_users", frame)

    def replace_portal_listings(self, frame: pd.DataFrame) -> bool:
        """Put other listings of the portal in the place of all; says whether anything changed."""
        return self._replace("pipeline.portal_listings", frame)

    def load_leads(
        self,
        observations: pd.DataFrame,
        rejected: pd.DataFrame,
        *,
        days: Sequence[str],
        deliveries_until: Mapping[str, datetime] | None = None,
    ) -> Loaded:
        """Merge the observations of some days into the leads, and keep the days' rejects.

        Idempotent: the same observations again, in whatever order and number, change nothing.
        Rejects that are no longer among a day's are removed, because they were settled.

        Args:
            observations: Columns of :class:`pf_pipeline.leads.schema.Observation`.
            rejected: All rejects of the days, columns
                :data:`pf_pipeline.leads.observing.REJECT_COLUMNS`.
            days: The partition keys.
            deliveries_until: For the days with webhook deliveries, by partition key: when the
                last one arrived that is among what is loaded.
        """
        settled = [("poll", day, datetime.max.replace(tzinfo=UTC)) for day in days]
        settled += [("webhook", *until) for until in (deliveries_until or {}).items()]
        with self._loading(observations, rejected, settled) as connection:
            actions = load_leads(connection)
            settle_rejects(connection)
            keep_rejects(connection)
        return _loaded(actions, observations["lead_id"].nunique())

    def load_deliveries(
        self, observations: pd.DataFrame, rejected: pd.DataFrame, *, inbox_id: str, number: int
    ) -> Loaded:
        """Merge a batch of webhook deliveries: leads, recordings, rejects, and how far that goes.

        All in one transaction: after a crash the batch is loaded, or its deliveries are still
        ahead of the cursor. Idempotent, like :meth:`load_leads`.

        Args:
            observations: As for :meth:`load_leads`.
            rejected: The rejects of the batch.
            inbox_id: The inbox in which the deliveries stand.
            number: The last one's number there.
        """
        wanted = _wanted(observations["lead_id"])
        with (
            self._registered(wanted=wanted),
            self._loading(observations, rejected, []) as connection,
        ):
            actions = load_leads(connection)
            if observations["recording_url"].notna().any():
                load_recordings(connection)
            if not rejected.empty:
                keep_rejects(connection)
            run(connection, deliveries.MOVE_CURSOR, {"inbox_id": inbox_id, "number": number})
        return _loaded(actions, observations["lead_id"].nunique())

    def move_webhook_cursor(self, inbox_id: str, number: int) -> None:
        """Note that all of an inbox up to a number is loaded; a cursor never goes back."""
        self._connection.execute(deliveries.MOVE_CURSOR, {"inbox_id": inbox_id, "number": number})

    def webhook_cursor(self, inbox_id: str) -> int:
        """The number of the last delivery of an inbox that is loaded; 0 if none is."""
        found = self._connection.execute(deliveries.CURSOR, [inbox_id]).fetchall()
        return found[0][0] if found else 0

    def load_call_recordings(self, lead_ids: pd.Series) -> Loaded:
        """Bring the recordings of these leads up to what was observed of them."""
        with self._transaction(wanted=_wanted(lead_ids)) as connection:
            actions = load_recordings(connection)
            total = connection.execute("SELECT count(*) FROM recordings").fetchall()[0][0]
        return _loaded(actions, total)

    def retry_unassigned(self, now: datetime) -> int:
        """Try the assignment rules again for every lead without an agent.

        Args:
            now: Becomes the ``assigned_at`` of those that get one.

        Returns:
            How many leads got an agent.
        """
        with self._transaction(**lookups(self._connection)) as connection:
            run(connection, retries.RETRY_UNASSIGNED)
            run(connection, retries.UPDATE_RETRIED, {"now": now})
            run(connection, retries.KEEP_RETRIED_AGENTS)
            run(connection, retries.KEEP_RETRIED_EVENTS, {"now": now})
            run(connection, retries.UPDATE_RETRIED_RECORDINGS)
            assigned = connection.execute("SELECT count(agent_id) FROM retried").fetchall()
        return int(assigned[0][0])

    def calls_without_recording(self, since: datetime) -> pd.DataFrame:
        """Calls since an instant of which no recording is known yet.

        Returns:
            ``day`` (a UTC date) and ``lead_id``, oldest first.
        """
        return self.query(
            """
            SELECT created_at::DATE AS day, lead_id
            FROM crm.leads
            ANTI JOIN crm.call_recordings USING (lead_id)
            WHERE channel = 'call' AND created_at >= ?
            ORDER BY created_at, lead_id
            """,
            [since],
        )

    def arrivals(self, days: Sequence[date]) -> pd.DataFrame:
        """By which way the leads of some days came, and when.

        Args:
            days: The UTC days on which the leads were created.

        Returns:
            ``day``, ``lead_id``, ``created_at``, and when a poll (``polled_at``) and a webhook
            delivery (``delivered_at``) brought the lead first; missing where none did.
        """
        return self.query(arrivals.ARRIVALS, {"days": list(days)})

    def standing_by_day(self, lead_ids: pd.DataFrame) -> pd.DataFrame:
        """How the leads of some days stand.

        Args:
            lead_ids: ``day`` (partition key) and ``lead_id``, each pair once.

        Returns:
            ``day``, ``assignment_rule``, and how many ``leads`` and ``recordings`` these have.
        """
        with self._registered(wanted=table_of(lead_ids)):
            return self.query(
                """
                SELECT
                    wanted.day,
                    leads.assignment_rule,
                    count(*) AS leads,
                    count(recordings.lead_id) AS recordings
                FROM wanted
                JOIN crm.leads AS leads USING (lead_id)
                LEFT JOIN crm.call_recordings AS recordings USING (lead_id)
                GROUP BY ALL
                ORDER BY ALL
                """
            )

    def rejected_by_day(
        self, deliveries_until: Mapping[str, datetime] | None = None
    ) -> dict[str, int]:
        """How many distinct rejects each day has; days without any are absent.

        Args:
            deliveries_until: As for :meth:`load_leads`: rejects of later deliveries, and of days
                that are not named, are not counted.
        """
        settled = settled_table([("webhook", *until) for until in (deliveries_until or {}).items()])
        with self._registered(settled=settled):
            counts = self.query(rejects.REJECTED_BY_DAY)
        return dict(zip(counts["partition_key"], counts["rejected"].astype("int64"), strict=True))

    def _replace(self, table: str, frame: pd.DataFrame) -> bool:
        """Replace a reference table, columns and rows, unless it holds just that already."""
        stored = self.query(f"SELECT * FROM {table}")  # noqa: S608 - a name of our own
        if stored.astype("str").equals(frame.astype("str")):
            return False
        with self._transaction(replacement=table_of(frame)) as connection:
            connection.execute(
                f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM replacement"  # noqa: S608
            )
        return True

    @contextmanager
    def _loading(
        self,
        observations: pd.DataFrame,
        rejected: pd.DataFrame,
        settled: Sequence[tuple[str, str, datetime]],
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction over the relations that :func:`load_leads` reads."""
        with self._transaction(
            incoming=table_of(_distinct(observations)),
            rejected=table_of(rejected),
            settled=settled_table(settled),
            **lookups(self._connection),
        ) as connection:
            yield connection

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


def _wanted(lead_ids: pd.Series) -> pa.Table:
    return table_of(pd.DataFrame({"lead_id": lead_ids.drop_duplicates()}))


def _distinct(observations: pd.DataFrame) -> pd.DataFrame:
    """Equal contents as one row, seen from the first instant to the last."""
    if observations["content_id"].is_unique:
        return observations
    key = ["lead_id", "observed_by", "content_id"]
    equal = observations.groupby(key)
    return observations.assign(
        first_observed_at=equal["first_observed_at"].transform("min"),
        last_observed_at=equal["last_observed_at"].transform("max"),
        first_received_at=equal["first_received_at"].transform("min"),
    ).drop_duplicates(key)


def _loaded(actions: list[tuple[str]], total: int) -> Loaded:
    counts = Counter(action for (action,) in actions)
    inserted, updated = counts["INSERT"], counts["UPDATE"]
    return Loaded(inserted, updated, total - inserted - updated)
