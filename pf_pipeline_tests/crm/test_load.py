import json
from datetime import UTC, datetime
from typing import Any

import duckdb
import pandas as pd
import pytest

from pf_pipeline.crm import Loaded
from pf_pipeline.leads.observing import Observed
from pf_pipeline_tests.crm.builders import (
    CRM_TABLES,
    DAY,
    NEXT_DAY,
    NOON,
    RECORDING,
    SAMPLE,
    SARAH,
    SARAHS_REFERENCE,
    CrmFile,
    after,
    guide_lead,
    lead,
    on_listing,
    seen,
)

MANY = 20_000


def test_a_lead_that_a_person_deleted_comes_back_with_all_that_was_known_of_it(
    crm: CrmFile,
) -> None:
    crm.load(seen(guide_lead(status="sent")))
    crm.by_hand("DELETE FROM crm.leads")
    crm.load(seen(lead(SAMPLE, status="read"), at=after(5)))
    row = crm.lead()
    assert (row["name"], row["status"], row["first_seen_at"]) == ("John Doe", "read", NOON)


def test_the_guides_lead_goes_to_the_agent_who_owns_its_listing(crm: CrmFile) -> None:
    crm.load(seen(guide_lead()))
    row = crm.lead()
    assert row == {
        "lead_id": SAMPLE,
        "channel": "whatsapp",
        "status": None,
        "entity_type": None,
        "name": "John Doe",
        "email": "johndoe@example.com",
        "phone": "+971501234567",
        "phone_e164": "+971501234567",
        "whatsapp_username": None,
        "message": "I am interested in this apartment, please call me.",
        "listing_id": "554433",
        "listing_reference": SARAHS_REFERENCE,
        "listing_title": "Luxury 2BR in Downtown",
        "portal_agent_id": "1234",
        "portal_agent_kind": "user",
        "portal_agent_name": "Agent Sarah",
        "property_ref": SARAHS_REFERENCE,
        "agent_id": SARAH,
        "assignment_rule": "listing_reference",
        "assignment_reason": f"owns the property {SARAHS_REFERENCE}",
        "assigned_at": NOON,
        "response_link": None,
        "tags": None,
        "extra": None,
        "created_at": datetime(2025, 12, 19, 10, 30, tzinfo=UTC),
        "first_seen_at": NOON,
        "updated_at": NOON,
    }


def test_loading_the_same_again_changes_no_row_of_any_table(crm: CrmFile) -> None:
    received = seen(guide_lead(status="sent", recordingUrl=RECORDING), lead("x", createdAt="?"))
    crm.load(received)
    before = crm.tables()
    assert all(before[table] for table in CRM_TABLES)
    crm.load(received)
    assert crm.tables() == before


def test_a_later_poll_that_sees_nothing_new_changes_no_row_of_any_table(crm: CrmFile) -> None:
    crm.load(seen(guide_lead(status="sent", recordingUrl=RECORDING), lead("x", createdAt="?")))
    before = crm.tables()
    crm.load(seen(guide_lead(status="sent", recordingUrl=RECORDING), lead("x", createdAt="?")))
    crm.load(
        seen(
            guide_lead(status="sent", recordingUrl=RECORDING),
            lead("x", createdAt="?"),
            at=after(5),
        )
    )
    assert crm.tables() == before


def test_a_load_says_how_many_leads_are_new_changed_and_as_they_were(crm: CrmFile) -> None:
    first = crm.load(seen(lead("a", status="sent"), lead("b", status="sent")))
    second = crm.load(
        seen(lead("a", status="read"), lead("b", status="sent"), lead("c"), at=after(5))
    )
    assert first == Loaded(inserted=2, updated=0, unchanged=0)
    assert second == Loaded(inserted=1, updated=1, unchanged=1)


def test_a_lead_that_a_load_observes_several_times_counts_once(crm: CrmFile) -> None:
    loaded = crm.load(
        seen(lead("a", status="sent")), seen(lead("a", status="read"), at=after(5)), seen(lead("b"))
    )
    assert loaded == Loaded(inserted=2, updated=0, unchanged=0)


def test_loading_the_same_again_reports_unchanged(crm: CrmFile) -> None:
    crm.load(seen(guide_lead()))
    assert crm.load(seen(guide_lead())) == Loaded(inserted=0, updated=0, unchanged=1)


def test_outcomes_add_up() -> None:
    assert Loaded(1, 2, 3) + Loaded(10, 20, 30) == Loaded(11, 22, 33)


def test_a_load_without_any_lead_changes_nothing(crm: CrmFile) -> None:
    crm.load(seen(guide_lead()))
    before = crm.tables()
    assert crm.load(seen()) == Loaded(inserted=0, updated=0, unchanged=0)
    assert crm.tables() == before


def test_the_same_observation_twice_in_one_load_is_one(crm: CrmFile) -> None:
    loaded = crm.load(seen(guide_lead()), seen(guide_lead()))
    assert loaded == Loaded(inserted=1, updated=0, unchanged=0)
    again = crm.load(seen(guide_lead(), at=after(5)), seen(guide_lead(), at=after(9)))
    assert again == Loaded(inserted=0, updated=0, unchanged=1)


def test_contents_that_stand_twice_in_one_load_are_seen_from_their_first_to_their_last_instant(
    crm: CrmFile,
) -> None:
    old_and_new = seen(lead(name="Old"), at=after(2)), seen(lead(name="New"), at=after(5))
    crm.load(*old_and_new, seen(lead(name="Old"), at=after(9)), seen(lead(name="Old"), at=after(1)))
    row = crm.lead()
    assert (row["name"], row["first_seen_at"]) == ("Old", after(1))


def test_a_status_that_moves_is_followed(crm: CrmFile) -> None:
    for minutes, status in enumerate(("sent", "delivered", "read", "replied")):
        crm.load(seen(lead(status=status), at=after(minutes)))
        assert crm.lead()["status"] == status


def test_an_older_status_that_arrives_late_does_not_turn_back_a_newer_one(crm: CrmFile) -> None:
    crm.load(seen(lead(status="replied"), at=after(9), by="webhook"))
    loaded = crm.load(seen(lead(status="sent"), at=after(1), by="webhook"))
    assert crm.lead()["status"] == "replied"
    assert loaded.inserted == 0


def test_an_older_sight_that_arrives_late_does_not_make_contents_older(crm: CrmFile) -> None:
    for name, minutes in (("Latest", 5), ("Between", 3), ("Latest", 1)):
        crm.load(seen(lead(name=name), at=after(minutes)))
    assert crm.lead()["name"] == "Latest"


def test_a_name_that_appears_later_fills_in(crm: CrmFile) -> None:
    crm.load(seen(lead()))
    crm.load(seen(lead(name="John Doe"), at=after(5)))
    assert crm.lead()["name"] == "John Doe"


@pytest.mark.parametrize("missing", [None, "", "  "])
def test_a_field_that_is_not_carried_does_not_erase_what_is_known(
    crm: CrmFile, missing: str | None
) -> None:
    crm.load(seen(guide_lead(status="sent", responseLink="https://wa.example/1")))
    before = crm.lead()
    crm.load(
        seen(
            {"id": SAMPLE, "createdAt": "2025-12-19T10:30:00Z", "channel": missing}
            | dict.fromkeys(
                ("name", "email", "phone", "message", "status", "responseLink"), missing
            ),
            at=after(5),
        )
    )
    assert crm.lead() == before | {"updated_at": after(5)}


def test_a_webhook_that_knows_less_does_not_erase_what_a_poll_told(crm: CrmFile) -> None:
    crm.load(seen(lead(tags=["hot"], call={"talkTime": 63, "recordFile": RECORDING})))
    crm.load(
        seen(lead(status="replied", createdAt="2025-12-19T12:05:00Z"), at=after(5), by="webhook")
    )
    row = crm.lead()
    assert (row["status"], row["tags"], row["created_at"].hour) == ("replied", '["hot"]', 10)
    assert crm.recording()["recording_url"] == RECORDING


def test_a_webhook_and_a_poll_of_the_same_lead_are_one_row(crm: CrmFile) -> None:
    first = crm.load(seen(guide_lead(), by="webhook"))
    second = crm.load(seen(guide_lead(), at=after(5)))
    assert (first.inserted, second.inserted) == (1, 0)
    assert crm.lead()["first_seen_at"] == NOON


def test_first_seen_is_the_first_instant_of_all_however_late_it_arrives(crm: CrmFile) -> None:
    crm.load(seen(lead(status="read"), at=after(9)))
    crm.load(seen(lead(status="sent"), at=after(3)))
    assert crm.lead()["first_seen_at"] == after(3)


def test_updated_is_the_last_instant_that_showed_something_new(crm: CrmFile) -> None:
    crm.load(seen(lead(status="sent"), at=after(0)))
    crm.load(seen(lead(status="read"), at=after(4)))
    crm.load(seen(lead(status="read"), at=after(9)))
    assert crm.lead()["updated_at"] == after(4)


def test_a_lead_of_the_day_before_is_updated_by_another_days_load(crm: CrmFile) -> None:
    crm.load(seen(lead(status="sent")))
    crm.load(seen(lead(status="read"), at=after(24 * 60), day=NEXT_DAY), days=[NEXT_DAY])
    assert [row["status"] for row in crm.rows("leads")] == ["read"]


def test_tags_and_unknown_fields_are_valid_json_in_the_database(crm: CrmFile) -> None:
    odd: dict[str, Any] = {
        "score": 1e99,
        "note": 'a "b" \\ \n é 😀',
        "deep": {"a": [1, None, True]},
    }
    crm.load(seen(lead(tags=["hot", "قريب"], **odd)))
    (row,) = crm.query(
        """
        SELECT
            json_valid(tags) AND json_valid(extra) AS valid,
            typeof(tags) AS tags_type,
            typeof(extra) AS extra_type,
            tags ->> 1 AS second_tag,
            extra ->> '$.note' AS note
        FROM crm.leads
        """
    )
    assert row == {
        "valid": True,
        "tags_type": "JSON",
        "extra_type": "JSON",
        "second_tag": "قريب",
        "note": odd["note"],
    }
    assert json.loads(crm.lead()["extra"]) == odd


def test_values_that_look_like_sql_are_only_values(crm: CrmFile) -> None:
    hostile = "'; DROP TABLE crm.leads; --"
    crm.load(seen(lead(hostile, name=hostile, status=hostile, **on_listing(hostile))))
    row = crm.lead(hostile)
    assert (row["name"], row["status"], row["listing_reference"]) == (hostile, hostile, hostile)


def damaged(observed: Observed) -> Observed:
    """What only a defect elsewhere can bring, and the database refuses half-way."""
    return Observed(observed.observations.assign(tags="no JSON"), observed.rejected)


def test_a_load_that_fails_leaves_nothing_behind(crm: CrmFile) -> None:
    crm.load(seen(guide_lead(status="sent"), lead("x", createdAt="?")))
    before = crm.tables()
    with pytest.raises(duckdb.Error):
        crm.load(damaged(seen(guide_lead(status="read"), lead("new"), at=after(5))))
    assert crm.tables() == before


def test_a_load_that_fails_at_its_last_step_leaves_nothing_behind(crm: CrmFile) -> None:
    before = crm.tables()
    rejected = seen(lead("x", createdAt="?")).rejected.assign(reason=None)
    with pytest.raises(duckdb.ConstraintException):
        crm.load(Observed(seen(guide_lead()).observations, rejected))
    assert crm.tables() == before


def test_what_a_failed_load_brought_is_not_remembered(crm: CrmFile) -> None:
    with pytest.raises(duckdb.Error):
        crm.load(damaged(seen(lead(status="replied"), at=after(5))))
    crm.load(seen(lead(status="sent")))
    assert crm.lead()["status"] == "sent"


def test_the_same_open_crm_works_on_after_a_failed_load(crm: CrmFile) -> None:
    good = seen(guide_lead())
    with crm.open() as warehouse:
        with pytest.raises(duckdb.Error):
            warehouse.load_leads(damaged(good).observations, good.rejected, days=[DAY])
        loaded = warehouse.load_leads(good.observations, good.rejected, days=[DAY])
    assert loaded == Loaded(inserted=1, updated=0, unchanged=0)


def test_a_lead_that_somebody_deleted_by_hand_comes_back(crm: CrmFile) -> None:
    crm.load(seen(guide_lead(status="sent", recordingUrl=RECORDING)))
    before = crm.tables()
    for table in ("leads", "call_recordings", "lead_events"):
        crm.by_hand(f"DELETE FROM crm.{table}")
    loaded = crm.load(seen(guide_lead(status="sent", recordingUrl=RECORDING)))
    assert loaded.inserted == 1
    assert (crm.rows("leads"), crm.rows("call_recordings")) == (
        before["leads"],
        before["call_recordings"],
    )


def test_a_field_that_somebody_edited_by_hand_is_what_was_observed_again(crm: CrmFile) -> None:
    crm.load(seen(guide_lead()))
    crm.by_hand("UPDATE crm.leads SET name = NULL, status = 'invented'")
    assert crm.load(seen(guide_lead(), at=after(5))).updated == 1
    assert (crm.lead()["name"], crm.lead()["status"]) == ("John Doe", None)


def test_how_leads_stand_is_counted_by_day_and_rule(crm: CrmFile) -> None:
    crm.load(seen(guide_lead(recordingUrl=RECORDING), lead("a"), lead("b")))
    wanted = pd.DataFrame(
        [(DAY, SAMPLE), (DAY, "a"), (NEXT_DAY, "b"), (NEXT_DAY, "never loaded")],
        columns=["day", "lead_id"],
    )
    with crm.open() as warehouse:
        standing = warehouse.standing_by_day(wanted)
    assert standing.to_numpy().tolist() == [
        [DAY, "listing_reference", 1, 1],
        [DAY, "unassigned", 1, 0],
        [NEXT_DAY, "unassigned", 1, 0],
    ]


def test_twenty_thousand_leads_load_in_one_call(crm: CrmFile) -> None:
    many = seen(*(lead(f"lead_{n}", **on_listing(SARAHS_REFERENCE)) for n in range(MANY)))
    with crm.open() as warehouse:
        first = warehouse.load_leads(many.observations, many.rejected, days=[DAY])
        second = warehouse.load_leads(many.observations, many.rejected, days=[DAY])
        (counts,) = warehouse.query(
            "SELECT count(DISTINCT lead_id) AS leads, count(agent_id) AS with_agent FROM crm.leads"
        ).to_numpy()
    assert (first, second) == (Loaded(MANY, 0, 0), Loaded(0, 0, MANY))
    assert counts.tolist() == [MANY, MANY]
