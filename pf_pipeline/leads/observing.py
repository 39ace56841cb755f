"""From records as received to validated observations and rejects, with every record accounted for.

Both ways of a lead go through :func:`observe`: the records of polled pages, and those of webhook
deliveries.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar

import pandas as pd

from pf_pipeline.leads.parser import ParsedLead, parse_record, raw_json
from pf_pipeline.leads.phones import to_e164
from pf_pipeline.leads.references import normalise_references
from pf_pipeline.leads.schema import COLUMNS, validate

ObservedBy = Literal["poll", "webhook"]
Key = TypeVar("Key")

REJECT_COLUMNS = (
    "received_from",
    "partition_key",
    "lead_id",
    "reason",
    "raw",
    "received_at",
    "times_received",
)


class Sighting(NamedTuple):
    """Records that were received together, perhaps several times.

    Attributes:
        records: Decoded JSON values.
        first_at: When they were first received, UTC.
        last_at: When they were last received, UTC.
        times: How often they were received.
    """

    records: list[object]
    first_at: datetime
    last_at: datetime
    times: int


@dataclass(frozen=True)
class Observed:
    """Everything that was received for one partition.

    Attributes:
        observations: Valid rows, columns of :class:`~pf_pipeline.leads.schema.Observation`,
            ordered by creation, id and contents.
        rejected: One row a distinct rejected record, columns :data:`REJECT_COLUMNS`.
    """

    observations: pd.DataFrame
    rejected: pd.DataFrame

    @property
    def leads(self) -> int:
        """Distinct valid leads."""
        return int(self.observations["lead_id"].nunique())

    @property
    def received(self) -> int:
        """Records received, each as often as it was."""
        return int(
            self.observations["times_observed"].sum() + self.rejected["times_received"].sum()
        )

    @property
    def duplicates(self) -> int:
        """Records that brought a lead, or a reject, once more."""
        return duplicates(self.observations, self.rejected)


def duplicates(observations: pd.DataFrame, rejected: pd.DataFrame) -> int:
    """Count the records that brought a known lead or a known reject once more."""
    repeated_leads = observations["times_observed"].sum() - observations["lead_id"].nunique()
    repeated_rejects = rejected["times_received"].sum() - len(rejected)
    return int(repeated_leads + repeated_rejects)


class _Seen:
    """When, how often, and in what raw form something was seen."""

    __slots__ = ("first_at", "last_at", "record", "times")

    def __init__(self, sighting: Sighting, record: object) -> None:
        self.first_at, self.last_at, self.times = sighting[1:]
        self.record = record

    def again(self, sighting: Sighting) -> None:
        self.first_at = min(self.first_at, sighting.first_at)
        self.last_at = max(self.last_at, sighting.last_at)
        self.times += sighting.times


def observe(
    sightings: Iterable[Sighting], *, partition_key: str, country: str, by: ObservedBy = "poll"
) -> Observed:
    """Parse, normalise and validate what was received.

    Args:
        sightings: The records; their order does not matter.
        partition_key: The day, kept with the rejects.
        country: Two-letter code for phones without a country code.
        by: Which way the records came.
    """
    leads: dict[ParsedLead, _Seen] = {}
    rejects: dict[tuple[str, str, str | None], _Seen] = {}
    for sighting in sightings:
        for record in sighting.records:
            parsed = parse_record(record)
            if isinstance(parsed, ParsedLead):
                _note(leads, parsed, sighting, record)
            else:
                key = (raw_json(record), parsed.reason, parsed.lead_id)
                _note(rejects, key, sighting, record)
    frame = _frame(leads, country, by)
    validated = validate(frame)
    for row, reason in validated.reasons.items():
        lead_id, seen = str(frame["lead_id"][row]), list(leads.values())[int(str(row))]
        rejects[raw_json(seen.record), str(reason), lead_id] = seen
    observations = validated.good.sort_values(
        ["created_at", "lead_id", "content_id"], ignore_index=True
    )
    return Observed(observations, _rejected_frame(rejects, partition_key, by))


def _note(seen: dict[Key, _Seen], key: Key, sighting: Sighting, record: object) -> None:
    known = seen.get(key)
    if known is None:
        seen[key] = _Seen(sighting, record)
    else:
        known.again(sighting)


def _frame(leads: dict[ParsedLead, _Seen], country: str, by: ObservedBy) -> pd.DataFrame:
    columns = dict(zip(ParsedLead._fields, zip(*leads, strict=True), strict=True)) if leads else {}
    frame = pd.DataFrame(
        {name: pd.Series(columns.get(name, ()), dtype=_dtype(name)) for name in ParsedLead._fields}
    )
    frame["observed_by"] = pd.Series(by, index=frame.index, dtype="str")
    frame["content_id"] = pd.Series([_content_id(lead) for lead in leads], dtype="str")
    for name in ("first_at", "last_at"):
        instants = [getattr(seen, name) for seen in leads.values()]
        frame[name.replace("_at", "_observed_at")] = pd.Series(instants, dtype=INSTANT)
    frame["times_observed"] = pd.Series([seen.times for seen in leads.values()], dtype="int64")
    frame["phone_e164"] = to_e164(frame["phone"], country)
    frame["reference_key"] = normalise_references(frame["listing_reference"])
    return frame[list(COLUMNS)]


INSTANT = "datetime64[us, UTC]"


def _dtype(column: str) -> str:
    if column == "created_at":
        return INSTANT
    return "Int64" if column.endswith("_seconds") else "str"


def _content_id(lead: ParsedLead) -> str:
    """A stable name for the contents of an observation."""
    return hashlib.md5(repr(lead).encode(), usedforsecurity=False).hexdigest()


def _rejected_frame(
    rejects: dict[tuple[str, str, str | None], _Seen], partition_key: str, by: ObservedBy
) -> pd.DataFrame:
    rows = [
        (by, partition_key, lead_id, reason, raw, seen.first_at, seen.times)
        for (raw, reason, lead_id), seen in sorted(rejects.items(), key=lambda item: item[0][:2])
    ]
    types = dict.fromkeys(REJECT_COLUMNS, "str") | {
        "received_at": INSTANT,
        "times_received": "int64",
    }
    return pd.DataFrame(
        {
            name: pd.Series([row[position] for row in rows], dtype=types[name])
            for position, name in enumerate(REJECT_COLUMNS)
        }
    )
