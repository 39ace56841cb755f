"""Records, frames and a CRM file that the tests of this room share."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from pf_pipeline.crm import Loaded, Warehouse, open_crm
from pf_pipeline.leads.frames import frame_of, table_of
from pf_pipeline.leads.observing import Observed, ObservedBy, Sighting, observe

Record = dict[str, Any]
Row = dict[str, Any]

DAY, NEXT_DAY = "2025-12-19", "2025-12-20"
NOON = datetime(2025, 12, 19, 12, tzinfo=UTC)
SAMPLE = "lead_987654"
RECORDING = "https://recordings.example/1.mp3"
OTHER_RECORDING = "https://recordings.example/2.mp3"
CRM_TABLES = ("leads", "call_recordings", "properties", "agents", "lead_events", "rejected_leads")

SARAH, OMAR, LINA, GONE = "7", "8", "9", "10"
"""Agents; the last one is inactive."""
SARAHS_REFERENCE, OMARS_REFERENCE, GONES_REFERENCE = (
    "APT-DOWNTOWN-101",
    "VIL-MARINA-7",
    "OFF-DIFC-3",
)
UNKNOWN_REFERENCE = "APT-NOWHERE-1"
SARAHS_USER, OMARS_USER, LINAS_USER, GONES_USER, UNKNOWN_USER = 1234, 1235, 1236, 1237, 9999
"""User ids at the portal."""


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def guide_lead(**fields: object) -> Record:
    """The guide's sample lead with other fields; ``None`` stands as null."""
    return {
        "id": SAMPLE,
        "name": "John Doe",
        "email": "johndoe@example.com",
        "phone": "+971501234567",
        "message": "I am interested in this apartment, please call me.",
        "channel": "whatsapp",
        "createdAt": "2025-12-19T10:30:00Z",
        "listing": {
            "id": 554433,
            "reference": SARAHS_REFERENCE,
            "title": "Luxury 2BR in Downtown",
        },
        "assignedTo": {"id": SARAHS_USER, "name": "Agent Sarah"},
    } | fields


def lead(lead_id: str = SAMPLE, **fields: object) -> Record:
    """No more than makes a lead, and these fields."""
    return {"id": lead_id, "channel": "call", "createdAt": "2025-12-19T10:30:00Z"} | fields


def on_listing(reference: str) -> Record:
    return {"listing": {"reference": reference}}


def of_agent(user_id: int) -> Record:
    return {"assignedTo": {"id": user_id}}


def seen(
    *records: object,
    at: datetime = NOON,
    until: datetime | None = None,
    by: ObservedBy = "poll",
    day: str = DAY,
) -> Observed:
    """What the pipeline makes of records that arrive together; nobody may change it in place."""
    return _seen(json.dumps(records), at, until or at, by, day)


@cache
def _seen(records: str, at: datetime, until: datetime, by: ObservedBy, day: str) -> Observed:
    sighting = Sighting(json.loads(records), at, until, 1)
    return observe([sighting], partition_key=day, country="AE", by=by)


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """A frame's rows with ``None`` for what is missing."""
    rows: list[Row] = table_of(frame).to_pylist()
    return rows


def texts(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> pd.DataFrame:
    """A frame of texts, also where a column has no value at all."""
    values = [*rows]
    return frame_of(
        pa.table(
            {
                column: pa.array([row[position] for row in values], pa.large_string())
                for position, column in enumerate(columns)
            }
        )
    )


def properties(*owned: tuple[str, str | None]) -> pd.DataFrame:
    return texts(("internal_ref", "agent_id"), owned)


def agents(*people: tuple[str, int | None, int | None, bool]) -> pd.DataFrame:
    """People by id, the portal's user id and public profile id, and whether they are active."""
    columns = ("agent_id", "name", "email", "portal_user_id", "portal_profile_id")
    rows = [
        (id_, f"Agent {id_}", f"{id_}@example.com", user and str(user), profile and str(profile))
        for id_, user, profile, _ in people
    ]
    return texts(columns, rows).assign(active=[active for *_, active in people])


PROPERTIES = properties((SARAHS_REFERENCE, SARAH), (OMARS_REFERENCE, OMAR), (GONES_REFERENCE, GONE))
AGENTS = agents(
    (SARAH, SARAHS_USER, 77001, True),
    (OMAR, OMARS_USER, 77002, True),
    (LINA, LINAS_USER, 77003, True),
    (GONE, GONES_USER, 77004, False),
)


@dataclass(frozen=True)
class CrmFile:
    """A CRM that is opened for each action, as the pipeline's runs do."""

    path: Path

    @property
    def location(self) -> str:
        return f"duckdb:///{self.path}"

    def open(self, lock_timeout: float = 20.0) -> AbstractContextManager[Warehouse]:
        return open_crm(self.location, lock_timeout=lock_timeout)

    def load(self, *observed: Observed, days: Sequence[str] = (DAY,)) -> Loaded:
        """Load leads, and then their recordings if there are any, as one run does."""
        observations = pd.concat([some.observations for some in observed])
        rejected = pd.concat([some.rejected for some in observed])
        with self.open() as crm:
            loaded = crm.load_leads(observations, rejected, days=days)
            if observations["recording_url"].notna().any():
                crm.load_call_recordings(observations["lead_id"])
        return loaded

    def refresh(
        self,
        *,
        properties: pd.DataFrame | None = None,
        agents: pd.DataFrame | None = None,
        now: datetime = NOON,
    ) -> int:
        """Bring other reference data and try unassigned leads again, as one run does."""
        with self.open() as crm:
            if properties is not None:
                crm.replace_properties(properties)
            if agents is not None:
                crm.replace_agents(agents)
            return crm.retry_unassigned(now)

    @contextmanager
    def _plainly(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection

    def query(self, sql: str) -> list[Row]:
        """Ask without the pipeline's help."""
        with self._plainly() as connection:
            return _rows(connection, sql)

    def by_hand(self, sql: str, *parameters: object) -> None:
        """Change something as a person does, without the pipeline's help."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql, parameters)

    def rows(self, table: str) -> list[Row]:
        return self.query(_whole(table))

    def tables(self) -> dict[str, list[Row]]:
        """Every row of every CRM table."""
        with self._plainly() as connection:
            return {table: _rows(connection, _whole(table)) for table in CRM_TABLES}

    def lead(self, lead_id: str = SAMPLE) -> Row:
        (found,) = [row for row in self.rows("leads") if row["lead_id"] == lead_id]
        return found

    def recording(self, lead_id: str = SAMPLE) -> Row:
        (found,) = [row for row in self.rows("call_recordings") if row["lead_id"] == lead_id]
        return found

    def events(self, kind: str, lead_id: str = SAMPLE) -> dict[str, datetime]:
        """What a lead became, and when."""
        rows = [row for row in self.rows("lead_events") if row["lead_id"] == lead_id]
        return {row["value"]: row["occurred_at"] for row in rows if row["kind"] == kind}


def _whole(table: str) -> str:
    return f"SELECT * FROM crm.{table} ORDER BY ALL"


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    rows: list[Row] = connection.sql(sql).to_arrow_table().to_pylist()
    return rows
