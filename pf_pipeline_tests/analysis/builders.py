"""Small frames as the CRM gives them, and a CRM file with every kind of personal data in it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st

from pf_pipeline.leads.frames import frame_of

FEW_EXAMPLES = settings(max_examples=40)
"""A frame costs milliseconds; what matters are the shapes, of which there are few."""
DUBAI, CAIRO = "Asia/Dubai", "Africa/Cairo"
TIMEZONES = (DUBAI, CAIRO, "UTC", "America/St_Johns", "Asia/Kathmandu")

PERSONAL = {
    "name": "Jane Roe",
    "phone": "+971501234567",
    "email": "jane.roe@example.com",
    "handle": "janeroe77",
    "message": "Please call me about the marina view.",
    "recording": "https://recordings.example/secret-1.mp3",
    "response link": "https://portal.example/respond/secret-2",
    "in an unknown field": "Roe family phone",
    "of a reject": "Richard Miles",
    "agent": "Sarah Haddad",
    "an agent's home": "Villa 12 Palm",
    "the portal's agent": "Agent Sarah",
    "an owner's phone": "+971559998877",
}
"""What must not come out of a CRM unless it is asked for by name."""

LEAD_COLUMNS = {
    "lead_id": pa.large_string(),
    "channel": pa.large_string(),
    "status": pa.large_string(),
    "phone_e164": pa.large_string(),
    "email": pa.large_string(),
    "listing_reference": pa.large_string(),
    "property_ref": pa.large_string(),
    "agent_id": pa.large_string(),
    "assignment_reason": pa.large_string(),
    "created_at": pa.timestamp("us", "UTC"),
    "first_seen_at": pa.timestamp("us", "UTC"),
}
EVENT_COLUMNS = {
    "lead_id": pa.large_string(),
    "kind": pa.large_string(),
    "value": pa.large_string(),
    "occurred_at": pa.timestamp("us", "UTC"),
}
RECORDING_COLUMNS = {
    "lead_id": pa.large_string(),
    "talk_seconds": pa.int64(),
    "wait_seconds": pa.int64(),
    "agent_id": pa.large_string(),
}
OBSERVATION_COLUMNS = {
    "lead_id": pa.large_string(),
    "observed_by": pa.large_string(),
    "first_observed_at": pa.timestamp("us", "UTC"),
    "created_at": pa.timestamp("us", "UTC"),
}
PROPERTY_COLUMNS = {"internal_ref": pa.large_string(), "agent_id": pa.large_string()}

Row = Mapping[str, object]


def at(text: str) -> datetime:
    """An instant in UTC, such as ``2025-12-19 09:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def leads(*rows: Row) -> pd.DataFrame:
    """Leads, numbered, by default made and seen at one instant."""
    usual = {"created_at": at("2025-12-19 08:00"), "channel": "whatsapp", "status": "sent"}
    full = [{"lead_id": f"lead-{n}", **usual, **row} for n, row in enumerate(rows)]
    return frame(LEAD_COLUMNS, [{"first_seen_at": row["created_at"], **row} for row in full])


def events(*rows: tuple[str, str, datetime]) -> pd.DataFrame:
    """Statuses that leads were seen to take."""
    return frame(
        EVENT_COLUMNS,
        [
            {"lead_id": lead, "kind": "status", "value": value, "occurred_at": when}
            for lead, value, when in rows
        ],
    )


def recordings(*rows: Row) -> pd.DataFrame:
    return frame(RECORDING_COLUMNS, rows)


def observations(*rows: tuple[str, str, datetime, datetime]) -> pd.DataFrame:
    """Lead, way, first seen, created."""
    return frame(
        OBSERVATION_COLUMNS, [dict(zip(OBSERVATION_COLUMNS, row, strict=True)) for row in rows]
    )


def properties(*references: str) -> pd.DataFrame:
    return frame(
        PROPERTY_COLUMNS, [{"internal_ref": name, "agent_id": "A-01"} for name in references]
    )


def frame(columns: Mapping[str, pa.DataType], rows: Sequence[Row]) -> pd.DataFrame:
    """A frame with the types of the CRM, also where it has no row."""
    return frame_of(
        pa.table(
            {
                name: pa.array([row.get(name) for row in rows], kind)
                for name, kind in columns.items()
            }
        )
    )


def rows_of(figures: pd.DataFrame) -> list[dict[str, object]]:
    """A frame's rows, with ``None`` for what is missing, and numbers as Python has them."""
    return json.loads(figures.to_json(orient="records", date_format="iso"))  # type: ignore[no-any-return]


# Around the days on which clocks go forward and back in Cairo, and other days.
_DAYS = st.sampled_from(
    [at("2025-04-24 12:00"), at("2025-10-30 12:00"), at("2025-12-19 12:00"), at("2024-02-28 20:00")]
)
INSTANTS = st.builds(
    lambda day, seconds: day + timedelta(seconds=seconds),
    _DAYS,
    st.integers(-2 * 86_400, 2 * 86_400),
)
AGENTS = st.sampled_from([None, "A-01", "A-02", "A-03"])


def many_leads(**columns: st.SearchStrategy[object]) -> st.SearchStrategy[list[Row]]:
    """Some leads, or none, with columns drawn at random."""
    return st.lists(
        st.fixed_dictionaries({"created_at": INSTANTS, "agent_id": AGENTS, **columns}), max_size=12
    )
