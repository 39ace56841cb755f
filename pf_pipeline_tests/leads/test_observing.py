import json
from collections import Counter
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.leads.observing import REJECT_COLUMNS, Sighting
from pf_pipeline.leads.parser import days_of_records
from pf_pipeline.leads.schema import COLUMNS
from pf_pipeline_tests.leads.builders import (
    DAY,
    NOON,
    Row,
    after,
    atlas_lead,
    bare_lead,
    guide_lead,
    json_values,
    observations_of,
    observed,
    rows_of,
    sighting,
    with_validation,
)

LEADS: list[Any] = [
    guide_lead(),
    guide_lead(status="read"),
    atlas_lead(),
    atlas_lead(status="sent"),
    bare_lead(id="lead_2", phone="0501234567", listing={"reference": " apt 7"}),
]
REJECTS: list[Any] = [
    None,
    "lead_3",
    {},
    guide_lead(createdAt=None),
    {"id": "lead_4", "createdAt": "never", "name": "Nobody \ud83d"},
    bare_lead(id="lead_5", createdAt="1999-12-31T00:00:00Z"),
    bare_lead(id="lead_6", createdAt="2999-12-31T00:00:00Z", name="a\0"),
    bare_lead(id="x" * 300),
]

NAMES_OF_CONTENTS = {
    "call_lead_1992": "9f1d49b9c05c6b8685f701bfb2b0abd3",
    "lead_1": "499a7383d02ed2c57f84c177e870edc4",
    "lead_987654": "27c8d8b6ddc15147fad7e4304c52fda4",
}


def canonical(record: object) -> str:
    return json.dumps(record, sort_keys=True)


REJECTED = {canonical(record) for record in REJECTS}
records = st.lists(st.sampled_from(LEADS + REJECTS), max_size=6)
sightings = st.lists(
    st.builds(
        lambda records, start, lasting, times: Sighting(
            records, after(start), after(start + lasting), times
        ),
        records,
        st.integers(0, 600),
        st.integers(0, 600),
        st.integers(1, 4),
    ),
    max_size=6,
)


# ---- everything is accounted for


@given(sightings)
@with_validation
def test_received_is_leads_and_duplicates_and_rejected(received: list[Sighting]) -> None:
    everything: list[Any] = []
    for seen in received:
        everything += seen.records * seen.times
    rejected = [record for record in everything if canonical(record) in REJECTED]
    outcome = observed(*received)
    assert outcome.received == len(everything)
    assert outcome.leads == len({x["id"] for x in everything if canonical(x) not in REJECTED})
    assert len(outcome.rejected) == len({canonical(record) for record in rejected})
    assert outcome.received == outcome.leads + outcome.duplicates + len(outcome.rejected)


@given(st.lists(st.lists(json_values | st.sampled_from(LEADS), max_size=5), max_size=4))
@with_validation
def test_whatever_json_is_received_is_accounted_for(pages: list[list[object]]) -> None:
    outcome = observed(*(sighting(*page) for page in pages))
    assert outcome.received == sum(len(page) for page in pages)
    assert outcome.received == outcome.leads + outcome.duplicates + len(outcome.rejected)


@given(sightings)
@with_validation
def test_a_reject_is_kept_whole_and_counted_as_often_as_it_came(received: list[Sighting]) -> None:
    expected: Counter[str] = Counter()
    for seen in received:
        for record in seen.records:
            expected[canonical(record)] += seen.times if canonical(record) in REJECTED else 0
    kept = {
        canonical(json.loads(row["raw"])): row["times_received"]
        for row in rows_of(observed(*received).rejected)
    }
    assert kept == +expected


@given(sightings, st.randoms(use_true_random=False))
@with_validation
def test_the_order_of_sightings_does_not_matter(received: list[Sighting], random: Random) -> None:
    outcome = observed(*received)
    shuffled = list(received)
    random.shuffle(shuffled)
    other = observed(*shuffled)
    pd.testing.assert_frame_equal(other.observations, outcome.observations)
    pd.testing.assert_frame_equal(other.rejected, outcome.rejected)


@given(sightings)
@with_validation
def test_a_record_is_known_from_its_first_sighting_to_its_last(received: list[Sighting]) -> None:
    expected: dict[str, tuple[datetime, datetime, int]] = {}
    for seen in received:
        for record in seen.records:
            if record == LEADS[0]:
                first, last, times = expected.get("", (seen.first_at, seen.last_at, 0))
                expected[""] = (
                    min(first, seen.first_at),
                    max(last, seen.last_at),
                    times + seen.times,
                )
    rows = rows_of(observed(*received).observations)
    assert [
        (row["first_observed_at"], row["last_observed_at"], row["times_observed"])
        for row in rows
        if row["lead_id"] == "lead_987654" and row["status"] is None
    ] == list(expected.values())


# ---- leads


def test_the_guides_sample_becomes_an_observation() -> None:
    (row,) = rows_of(
        observed(sighting(guide_lead(), at=NOON, until=after(5), times=3)).observations
    )
    assert len(row["content_id"]) == 32
    assert row | {"content_id": ""} == dict.fromkeys(COLUMNS) | {
        "lead_id": "lead_987654",
        "observed_by": "poll",
        "content_id": "",
        "first_observed_at": NOON,
        "last_observed_at": after(5),
        "first_received_at": NOON,
        "times_observed": 3,
        "created_at": datetime(2025, 12, 19, 10, 30, tzinfo=UTC),
        "channel": "whatsapp",
        "name": "John Doe",
        "email": "johndoe@example.com",
        "phone": "+971501234567",
        "phone_e164": "+971501234567",
        "message": "I am interested in this apartment, please call me.",
        "listing_id": "554433",
        "listing_reference": "APT-DOWNTOWN-101",
        "reference_key": "apt-downtown-101",
        "listing_title": "Luxury 2BR in Downtown",
        "portal_agent_id": "1234",
        "portal_agent_kind": "user",
        "portal_agent_name": "Agent Sarah",
    }


def test_the_same_contents_in_two_sightings_are_one_row() -> None:
    reordered = dict(reversed(guide_lead().items()))
    outcome = observed(sighting(guide_lead(), at=after(60)), sighting(reordered, at=NOON))
    (row,) = rows_of(outcome.observations)
    assert (row["first_observed_at"], row["last_observed_at"]) == (NOON, after(60))
    assert (outcome.leads, outcome.duplicates) == (1, 1)


def test_other_contents_of_a_lead_are_another_row_but_no_other_lead() -> None:
    outcome = observed(sighting(guide_lead(status="sent"), guide_lead(status="read")))
    assert len(outcome.observations) == 2
    assert outcome.observations["content_id"].nunique() == 2
    assert (outcome.received, outcome.leads, outcome.duplicates) == (2, 1, 1)


def test_equal_contents_have_the_same_name_however_they_came() -> None:
    polled = observed(sighting(guide_lead())).observations
    delivered = observed(sighting(guide_lead(), at=after(9)), by="webhook").observations
    assert delivered["observed_by"].tolist() == ["webhook"]
    assert delivered["content_id"].tolist() == polled["content_id"].tolist()


def test_a_phone_without_a_country_code_belongs_to_the_country_of_the_settings() -> None:
    lead = sighting(bare_lead(phone="07911 123456"))
    assert rows_of(observed(lead, country="GB").observations)[0]["phone_e164"] == "+447911123456"
    assert rows_of(observed(lead, country="AE").observations)[0]["phone_e164"] is None


def test_a_lead_with_a_number_longer_than_e164_allows_is_not_rejected() -> None:
    outcome = observed(sighting(bare_lead(phone="+49 " + "2" * 15)))
    assert rows_of(outcome.observations)[0]["phone_e164"] == "+49" + "2" * 15


def test_observations_are_ordered_by_creation_then_id() -> None:
    frame = observations_of(
        bare_lead(id="b"),
        bare_lead(id="c", createdAt="2025-12-19T09:00:00Z"),
        bare_lead(id="a"),
    )
    assert frame["lead_id"].tolist() == ["c", "a", "b"]


# ---- rejects


def test_one_bad_lead_does_not_stop_its_neighbours() -> None:
    outcome = observed(sighting(guide_lead(), None, atlas_lead(), {"id": 1}))
    assert sorted(outcome.observations["lead_id"]) == ["call_lead_1992", "lead_987654"]
    assert len(outcome.rejected) == 2


def test_a_record_that_is_no_lead_is_kept_with_its_reason() -> None:
    record = {"id": "lead_4", "createdAt": "never", "name": "Nobody"}
    outcome = observed(sighting(record, at=NOON, until=after(5), times=2), by="webhook")
    assert rows_of(outcome.rejected) == [
        {
            "received_from": "webhook",
            "partition_key": DAY,
            "lead_id": "lead_4",
            "reason": "createdAt is not an ISO-8601 instant",
            "raw": '{"id":"lead_4","createdAt":"never","name":"Nobody"}',
            "received_at": NOON,
            "times_received": 2,
        }
    ]


def test_a_lead_that_the_schema_refuses_is_kept_with_its_reason() -> None:
    record = bare_lead(createdAt="1999-12-31T00:00:00Z")
    outcome = observed(sighting(record, at=after(5)), sighting(record, at=NOON, times=2))
    (row,) = rows_of(outcome.rejected)
    assert outcome.observations.empty
    assert json.loads(row["raw"]) == record
    assert row["lead_id"] == "lead_1"
    assert row["reason"] == "created_at is not before 2005 nor in the future"
    assert (row["received_at"], row["times_received"]) == (NOON, 3)


def test_contents_have_the_same_name_always() -> None:
    """A CRM keeps these names: another one would make of known contents new ones."""
    named = {
        row["lead_id"]: row["content_id"]
        for row in rows_of(observations_of(guide_lead(), atlas_lead(), bare_lead()))
    }
    assert named == NAMES_OF_CONTENTS


@given(st.lists(st.tuples(*[st.sampled_from([None, "a", "b", "ab"])] * 3), min_size=2, max_size=9))
@with_validation
def test_contents_have_the_same_name_only_if_they_say_the_same(said: list[tuple[str, ...]]) -> None:
    fields = ("status", "entityType", "name")  # columns side by side
    seen = observations_of(
        *(bare_lead(**dict(zip(fields, values, strict=True))) for values in said)
    )
    assert seen["content_id"].nunique() == len(seen) == len(set(said))


def test_nothing_received_gives_empty_frames_of_the_same_types() -> None:
    nothing, something = observed(), observed(sighting(guide_lead(), None))
    assert (nothing.received, nothing.leads, nothing.duplicates) == (0, 0, 0)
    assert tuple(nothing.observations.columns) == COLUMNS
    assert tuple(nothing.rejected.columns) == REJECT_COLUMNS
    assert nothing.observations.dtypes.to_dict() == something.observations.dtypes.to_dict()
    assert nothing.rejected.dtypes.to_dict() == something.rejected.dtypes.to_dict()


def test_every_one_of_many_rejects_is_kept_under_its_own_id() -> None:
    bad = [bare_lead(id=f"lead_{n}", createdAt="1999-12-31T00:00:00Z") for n in range(100)]
    outcome = observed(sighting(*bad))
    rejected = {row["lead_id"]: json.loads(row["raw"]) for row in rows_of(outcome.rejected)}
    assert rejected == {record["id"]: record for record in bad}


# ---- the day of a record


def on(day: int, hour: int = 12) -> Row:
    return {"createdAt": f"2025-12-{day:02d}T{hour:02d}:00:00Z"}


def days(*records: object) -> list[int]:
    return [day.day for day in days_of_records(list(records), alone=date(2025, 12, 1))]


def test_the_day_of_a_record_is_that_of_its_creation_in_utc() -> None:
    dubai = {"createdAt": "2025-12-20T03:59:59+04:00"}
    assert days(on(19, 0), on(19, 23), dubai, on(20, 0)) == [19, 19, 19, 20]


@pytest.mark.parametrize("undated", [None, 7, {}, {"createdAt": "never"}, {"createdAt": None}])
def test_a_record_without_an_instant_belongs_to_the_one_before_it(undated: object) -> None:
    assert days(on(18), on(20), undated, undated, on(19)) == [18, 20, 20, 20, 19]


def test_before_the_first_instant_of_a_page_it_belongs_to_the_one_after_it() -> None:
    assert days({}, None, on(20), on(19)) == [20, 20, 20, 19]


def test_on_a_page_without_any_instant_it_belongs_to_the_day_asked_for() -> None:
    assert days({}, None) == [1, 1]
    assert days() == []


@given(st.lists(st.sampled_from([on(18), on(19), on(20), {}, None, 3]), max_size=12))
def test_every_record_belongs_to_one_day_that_the_page_has(page: list[object]) -> None:
    dated = {day["createdAt"][8:10] for day in page if isinstance(day, dict) and day}
    found = days(*page)
    assert len(found) == len(page)
    assert {f"{day:02d}" for day in found} <= (dated or {"01"})
