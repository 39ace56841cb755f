"""Law 2 of the design: order, repetition and batches of observations do not matter."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pf_pipeline.leads.observing import ObservedBy, Sighting, observe
from pf_pipeline_tests.crm.builders import (
    DAY,
    GONES_REFERENCE,
    LINAS_USER,
    NOON,
    OMAR,
    OMARS_REFERENCE,
    OTHER_RECORDING,
    RECORDING,
    SARAH,
    SARAHS_REFERENCE,
    UNKNOWN_REFERENCE,
    UNKNOWN_USER,
    CrmFile,
    Record,
    Row,
    after,
    lead,
    of_agent,
    rows_of,
)

TABLES = ("leads", "call_recordings", "lead_events")


@dataclass(frozen=True)
class Sight:
    """One sight of a lead, with what it carried."""

    lead_id: str = "lead_1"
    minute: int = 0
    by: ObservedBy = "poll"
    status: str | None = None
    listing: int | None = None
    reference: str | None = None
    user: int | None = None
    recording: str | None = None
    name: str | None = None

    @property
    def contents(self) -> str:
        """Names what it carried; stands in the record itself, as the lead's message."""
        return repr(self) if self.by == "webhook" else repr((*vars(self).items(),)[2:])

    @property
    def record(self) -> Record:
        """A delivery's own instant stands in for that of the lead's creation."""
        created = {"createdAt": after(self.minute).isoformat()} if self.by == "webhook" else {}
        return lead(
            self.lead_id,
            status=self.status,
            recordingUrl=self.recording,
            name=self.name,
            message=self.contents,
            **created,
            listing={"id": self.listing, "reference": self.reference},
            **of_agent(self.user) if self.user else {},
        )


Batch = list[Sight]

sights = st.builds(
    Sight,
    lead_id=st.sampled_from(["lead_1", "lead_2"]),
    minute=st.integers(0, 5),
    by=st.sampled_from(["poll", "webhook"]),
    status=st.sampled_from([None, "sent", "read", "replied", "archived"]),
    listing=st.sampled_from([None, 5, 6]),
    reference=st.sampled_from(
        [
            *(None, SARAHS_REFERENCE, SARAHS_REFERENCE.lower(), OMARS_REFERENCE),
            *(GONES_REFERENCE, UNKNOWN_REFERENCE),
        ]
    ),
    user=st.sampled_from([None, LINAS_USER, UNKNOWN_USER]),
    recording=st.sampled_from([None, RECORDING, OTHER_RECORDING]),
    name=st.sampled_from([None, "John"]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Batch]:
    """Sights in any order, some of them repeated, cut into batches."""
    seen = draw(st.lists(sights, min_size=2, max_size=10))
    repeated = draw(st.lists(st.sampled_from(seen), max_size=3))
    shuffled = draw(st.permutations([*seen, *repeated]))
    cuts = draw(st.sets(st.integers(1, len(shuffled) - 1), max_size=4))
    edges = [0, *sorted(cuts), len(shuffled)]
    return [shuffled[start:end] for start, end in pairwise(edges)]


def observations_of(batches: Sequence[Batch]) -> list[pd.DataFrame]:
    """What the pipeline makes of each batch; the contents are parsed and validated once."""
    known: dict[tuple[str, str], Sight] = {
        (sight.lead_id, sight.contents): sight for batch in batches for sight in batch
    }
    ways: tuple[ObservedBy, ...] = ("poll", "webhook")
    frame = pd.concat(
        observe(
            [Sighting([sight.record], NOON, NOON, 1) for sight in known.values() if sight.by == by],
            partition_key=DAY,
            country="AE",
            by=by,
        ).observations
        for by in ways
    )
    contents = frame.set_index(["lead_id", "message"], drop=False)
    return [
        contents.loc[[(sight.lead_id, sight.contents) for sight in batch]]
        .assign(**dict.fromkeys(("first_observed_at", "last_observed_at"), instants_of(batch)))
        .reset_index(drop=True)
        for batch in batches
    ]


def instants_of(batch: Batch) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([after(sight.minute) for sight in batch]).as_unit("us")


def tables_after(crm: CrmFile, batches: Sequence[pd.DataFrame]) -> dict[str, list[Row]]:
    """The rows of a CRM with the same listings and people after these loads."""
    no_rejects = observe([], partition_key=DAY, country="AE").rejected
    with TemporaryDirectory() as folder:
        copy = CrmFile(Path(shutil.copy(crm.path, folder)))
        with copy.open() as warehouse:
            for batch in batches:
                warehouse.load_leads(batch, no_rejects, days=[DAY])
                warehouse.load_call_recordings(batch["lead_id"])
            return {
                table: rows_of(warehouse.query(f"SELECT * FROM crm.{table} ORDER BY ALL"))
                for table in TABLES
            }


OLDER_COMES_LATER = [
    [Sight(minute=3, reference=SARAHS_REFERENCE)],
    [Sight(minute=1, reference=SARAHS_REFERENCE)],
]
LISTING_COMES_LATER = [
    [Sight(minute=1, user=LINAS_USER)],
    [Sight(minute=1, reference=SARAHS_REFERENCE)],
]
CONTENTS_RETURN = [
    [Sight(minute=1, user=LINAS_USER)],
    [Sight(minute=3, reference=UNKNOWN_REFERENCE, by="webhook")],
    [Sight(minute=5, user=LINAS_USER)],
    [Sight(minute=0, reference=OMARS_REFERENCE)],
]
OLDER_SIGHT_COMES_LAST = [
    [Sight(minute=5, name="John", reference=SARAHS_REFERENCE)],
    [Sight(minute=3, reference=OMARS_REFERENCE)],
    [Sight(minute=1, name="John", reference=SARAHS_REFERENCE)],
]


@settings(max_examples=15, deadline=None)
@given(batches=histories())
@example(batches=OLDER_COMES_LATER)
@example(batches=LISTING_COMES_LATER)
@example(batches=CONTENTS_RETURN)
@example(batches=OLDER_SIGHT_COMES_LAST)
def test_any_order_and_batches_of_observations_leave_the_same_rows(
    new_crm: CrmFile, batches: list[Batch]
) -> None:
    bit_by_bit = observations_of(batches)
    at_once = pd.concat(bit_by_bit)
    assert tables_after(new_crm, bit_by_bit) == tables_after(new_crm, [at_once])


def test_a_history_backwards_leaves_the_same_rows(new_crm: CrmFile) -> None:
    polls = [
        Sight(minute=minute, status=status, recording=recording, reference=reference)
        for minute, status, recording, reference in (
            (0, "sent", None, None),
            (1, "sent", None, OMARS_REFERENCE),
            (2, "delivered", None, OMARS_REFERENCE),
            (4, "read", RECORDING, OMARS_REFERENCE),
            (6, "replied", OTHER_RECORDING, SARAHS_REFERENCE),
        )
    ]
    deliveries = [
        Sight(minute=3, by="webhook", status="read", user=LINAS_USER),
        Sight(minute=5, by="webhook", status="replied"),
    ]
    forwards = sorted([*polls, *deliveries], key=lambda sight: sight.minute)
    batches = observations_of([[sight] for sight in forwards])
    tables = tables_after(new_crm, batches)
    assert tables_after(new_crm, batches[::-1]) == tables
    (row,) = tables["leads"]
    assert (row["status"], row["first_seen_at"], row["updated_at"]) == ("replied", NOON, after(6))
    assert [
        (event["kind"], event["value"], event["occurred_at"]) for event in tables["lead_events"]
    ] == [
        ("agent", SARAH, after(6)),
        ("agent", OMAR, after(1)),
        ("recording", RECORDING, after(4)),
        ("recording", OTHER_RECORDING, after(6)),
        ("status", "delivered", after(2)),
        ("status", "read", after(3)),
        ("status", "replied", after(5)),
        ("status", "sent", after(0)),
    ]
