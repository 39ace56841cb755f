"""From records as received to validated observations and rejects, with every record accounted for.

Both ways of a lead go through :func:`observe`: the records of polled pages, and those of webhook
deliveries.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pf_pipeline.leads.frames import frame_of
from pf_pipeline.leads.parser import ParsedLead, Rejection, parse_record, raw_json
from pf_pipeline.leads.phones import to_e164
from pf_pipeline.leads.references import normalise_references
from pf_pipeline.leads.schema import COLUMNS, validate

ORDER = ("created_at", "lead_id", "content_id")
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
        records: Decoded JSON values; a :class:`~pf_pipeline.leads.parser.Rejection` where what
            was received does not even get so far.
        first_at: The first instant of which they speak, UTC: when a page was asked for, or the
            time of an event.
        last_at: The last one.
        times: How often they were received.
        received_at: When they first arrived, if that was not at ``first_at``.
        originals: What each record was made of, where that is more than the record: it is what is
            kept of a reject.
    """

    records: list[object]
    first_at: datetime
    last_at: datetime
    times: int
    received_at: datetime | None = None
    originals: list[object] | None = None


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

    def with_others(self, others: "Observed") -> "Observed":
        """These and what came another way, in one."""
        return Observed(
            pd.concat([self.observations, others.observations], ignore_index=True),
            pd.concat([self.rejected, others.rejected], ignore_index=True),
        )

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

    __slots__ = ("first_at", "last_at", "original", "received_at", "times")

    def __init__(self, sighting: Sighting, original: object) -> None:
        self.first_at, self.last_at, self.times, received_at, _ = sighting[1:]
        self.received_at = received_at or self.first_at
        self.original = original

    def again(self, sighting: Sighting) -> None:
        self.first_at = min(self.first_at, sighting.first_at)
        self.last_at = max(self.last_at, sighting.last_at)
        self.received_at = min(self.received_at, sighting.received_at or sighting.first_at)
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
        originals = sighting.originals or sighting.records
        for record, original in zip(sighting.records, originals, strict=True):
            parsed = record if isinstance(record, Rejection) else parse_record(record)
            if isinstance(parsed, ParsedLead):
                _note(leads, parsed, sighting, original)
            else:
                key = (raw_json(original), parsed.reason, parsed.lead_id)
                _note(rejects, key, sighting, original)
    validated = validate(_frame(leads, country, by))
    every_lead = list(leads.items())
    for row, reason in zip(validated.reasons.index.tolist(), validated.reasons, strict=True):
        lead, seen = every_lead[row]
        rejects[raw_json(seen.original), reason, lead.lead_id] = seen
    observations = validated.good.reset_index(drop=True)
    return Observed(observations, _rejected_frame(rejects, partition_key, by))


def _note(seen: dict[Key, _Seen], key: Key, sighting: Sighting, original: object) -> None:
    known = seen.get(key)
    if known is None:
        seen[key] = _Seen(sighting, original)
    else:
        known.again(sighting)


def _frame(leads: dict[ParsedLead, _Seen], country: str, by: ObservedBy) -> pd.DataFrame:
    """The leads in order, each under its position among ``leads`` as its index."""
    columns = zip(*leads, strict=True) if leads else ((),) * len(ParsedLead._fields)
    said = {
        name: pa.array(values, _arrow_type(name))
        for name, values in zip(ParsedLead._fields, columns, strict=True)
    }
    seen = leads.values()
    observed = pa.table(
        said
        | {
            "observed_by": pa.array([by] * len(leads), pa.large_string()),
            "content_id": _content_ids(said),
            "first_observed_at": pa.array([sight.first_at for sight in seen], INSTANT),
            "last_observed_at": pa.array([sight.last_at for sight in seen], INSTANT),
            "first_received_at": pa.array([sight.received_at for sight in seen], INSTANT),
            "times_observed": pa.array([sight.times for sight in seen], pa.int64()),
        }
    )
    order = pc.sort_indices(observed, [(column, "ascending") for column in ORDER])
    frame = frame_of(observed.take(order)).set_index(order.to_numpy())
    frame["phone_e164"] = to_e164(frame["phone"], country)
    frame["reference_key"] = normalise_references(frame["listing_reference"])
    return frame[list(COLUMNS)]


INSTANT = pa.timestamp("us", "UTC")


def _arrow_type(column: str) -> pa.DataType:
    if column == "created_at":
        return INSTANT
    return pa.int64() if column.endswith("_seconds") else pa.large_string()


def _content_ids(said: Mapping[str, pa.Array]) -> pa.Array:
    """A stable name for what each row says: equal contents, and only those, have the same one.

    No text of a lead is empty or holds NUL, so that the joined columns tell them all apart.
    """
    texts = [
        (column.cast(pa.int64()) if column.type == INSTANT else column).cast(pa.large_string())
        for column in said.values()
    ]
    joined = pc.binary_join_element_wise(
        *texts, pa.scalar("\0", pa.large_string()), null_handling="replace"
    )
    return pa.array(
        [
            hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            for text in joined.to_pylist()
        ],
        pa.large_string(),
    )


def _rejected_frame(
    rejects: dict[tuple[str, str, str | None], _Seen], partition_key: str, by: ObservedBy
) -> pd.DataFrame:
    rows = [
        (by, partition_key, lead_id, reason, raw, seen.received_at, seen.times)
        for (raw, reason, lead_id), seen in sorted(rejects.items(), key=lambda item: item[0][:2])
    ]
    types = dict.fromkeys(REJECT_COLUMNS, pa.large_string()) | {
        "received_at": INSTANT,
        "times_received": pa.int64(),
    }
    return frame_of(
        pa.table(
            {
                name: pa.array([row[position] for row in rows], types[name])
                for position, name in enumerate(REJECT_COLUMNS)
            }
        )
    )
