import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from random import Random
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.leads.merging import merge_observations
from pf_pipeline.leads.observing import ObservedBy
from pf_pipeline_tests.leads.builders import (
    NOON,
    Row,
    after,
    atlas_lead,
    bare_lead,
    frame_like,
    guide_lead,
    nested,
    observations_of,
    observed,
    rows_of,
    sighting,
    with_database,
)

EXAMPLE = observations_of(guide_lead())

# ---- the law in plain Python

POLL_FIELDS = ("recording_url", "talk_seconds", "wait_seconds", "tags", "created_at")
"""Call, tags, createdAt: "fields that only polls carry come from the latest poll"."""

FIELDS_OF_EXTRA = ("enrichment", "project")
"""The same for enrichment and whatever else has no column: each stands in ``extra`` by itself."""

SHARED_FIELDS = (
    "status", "entity_type", "name", "email", "phone", "whatsapp_username", "message",
    "response_link",
)  # fmt: skip
"""All others: "shared fields from the latest observation of either kind"."""

LISTING_FIELDS = ("listing_id", "listing_reference", "listing_title")
AGENT_FIELDS = ("portal_agent_id", "portal_agent_kind", "portal_agent_name")
"""These say together which listing or agent it is: they are never mixed of two."""

COMPUTED_FIELDS = {"phone_e164": "phone"}

STATUSES = ["sent", "delivered", "read", "replied"]


def is_earlier(observation: Row) -> tuple[datetime, bool, int, str]:
    """Sorts observations of a lead from the earliest to the latest, ties as the law says."""
    status = observation["status"]
    return (
        observation["last_observed_at"],
        observation["observed_by"] == "poll",
        STATUSES.index(status) if status in STATUSES else -1,
        observation["content_id"],
    )


def latest_that_carries(observations: Iterable[Row], field: str) -> Row:
    """The latest observation with the field; an empty one where none has it."""
    carrying = [seen for seen in observations if seen[field] is not None]
    return max(carrying, key=is_earlier, default={})


def of_the_latest_poll(observations: list[Row], field: str) -> Any:  # noqa: ANN401 - any column's
    """What the latest poll says that carries the field; without one, any latest observation."""
    polls = [seen for seen in observations if seen["observed_by"] == "poll"]
    of_polls = latest_that_carries(polls, field).get(field)
    return latest_that_carries(observations, field).get(field) if of_polls is None else of_polls


def is_of_listing(seen: Row, listing: Row) -> bool:
    """Whether both are of one listing: the same id, or the same reference."""
    fields = ("listing_id", "listing_reference")
    return any(seen[field] is not None and seen[field] == listing[field] for field in fields)


def of_one_listing(observations: list[Row]) -> list[Row]:
    """The observations that say something of the listing which the latest one names."""
    fields = ("listing_id", "listing_reference")
    naming = [seen for seen in observations if any(seen[field] is not None for field in fields)]
    if not naming:
        return observations
    listing = max(naming, key=is_earlier)
    return [seen for seen in observations if is_of_listing(seen, listing)]


def of_one_agent(observations: list[Row]) -> list[Row]:
    """The observations that say something of the portal's agent whom the latest one names."""
    agent = latest_that_carries(observations, "portal_agent_id")
    if not agent:
        return observations
    fields = ("portal_agent_id", "portal_agent_kind")
    return [seen for seen in observations if all(seen[field] == agent[field] for field in fields)]


def merged_by_hand(observations: list[Row]) -> list[Row]:
    leads = defaultdict(list)
    for observation in observations:
        leads[observation["lead_id"]].append(observation)
    return sorted(
        (lead_by_hand(lead_id, seen) for lead_id, seen in leads.items()),
        key=lambda lead: (lead["created_at"], lead["lead_id"]),
    )


def lead_by_hand(lead_id: str, observations: list[Row]) -> Row:
    known = [seen for seen in observations if seen["channel"] != "unknown"]
    lead: Row = {"lead_id": lead_id}
    lead["channel"] = latest_that_carries(known, "channel").get("channel") or "unknown"
    for fields, saying in (
        (SHARED_FIELDS, observations),
        (LISTING_FIELDS, of_one_listing(observations)),
        (AGENT_FIELDS, of_one_agent(observations)),
    ):
        for field in fields:
            lead[field] = latest_that_carries(saying, field).get(field)
    lead["reference_key"] = latest_that_carries(
        of_one_listing(observations), "listing_reference"
    ).get("reference_key")
    for field, source in COMPUTED_FIELDS.items():
        lead[field] = latest_that_carries(observations, source).get(field)
    for field in POLL_FIELDS:
        lead[field] = of_the_latest_poll(observations, field)
    if not any(seen["observed_by"] == "poll" for seen in observations):
        lead["created_at"] = min(seen["created_at"] for seen in observations)
    nothing = dict.fromkeys(FIELDS_OF_EXTRA)
    extras = [seen | nothing | (seen["extra"] or {}) for seen in observations]
    kept = {field: of_the_latest_poll(extras, field) for field in FIELDS_OF_EXTRA}
    lead["extra"] = {field: value for field, value in kept.items() if value is not None} or None
    first_shown: dict[str, datetime] = {}
    for seen in observations:
        contents, at = seen["content_id"], seen["first_observed_at"]
        first_shown[contents] = min(at, first_shown.get(contents, at))
    lead["first_seen_at"] = min(seen["first_received_at"] for seen in observations)
    lead["updated_at"] = max(first_shown.values())
    return lead


def summarised(observations: Iterable[Row]) -> list[Row]:
    """As the CRM keeps them: equal contents once, seen from the first instant to the last."""
    kept: dict[tuple[str, str, str], Row] = {}
    for seen in observations:
        key = (seen["lead_id"], seen["observed_by"], seen["content_id"])
        known = kept.get(key, seen)
        kept[key] = seen | {
            "first_observed_at": min(known["first_observed_at"], seen["first_observed_at"]),
            "last_observed_at": max(known["last_observed_at"], seen["last_observed_at"]),
            "first_received_at": min(known["first_received_at"], seen["first_received_at"]),
        }
    return list(kept.values())


# ---- observations, with few values and instants, so that they meet


def or_none(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


PHONES = {"0501234567": "+971501234567", "0527654321": "+971527654321", "no phone": None}
REFERENCES = {"APT 1": "apt1", "apt 2": "apt2", "\u200b": None}

contents = st.fixed_dictionaries(
    {
        "created_at": st.sampled_from([after(-60), after(-61)]),
        "channel": st.sampled_from(["unknown", "call", "whatsapp"]),
        "status": or_none("sent", "read", "replied", "ghosted"),
        "entity_type": or_none("listing", "project"),
        "name": or_none("John", "Jon"),
        "email": or_none("a@example.com", "b@example.com"),
        "phone": or_none(*PHONES),
        "whatsapp_username": or_none("john", "jon"),
        "message": or_none("Hello", "Hello?"),
        "listing_id": or_none("1", "2"),
        "listing_reference": or_none(*REFERENCES),
        "listing_title": or_none("Flat", "Villa"),
        "portal_agent_id": or_none("7", "8"),
        "portal_agent_kind": or_none("user", "profile"),
        "portal_agent_name": or_none("Sarah", "Omar"),
        "response_link": or_none("https://wa.example/1", "https://wa.example/2"),
        "recording_url": or_none("https://rec.example/1", "https://rec.example/2"),
        "talk_seconds": or_none(0, 60),
        "wait_seconds": or_none(0, 5),
        "tags": or_none("[]", '["hot"]'),
        "extra": or_none(
            {"enrichment": {"budget": 1}},
            {"project": "a"},
            {"enrichment": {"budget": 2}, "project": "b"},
        ),
    }
).map(
    lambda said: (
        said
        | {
            "content_id": repr(said),
            "phone_e164": PHONES.get(said["phone"]),
            "reference_key": REFERENCES.get(said["listing_reference"]),
        }
    )
)
pools = st.lists(contents, min_size=3, max_size=6)
"""Few contents, so that the same are seen again."""

instants = st.integers(0, 4).map(after)


@st.composite
def observation_lists(draw: st.DrawFn, max_size: int = 16) -> list[Row]:
    pool = draw(pools)
    observations = []
    for _ in range(draw(st.integers(0, max_size))):
        first, last = sorted([draw(instants), draw(instants)])
        observations.append(
            draw(st.sampled_from(pool))
            | {
                "lead_id": draw(st.sampled_from(["lead_1", "lead_2"])),
                "observed_by": draw(st.sampled_from(["poll", "webhook"])),
                "first_observed_at": first,
                "last_observed_at": last,
                "first_received_at": max(first, draw(instants)),
                "times_observed": 1,
            }
        )
    return observations


def merged(observations: Iterable[Row]) -> list[Row]:
    """The law's leads, with ``extra`` as what it says instead of its text."""
    written = [
        seen | {"extra": json.dumps(seen["extra"]) if seen["extra"] else None}
        for seen in observations
    ]
    leads = rows_of(merge_observations(frame_like(EXAMPLE, written)))
    return [lead | {"extra": lead["extra"] and json.loads(lead["extra"])} for lead in leads]


# ---- the law holds


@given(observation_lists())
@settings(with_database, max_examples=100)
def test_leads_are_what_the_law_says(observations: list[Row]) -> None:
    assert merged(observations) == merged_by_hand(observations)


@given(observation_lists(), st.randoms(use_true_random=False))
@with_database
def test_order_and_repetition_do_not_matter(observations: list[Row], random: Random) -> None:
    again = observations + [seen for seen in observations if random.random() < 0.5]
    random.shuffle(again)
    assert merged(again) == merged(observations)


@given(observation_lists(), st.lists(st.integers(0, 12), max_size=4))
@with_database
def test_batches_do_not_matter(observations: list[Row], cuts: list[int]) -> None:
    known: list[Row] = []
    bounds = [0, *sorted(cuts), len(observations)]
    for start, end in pairwise(bounds):
        known = summarised([*known, *observations[start:end]])
    assert merged(known) == merged(observations)


@given(observation_lists())
@with_database
def test_there_is_one_row_a_lead(observations: list[Row]) -> None:
    found = [lead["lead_id"] for lead in merged(observations)]
    assert sorted(found) == sorted({seen["lead_id"] for seen in observations})


@given(observation_lists())
@with_database
def test_a_field_that_was_ever_carried_is_never_erased(observations: list[Row]) -> None:
    for lead in merged(observations):
        for field in (*SHARED_FIELDS, *POLL_FIELDS):
            carried = {
                seen[field] for seen in observations if seen["lead_id"] == lead["lead_id"]
            } - {None}
            assert (lead[field] in carried) if carried else lead[field] is None
        ever = [seen["extra"] or {} for seen in observations if seen["lead_id"] == lead["lead_id"]]
        assert (lead["extra"] or {}).keys() == {field for extra in ever for field in extra}


@given(observation_lists(max_size=6), observation_lists(max_size=6))
@with_database
def test_what_is_older_than_all_that_is_known_changes_no_status(
    known: list[Row], late: list[Row]
) -> None:
    older = [seen | {"first_observed_at": NOON, "last_observed_at": NOON} for seen in late]
    newer = [seen | {"first_observed_at": after(9), "last_observed_at": after(9)} for seen in known]
    before = {lead["lead_id"]: lead["status"] for lead in merged(newer) if lead["status"]}
    afterwards = {lead["lead_id"]: lead["status"] for lead in merged(older + newer)}
    assert afterwards | before == afterwards


@given(observation_lists(max_size=1))
@with_database
def test_a_lead_with_a_single_observation_is_what_that_says(observations: list[Row]) -> None:
    assert merged(observations) == merged(observations * 2) == merged_by_hand(observations)


# ---- examples


def seen(
    record: Row, *, at: datetime, until: datetime | None = None, by: ObservedBy = "poll"
) -> pd.DataFrame:
    return observed(sighting(record, at=at, until=until), by=by).observations


def lead_of(*observations: pd.DataFrame) -> Row:
    (lead,) = rows_of(merge_observations(pd.concat(observations)))
    return lead


def test_a_recording_that_arrives_a_day_later_fills_in() -> None:
    lead = lead_of(
        seen(atlas_lead(call={"talkTime": 63, "waitTime": 5, "recordFile": ""}), at=NOON),
        seen(atlas_lead(), at=after(24 * 60)),
    )
    assert lead["recording_url"] == "https://recordings.example/1992.mp3"
    assert (lead["first_seen_at"], lead["updated_at"]) == (NOON, after(24 * 60))


def test_a_recording_stays_when_a_later_poll_does_not_carry_it() -> None:
    lead = lead_of(seen(atlas_lead(), at=NOON), seen(atlas_lead(call=None), at=after(5)))
    assert lead["recording_url"] == "https://recordings.example/1992.mp3"
    assert lead["talk_seconds"] == 63


def test_enrichment_stays_when_a_later_poll_carries_another_field_without_a_column() -> None:
    lead = lead_of(
        seen(bare_lead(enrichment={"nationality": "JO"}, score=1), at=NOON),
        seen(bare_lead(distributionType="project_cta", score=2), at=after(5)),
    )
    assert json.loads(lead["extra"]) == {
        "distributionType": "project_cta",
        "enrichment": {"nationality": "JO"},
        "score": 2,
    }


def test_fields_without_a_column_come_through_whatever_they_are_called_and_hold() -> None:
    odd = {
        'he said "hi" \\': "\u2028\x07",
        "a.b.$[0]": [1.5, True, [None], {}],
        "شقة": "شقة",
        "": 10**30,
        "deep": nested(500),
    }
    lead = lead_of(
        seen(bare_lead(**odd), at=NOON), seen(bare_lead(other=[]), at=after(5), by="webhook")
    )
    assert json.loads(lead["extra"]) == odd | {"other": []}


def test_fields_without_a_column_are_left_as_written_where_all_agree() -> None:
    polled = seen(atlas_lead(), at=NOON)
    extra = rows_of(polled)[0]["extra"]
    assert lead_of(polled)["extra"] == extra
    assert lead_of(polled, seen(atlas_lead(status="read"), at=after(5)))["extra"] == extra


@pytest.mark.parametrize("by", ["poll", "webhook"])
def test_a_status_never_travels_back_in_time(by: ObservedBy) -> None:
    newer = seen(bare_lead(status="read"), at=after(5))
    older = seen(bare_lead(status="replied"), at=NOON, by=by)
    assert lead_of(newer, older)["status"] == "read"
    assert lead_of(older, newer)["status"] == "read"


def test_a_status_seen_again_later_is_the_present_one() -> None:
    lead = lead_of(
        seen(bare_lead(status="sent"), at=NOON, until=after(10)),
        seen(bare_lead(status="read"), at=after(5)),
    )
    assert lead["status"] == "sent"


def test_at_the_same_instant_a_poll_outranks_a_webhook() -> None:
    lead = lead_of(
        seen(bare_lead(status="sent"), at=NOON, by="poll"),
        seen(bare_lead(status="read"), at=NOON, by="webhook"),
    )
    assert lead["status"] == "sent"


def test_at_the_same_instant_the_further_status_stands() -> None:
    lead = lead_of(*(seen(bare_lead(status=status), at=NOON) for status in STATUSES))
    assert lead["status"] == "replied"


def test_the_creation_of_a_poll_outranks_the_stand_in_of_a_later_webhook() -> None:
    lead = lead_of(
        seen(bare_lead(createdAt="2025-12-19T10:30:00Z"), at=NOON),
        seen(bare_lead(createdAt="2025-12-19T11:00:00Z"), at=after(5), by="webhook"),
    )
    assert lead["created_at"] == after(-90)


def test_until_a_poll_comes_the_webhook_says_it_all() -> None:
    lead = lead_of(seen(atlas_lead(), at=NOON, by="webhook"))
    assert lead["recording_url"] is not None
    assert lead["created_at"] == after(-90)


def test_a_channel_that_was_not_said_displaces_none() -> None:
    lead = lead_of(
        seen(bare_lead(channel="call"), at=NOON), seen(bare_lead(channel=None), at=after(5))
    )
    assert lead["channel"] == "call"


def test_a_phone_that_is_no_number_does_not_borrow_the_number_of_an_earlier_one() -> None:
    lead = lead_of(
        seen(bare_lead(phone="0501234567"), at=NOON), seen(bare_lead(phone="none"), at=after(5))
    )
    assert (lead["phone"], lead["phone_e164"]) == ("none", None)


def test_a_reference_without_a_key_does_not_borrow_the_key_of_an_earlier_one() -> None:
    lead = lead_of(
        seen(bare_lead(listing={"reference": "APT 1"}), at=NOON),
        seen(bare_lead(listing={"reference": "\u200b"}), at=after(5)),
    )
    assert lead["reference_key"] is None


@pytest.mark.parametrize("later", [{"id": 6}, {"reference": "APT 2"}])
def test_a_new_listing_takes_nothing_over_from_the_former_one(later: dict[str, object]) -> None:
    lead = lead_of(
        seen(bare_lead(listing={"id": 5, "reference": "APT 1", "title": "Flat"}), at=NOON),
        seen(bare_lead(listing=later), at=after(5)),
    )
    named = {"id": None, "reference": None, "title": None} | later
    assert [lead[field] for field in LISTING_FIELDS] == [
        None if value is None else str(value) for value in named.values()
    ]
    assert (lead["reference_key"] is None) == (lead["listing_reference"] is None)


@pytest.mark.parametrize(
    "later", [{"id": 5}, {"reference": "APT 1"}, {"id": 5, "reference": "APT 1"}, {"title": "?"}]
)
def test_a_listing_keeps_what_a_later_observation_of_it_leaves_out(
    later: dict[str, object],
) -> None:
    lead = lead_of(
        seen(bare_lead(listing={"id": 5, "reference": "APT 1", "title": "Flat"}), at=NOON),
        seen(bare_lead(listing=later), at=after(5)),
    )
    assert [lead[field] for field in LISTING_FIELDS] == ["5", "APT 1", "Flat"]
    assert lead["reference_key"] == "apt1"


def test_a_listing_keeps_its_title_when_the_other_dialect_names_another_id() -> None:
    lead = lead_of(
        seen(bare_lead(listing={"id": 5, "reference": "APT 1", "title": "Flat"}), at=NOON),
        seen(bare_lead(listing={"id": "01HX", "reference": "APT 1"}), at=after(5)),
    )
    assert [lead[field] for field in LISTING_FIELDS] == ["01HX", "APT 1", "Flat"]


def test_a_listing_that_changed_its_reference_keeps_its_title() -> None:
    lead = lead_of(
        seen(bare_lead(listing={"id": 5, "reference": "APT 1", "title": "Flat"}), at=NOON),
        seen(bare_lead(listing={"id": 5, "reference": "APT 2"}), at=after(5)),
    )
    assert [lead[field] for field in LISTING_FIELDS] == ["5", "APT 2", "Flat"]


@pytest.mark.parametrize("later", [{"assignedTo": {"id": 2}}, {"publicProfile": {"id": 1}}])
def test_a_new_portal_agent_does_not_take_over_the_name_of_the_former_one(
    later: dict[str, object],
) -> None:
    lead = lead_of(
        seen(bare_lead(assignedTo={"id": 1, "name": "Sarah"}), at=NOON),
        seen(bare_lead(**later), at=after(5)),
    )
    kind, agent = ("user", "2") if "assignedTo" in later else ("profile", "1")
    assert [lead[field] for field in AGENT_FIELDS] == [agent, kind, None]


def test_a_portal_agent_keeps_the_name_that_a_later_observation_leaves_out() -> None:
    lead = lead_of(
        seen(bare_lead(assignedTo={"id": 1, "name": "Sarah"}), at=NOON),
        seen(bare_lead(assignedTo={"id": 1}), at=after(5)),
        seen(bare_lead(), at=after(7)),
    )
    assert [lead[field] for field in AGENT_FIELDS] == ["1", "user", "Sarah"]


def test_a_lead_is_updated_when_it_shows_something_new_and_not_when_it_is_seen_again() -> None:
    webhook = seen(guide_lead(), at=NOON, by="webhook")
    poll = seen(guide_lead(), at=after(5), until=after(600))
    assert lead_of(webhook, poll)["updated_at"] == NOON
    assert lead_of(webhook, poll, seen(guide_lead(), at=after(700)))["updated_at"] == NOON
    changed = seen(guide_lead(status="read"), at=after(7))
    assert lead_of(webhook, poll, changed)["updated_at"] == after(7)


def test_leads_are_ordered_by_creation_then_id() -> None:
    frame = observations_of(
        bare_lead(id="c"), bare_lead(id="b"), bare_lead(id="a", createdAt="2025-12-19T10:31:00Z")
    )
    assert merge_observations(frame)["lead_id"].tolist() == ["b", "c", "a"]


def test_no_observations_give_no_leads_and_the_same_types() -> None:
    some = merge_observations(EXAMPLE)
    assert merge_observations(EXAMPLE.iloc[:0]).dtypes.to_dict() == some.dtypes.to_dict()
