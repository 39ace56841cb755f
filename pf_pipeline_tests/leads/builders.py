"""Records, frames and strategies that the tests of this room share."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st

from pf_pipeline.leads.frames import frame_of, table_of
from pf_pipeline.leads.observing import Observed, ObservedBy, Sighting, observe
from pf_pipeline.leads.parser import ParsedLead, Rejection, parse_record

Record = dict[str, Any]
Row = dict[str, Any]

thorough = settings(max_examples=100, deadline=None)
with_database = settings(max_examples=30, deadline=None)
with_validation = settings(max_examples=20, deadline=None)

GUIDE_RESPONSE = b"""
{
  "data": [
    {
      "id": "lead_987654",
      "name": "John Doe",
      "email": "johndoe@example.com",
      "phone": "+971501234567",
      "message": "I am interested in this apartment, please call me.",
      "channel": "whatsapp",
      "createdAt": "2025-12-19T10:30:00Z",
      "listing": {
        "id": 554433,
        "reference": "APT-DOWNTOWN-101",
        "title": "Luxury 2BR in Downtown"
      },
      "assignedTo": {
        "id": 1234,
        "name": "Agent Sarah"
      }
    }
  ],
  "pagination": {
    "total": 1,
    "count": 1,
    "perPage": 50,
    "currentPage": 1,
    "totalPages": 1
  }
}
"""
"""The guide's sample values as the whole response in which they stand."""

ATLAS_LEAD = b"""
{
  "id": "call_lead_1992",
  "entityType": "listing",
  "channel": "call",
  "status": "replied",
  "sender": {
    "name": "Omar Haddad",
    "contacts": [
      {"type": "phone", "value": "+971 50 765 4321"},
      {"type": "email", "value": "omar@example.com"},
      {"type": "whatsappUsername", "value": "omar.h"}
    ]
  },
  "publicProfile": {"id": 77001},
  "listing": {"id": "01HZX3V9K2M4N5P6Q7R8S9T0AB", "reference": "VIL-MARINA-7"},
  "project": {"id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"},
  "call": {"talkTime": 63, "waitTime": 5, "recordFile": "https://recordings.example/1992.mp3"},
  "responseLink": null,
  "distributionType": "project_cta",
  "enrichment": {"nationality": "JO"},
  "tags": ["hot", "from_agent"],
  "createdAt": "2025-12-19T14:30:00+04:00"
}
"""

DAY = "2025-12-19"
NOON = datetime(2025, 12, 19, 12, tzinfo=UTC)


def guide_lead(**fields: object) -> Record:
    """The guide's sample lead with other fields; ``None`` stands as null."""
    lead: Record = json.loads(GUIDE_RESPONSE)["data"][0]
    return lead | fields


def atlas_lead(**fields: object) -> Record:
    lead: Record = json.loads(ATLAS_LEAD)
    return lead | fields


def bare_lead(**fields: object) -> Record:
    """No more than makes a lead, and these fields."""
    return {"id": "lead_1", "createdAt": "2025-12-19T10:30:00Z"} | fields


def parsed(record: object) -> ParsedLead:
    lead = parse_record(record)
    assert isinstance(lead, ParsedLead), lead
    return lead


def rejection(record: object) -> Rejection:
    outcome = parse_record(record)
    assert isinstance(outcome, Rejection), outcome
    return outcome


def extra_of(record: object) -> Record:
    """What the parser kept of a record without a column of its own."""
    extra = parsed(record).extra
    kept: Record = json.loads(extra) if extra else {}
    return kept


def nested(depth: int, innermost: object = "bottom") -> object:
    """Lists in lists, made without recursion."""
    value = innermost
    for _ in range(depth):
        value = [value]
    return value


def sighting(
    *records: object,
    at: datetime = NOON,
    until: datetime | None = None,
    times: int = 1,
) -> Sighting:
    return Sighting(list(records), at, until or at, times)


def observed(*sightings: Sighting, country: str = "AE", by: ObservedBy = "poll") -> Observed:
    return observe(sightings, partition_key=DAY, country=country, by=by)


def observations_of(*records: object) -> pd.DataFrame:
    """Valid observations, all seen once, at noon; in the order of the records' ids."""
    return observed(sighting(*records)).observations


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """A frame's rows with ``None`` for what is missing."""
    rows: list[Row] = table_of(frame).to_pylist()
    return rows


def frame_like(example: pd.DataFrame, rows: Iterable[Row]) -> pd.DataFrame:
    """A frame of the example's columns and types."""
    return frame_of(pa.Table.from_pylist(list(rows), schema=table_of(example).schema))


def texts_frame(columns: Sequence[str], rows: Iterable[Row]) -> pd.DataFrame:
    """A frame of texts; also without rows, or with nothing but missing ones, it is one."""
    schema = pa.schema([(column, pa.large_string()) for column in columns])
    return frame_of(pa.Table.from_pylist(list(rows), schema=schema))


def after(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def as_decoded(pieces: list[str]) -> str:
    """One text as JSON gives it: two halves that meet are a pair."""
    text: str = json.loads(json.dumps("".join(pieces)))
    return text


# NUL and halves of surrogate pairs are often among them: a JSON text may hold them.
dangerous = st.sampled_from(["\0", "\ud83d", "\udc00"])
every_text = st.lists(st.text(max_size=4) | dangerous, max_size=4).map(as_decoded)
json_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**400), max_value=10**400)
    | st.floats()
    | every_text
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(every_text, inner, max_size=4),
    max_leaves=12,
)
