"""``crm.lead_events``: each change of a lead, once, with the instant at which it showed."""

import pytest

from pf_pipeline.leads.observing import ObservedBy
from pf_pipeline_tests.crm.builders import (
    LINA,
    LINAS_USER,
    NOON,
    OMAR,
    OMARS_REFERENCE,
    OTHER_RECORDING,
    RECORDING,
    SARAH,
    SARAHS_REFERENCE,
    UNKNOWN_REFERENCE,
    CrmFile,
    Record,
    after,
    guide_lead,
    lead,
    of_agent,
    on_listing,
    seen,
)

BLANK_REFERENCE = "\u200b"
"""A reference of invisible characters, which no property can have."""


def test_the_first_load_notes_status_agent_and_recording(crm: CrmFile) -> None:
    crm.load(seen(guide_lead(status="sent", recordingUrl=RECORDING)))
    assert crm.events("status") == {"sent": NOON}
    assert crm.events("agent") == {SARAH: NOON}
    assert crm.events("recording") == {RECORDING: NOON}


def test_a_lead_without_status_agent_and_recording_has_no_history(crm: CrmFile) -> None:
    crm.load(seen(lead()))
    assert crm.rows("lead_events") == []


@pytest.mark.parametrize("by", ["poll", "webhook"])
def test_each_status_is_noted_once_with_the_first_instant_at_which_it_showed(
    crm: CrmFile, by: ObservedBy
) -> None:
    for minutes, status in ((0, "sent"), (5, "sent"), (10, "read"), (15, "read"), (20, "replied")):
        crm.load(seen(lead(status=status), at=after(minutes), by=by))
    assert crm.events("status") == {"sent": after(0), "read": after(10), "replied": after(20)}


def test_a_status_that_a_webhook_told_earlier_than_the_poll_is_noted_with_the_earlier_instant(
    crm: CrmFile,
) -> None:
    crm.load(seen(lead(status="replied"), at=after(5)))
    crm.load(seen(lead(status="replied"), at=after(1), by="webhook"))
    assert crm.events("status") == {"replied": after(1)}


def test_an_older_status_that_arrives_late_is_part_of_the_history(crm: CrmFile) -> None:
    crm.load(seen(lead(status="replied"), at=after(9)))
    crm.load(seen(lead(status="sent"), at=after(1)))
    assert crm.events("status") == {"sent": after(1), "replied": after(9)}


def test_statuses_nobody_knows_are_noted_too(crm: CrmFile) -> None:
    crm.load(seen(lead(status="archived_by_portal")))
    assert crm.events("status") == {"archived_by_portal": NOON}


def test_each_agent_whom_the_rules_gave_is_noted_with_the_instant_of_the_reason(
    crm: CrmFile,
) -> None:
    crm.load(seen(lead(**on_listing(SARAHS_REFERENCE)), at=after(1)))
    crm.load(seen(lead(**on_listing(OMARS_REFERENCE)), at=after(7)))
    assert crm.events("agent") == {SARAH: after(1), OMAR: after(7)}


def test_a_history_that_arrives_at_once_is_noted_like_one_that_arrives_bit_by_bit(
    crm: CrmFile,
) -> None:
    crm.load(
        seen(lead(**on_listing(OMARS_REFERENCE)), at=after(7)),
        seen(lead(**on_listing(SARAHS_REFERENCE)), at=after(1)),
    )
    assert crm.events("agent") == {SARAH: after(1), OMAR: after(7)}


def test_an_agent_before_the_present_one_is_noted_however_late_that_becomes_known(
    crm: CrmFile,
) -> None:
    crm.load(seen(lead(**on_listing(OMARS_REFERENCE)), at=after(7)))
    crm.load(seen(lead(**on_listing(SARAHS_REFERENCE)), at=after(1)))
    assert crm.lead()["agent_id"] == OMAR
    assert crm.events("agent") == {SARAH: after(1), OMAR: after(7)}


def test_an_agent_who_never_had_the_lead_by_what_is_known_now_is_not_in_the_history(
    crm: CrmFile,
) -> None:
    crm.load(seen(lead(**of_agent(LINAS_USER)), at=after(7), by="webhook"))
    assert crm.events("agent") == {LINA: after(7)}
    crm.load(seen(lead(**on_listing(SARAHS_REFERENCE)), at=after(1)))
    assert crm.events("agent") == {SARAH: after(1)}


def test_contents_that_return_are_judged_with_what_was_learned_meanwhile(crm: CrmFile) -> None:
    by_portal = lead(**of_agent(LINAS_USER))
    crm.load(seen(by_portal, at=after(1)))
    crm.load(seen(lead(**on_listing(OMARS_REFERENCE)), at=after(4)))
    crm.load(seen(by_portal, at=after(9)))
    assert crm.lead()["agent_id"] == OMAR
    assert crm.events("agent") == {LINA: after(1), OMAR: after(4)}


def test_a_poll_that_sees_nothing_new_moves_no_instant_of_the_history(crm: CrmFile) -> None:
    """The agent at the portal is known from one way, the unknown listing from the other."""
    unlisted = lead(**on_listing(UNKNOWN_REFERENCE))
    crm.load(seen(unlisted, at=after(1)))
    crm.load(
        seen(
            lead(**on_listing(SARAHS_REFERENCE), **of_agent(LINAS_USER)), at=after(3), by="webhook"
        )
    )
    crm.load(seen(unlisted, at=after(5)))
    before = crm.rows("lead_events")
    assert crm.events("agent") == {SARAH: after(3), LINA: after(3)}
    crm.load(seen(unlisted, at=after(6)))
    assert crm.rows("lead_events") == before


def test_the_agent_of_the_lead_is_in_the_history_when_polls_of_one_instant_differ(
    crm: CrmFile,
) -> None:
    """Of observations of one instant the further status counts as the later one."""
    ids = [f"lead_{number}" for number in range(8)]
    unlisted = {"status": "read", **on_listing(UNKNOWN_REFERENCE)}
    listed = {"status": "sent", **on_listing(OMARS_REFERENCE), **of_agent(LINAS_USER)}
    crm.load(seen(*(lead(id_, **fields) for id_ in ids for fields in (unlisted, listed))))
    assert {row["agent_id"] for row in crm.rows("leads")} == {LINA}
    assert [LINA in crm.events("agent", id_) for id_ in ids] == [True] * len(ids)


@pytest.mark.parametrize(
    "later", [{"reference": BLANK_REFERENCE}, {"id": 6}, {"id": 6, "reference": BLANK_REFERENCE}]
)
def test_a_new_listing_does_not_borrow_the_reference_of_the_former_one(
    crm: CrmFile, later: Record
) -> None:
    crm.load(
        seen(lead(listing={"id": 5, "reference": SARAHS_REFERENCE}), at=after(1)),
        seen(lead(listing=later, **of_agent(LINAS_USER)), at=after(5)),
        seen(lead(listing={"reference": OMARS_REFERENCE}), at=after(9)),
    )
    assert crm.events("agent") == {SARAH: after(1), LINA: after(5), OMAR: after(9)}


def test_a_listing_named_by_its_id_alone_has_the_reference_heard_of_it(crm: CrmFile) -> None:
    crm.load(
        seen(lead(listing={"id": 5, "reference": SARAHS_REFERENCE}), at=after(1)),
        seen(lead(listing={"id": 6, "reference": OMARS_REFERENCE}), at=after(3)),
        seen(lead(listing={"id": 5}, **of_agent(LINAS_USER)), at=after(5)),
    )
    assert crm.lead()["agent_id"] == SARAH
    assert crm.events("agent") == {SARAH: after(1), OMAR: after(3)}


def test_each_recording_is_noted_once_with_the_first_instant_at_which_it_showed(
    crm: CrmFile,
) -> None:
    crm.load(seen(lead(), at=after(0)))
    crm.load(seen(lead(recordingUrl=RECORDING), at=after(5)))
    crm.load(seen(lead(recordingUrl=RECORDING), at=after(6)))
    crm.load(seen(lead(recordingUrl=OTHER_RECORDING), at=after(8)))
    assert crm.events("recording") == {RECORDING: after(5), OTHER_RECORDING: after(8)}


def test_histories_of_different_leads_do_not_mix(crm: CrmFile) -> None:
    crm.load(seen(lead("a", status="sent"), lead("b", status="read")))
    crm.load(seen(lead("a", status="read"), at=after(5)))
    assert crm.events("status", "a") == {"sent": NOON, "read": after(5)}
    assert crm.events("status", "b") == {"read": NOON}
