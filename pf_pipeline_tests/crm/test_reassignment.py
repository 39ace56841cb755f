"""Who gets a lead when people, listings and leads change: law 5 of the design."""

import pytest

from pf_pipeline_tests.crm.builders import (
    AGENTS,
    GONE,
    GONES_REFERENCE,
    GONES_USER,
    LINA,
    LINAS_USER,
    NOON,
    OMAR,
    OMARS_REFERENCE,
    OMARS_USER,
    PROPERTIES,
    RECORDING,
    SAMPLE,
    SARAH,
    SARAHS_REFERENCE,
    SARAHS_USER,
    UNKNOWN_REFERENCE,
    UNKNOWN_USER,
    CrmFile,
    Record,
    after,
    agents,
    guide_lead,
    lead,
    of_agent,
    on_listing,
    properties,
    seen,
)

ASSIGNED = guide_lead(status="sent", recordingUrl=RECORDING)
UNASSIGNED = lead(
    status="sent",
    recordingUrl=RECORDING,
    **on_listing(UNKNOWN_REFERENCE),
    **of_agent(UNKNOWN_USER),
)
EVERYTHING_CHANGES = [
    {"status": "replied"},
    {"listing": {"reference": OMARS_REFERENCE}},
    {"assignedTo": {"id": OMARS_USER}},
    {"listing": {"reference": OMARS_REFERENCE}, "assignedTo": {"id": OMARS_USER}, "status": "read"},
    {"listing": {"reference": UNKNOWN_REFERENCE}, "assignedTo": {"id": UNKNOWN_USER}},
    {"listing": None, "assignedTo": None},
]

DECIDED = {
    f"{state} {how}": (record | {"id": f"{state} {how}"}, decision)
    for state, record in (("assigned", ASSIGNED), ("unassigned", UNASSIGNED))
    for how, decision in (
        ("silently", f"agent_id = '{LINA}'"),
        ("openly", f"agent_id = '{LINA}', assignment_rule = 'manual'"),
    )
}
"""Leads as they are polled first, and what a person then does with them, by lead id."""


def decide(crm: CrmFile, decision: str, lead_id: str = SAMPLE) -> None:
    crm.by_hand(f"UPDATE crm.leads SET {decision} WHERE lead_id = ?", lead_id)


@pytest.fixture
def decided(crm: CrmFile) -> CrmFile:
    """A CRM in which a person gave every lead to Lina."""
    crm.load(seen(*(record for record, _ in DECIDED.values())))
    for lead_id, (_, decision) in DECIDED.items():
        decide(crm, decision, lead_id)
    return crm


def load_decided(crm: CrmFile, minutes: int, change: Record | None = None) -> None:
    records = [record | (change or {}) for record, _ in DECIDED.values()]
    crm.load(seen(*records, at=after(minutes)))


def assert_all_linas(crm: CrmFile) -> None:
    assert {row["lead_id"]: row["agent_id"] for row in crm.rows("leads")} == dict.fromkeys(
        DECIDED, LINA
    )


@pytest.mark.parametrize("change", EVERYTHING_CHANGES)
def test_no_later_poll_changes_a_persons_decision(decided: CrmFile, change: Record) -> None:
    load_decided(decided, 5, change)
    assert_all_linas(decided)
    load_decided(decided, 10)
    assert_all_linas(decided)
    load_decided(decided, 15, change)
    assert_all_linas(decided)
    assert {row["assignment_rule"] for row in decided.rows("leads")} == {"manual"}


def test_no_change_of_listings_or_people_changes_a_persons_decision(decided: CrmFile) -> None:
    everything_omars = properties((SARAHS_REFERENCE, OMAR), (UNKNOWN_REFERENCE, OMAR))
    for minutes in (5, 10):
        decided.refresh(properties=everything_omars, now=after(minutes))
        decided.refresh(agents=agents((OMAR, UNKNOWN_USER, None, True), (LINA, None, None, False)))
        assert_all_linas(decided)
        load_decided(decided, minutes)
        assert_all_linas(decided)


def test_a_persons_decision_is_marked_as_such(crm: CrmFile) -> None:
    crm.load(seen(ASSIGNED))
    decide(crm, f"agent_id = '{LINA}'")
    crm.load(seen(ASSIGNED, at=after(5)))
    assert crm.lead()["assignment_rule"] == "manual"


def test_a_decided_lead_is_kept_up_to_date_in_everything_else(crm: CrmFile) -> None:
    crm.load(seen(ASSIGNED))
    decide(crm, f"agent_id = '{LINA}'")
    crm.load(seen(ASSIGNED | {"status": "replied", "name": "J. Doe"}, at=after(5)))
    row = crm.lead()
    assert (row["status"], row["name"], row["agent_id"]) == ("replied", "J. Doe", LINA)


def test_a_decision_for_an_agent_who_had_the_lead_before_stands_as_well(crm: CrmFile) -> None:
    """The rules gave the lead to Sarah, then to Omar; a person gives it back to Sarah."""
    crm.load(seen(lead(**of_agent(SARAHS_USER))))
    crm.load(seen(lead(**on_listing(OMARS_REFERENCE)), at=after(5)))
    assert crm.lead()["agent_id"] == OMAR
    decide(crm, f"agent_id = '{SARAH}'")
    crm.load(seen(lead(**on_listing(OMARS_REFERENCE), **of_agent(LINAS_USER)), at=after(10)))
    row = crm.lead()
    assert (row["agent_id"], row["assignment_rule"]) == (SARAH, "manual")


def test_a_decision_for_the_agent_whom_the_rules_would_have_given_stands_as_well(
    crm: CrmFile,
) -> None:
    """The listings give the lead to Omar only after it was loaded; a person was faster."""
    crm.load(seen(ASSIGNED))
    crm.refresh(properties=properties((SARAHS_REFERENCE, OMAR)))
    decide(crm, f"agent_id = '{OMAR}'")
    crm.load(seen(ASSIGNED | of_agent(LINAS_USER), at=after(5)))
    crm.refresh(properties=properties((SARAHS_REFERENCE, LINA)))
    crm.load(seen(ASSIGNED | of_agent(SARAHS_USER), at=after(10)))
    assert crm.lead()["agent_id"] == OMAR


def test_manual_alone_keeps_the_agent_whom_the_rules_gave(crm: CrmFile) -> None:
    crm.load(seen(ASSIGNED))
    decide(crm, "assignment_rule = 'manual'")
    crm.load(seen(ASSIGNED | on_listing(OMARS_REFERENCE), at=after(5)))
    assert crm.lead()["agent_id"] == SARAH


@pytest.mark.parametrize(
    "decision", ["agent_id = NULL", "agent_id = NULL, assignment_rule = 'manual'"]
)
def test_a_lead_that_a_person_took_from_its_agent_is_not_given_back(
    crm: CrmFile, decision: str
) -> None:
    crm.load(seen(ASSIGNED))
    decide(crm, decision)
    assert crm.refresh(properties=PROPERTIES) == 0
    for minutes, record in ((5, ASSIGNED), (10, ASSIGNED | on_listing(OMARS_REFERENCE))):
        crm.load(seen(record, at=after(minutes)))
        assert crm.refresh(properties=properties((OMARS_REFERENCE, LINA))) == 0
        assert crm.lead()["agent_id"] is None


def test_a_lead_that_a_person_marks_unassigned_is_the_rules_again(crm: CrmFile) -> None:
    crm.load(seen(ASSIGNED))
    decide(crm, f"agent_id = '{LINA}'")
    crm.load(seen(ASSIGNED, at=after(5)))
    decide(crm, "agent_id = NULL, assignment_rule = 'unassigned'")
    assert crm.refresh(now=after(6)) == 1
    row = crm.lead()
    assert (row["agent_id"], row["assignment_rule"]) == (SARAH, "listing_reference")


def test_a_lead_that_a_person_marks_unassigned_is_the_rules_at_the_next_poll(crm: CrmFile) -> None:
    crm.load(seen(ASSIGNED))
    decide(crm, "agent_id = NULL, assignment_rule = 'unassigned'")
    crm.load(seen(ASSIGNED, at=after(5)))
    assert crm.lead()["agent_id"] == SARAH


def test_unassigned_and_manual_is_a_decision_too(crm: CrmFile) -> None:
    crm.load(seen(UNASSIGNED))
    decide(crm, "assignment_rule = 'manual'")
    assert crm.refresh(properties=properties((UNKNOWN_REFERENCE, OMAR))) == 0
    crm.load(seen(UNASSIGNED, at=after(5)))
    assert crm.lead()["agent_id"] is None


def test_a_lead_that_a_person_wrote_into_the_crm_keeps_its_agent_when_the_portal_tells_of_it(
    crm: CrmFile,
) -> None:
    crm.by_hand(
        """
        INSERT INTO crm.leads BY NAME
        SELECT
            ? AS lead_id, 'walk-in' AS channel, ? AS agent_id, 'by phone' AS assignment_rule,
            now() AS created_at, now() AS first_seen_at, now() AS updated_at
        """,
        SAMPLE,
        LINA,
    )
    crm.load(seen(guide_lead()))
    row = crm.lead()
    assert (row["agent_id"], row["assignment_rule"], row["name"]) == (LINA, "manual", "John Doe")


def test_a_lead_that_a_person_wrote_into_the_crm_without_an_agent_is_tried_again(
    crm: CrmFile,
) -> None:
    crm.by_hand(
        """
        INSERT INTO crm.leads BY NAME
        SELECT
            'walk-in' AS lead_id, 'walk-in' AS channel, 'unassigned' AS assignment_rule,
            ? AS listing_reference,
            now() AS created_at, now() AS first_seen_at, now() AS updated_at
        """,
        SARAHS_REFERENCE,
    )
    assert crm.refresh(now=NOON) == 1
    row = crm.lead("walk-in")
    assert (row["agent_id"], row["assigned_at"]) == (SARAH, NOON)


def test_an_agent_keeps_a_lead_when_its_listing_goes_to_another_agent(crm: CrmFile) -> None:
    crm.load(seen(ASSIGNED))
    before = crm.lead()
    crm.refresh(properties=properties((SARAHS_REFERENCE, OMAR)))
    crm.load(seen(ASSIGNED, at=after(5)))
    assert crm.lead() == before
    crm.load(seen(ASSIGNED | {"status": "read"}, at=after(10)))
    assert crm.lead() == before | {"status": "read", "updated_at": after(10)}
    assert crm.events("agent") == {SARAH: NOON}


def test_an_agent_keeps_a_lead_when_becoming_inactive(crm: CrmFile) -> None:
    crm.load(seen(ASSIGNED))
    crm.refresh(agents=agents((SARAH, SARAHS_USER, None, False)))
    crm.load(seen(ASSIGNED | {"status": "read"}, at=after(5)))
    assert crm.lead()["agent_id"] == SARAH


def test_a_lead_whose_listing_changes_at_the_portal_goes_to_the_new_listings_agent(
    crm: CrmFile,
) -> None:
    crm.load(seen(ASSIGNED))
    crm.load(seen(ASSIGNED | on_listing(OMARS_REFERENCE), at=after(5)))
    row = crm.lead()
    assert (row["agent_id"], row["property_ref"], row["assigned_at"]) == (
        OMAR,
        OMARS_REFERENCE,
        after(5),
    )


def test_a_lead_whose_history_began_under_other_listings_keeps_that_history(crm: CrmFile) -> None:
    crm.load(seen(ASSIGNED))
    crm.refresh(properties=properties((SARAHS_REFERENCE, OMAR), (OMARS_REFERENCE, LINA)))
    crm.load(seen(ASSIGNED | on_listing(OMARS_REFERENCE), at=after(5)))
    assert crm.lead()["agent_id"] == LINA
    assert crm.events("agent") == {SARAH: NOON, LINA: after(5)}


def test_assigned_since_is_when_the_deciding_input_first_showed(crm: CrmFile) -> None:
    crm.load(seen(lead(**of_agent(LINAS_USER)), at=after(1)))
    crm.load(seen(lead(**of_agent(LINAS_USER), status="read"), at=after(3)))
    assert crm.lead()["assigned_at"] == after(1)
    crm.load(seen(lead(**on_listing(OMARS_REFERENCE)), at=after(5)))
    assert crm.lead()["assigned_at"] == after(5)


def test_assigned_since_is_the_same_when_the_older_observation_arrives_last(crm: CrmFile) -> None:
    crm.load(seen(lead(**of_agent(LINAS_USER), status="read"), at=after(3)))
    assert crm.lead()["assigned_at"] == after(3)
    crm.load(seen(lead(**of_agent(LINAS_USER)), at=after(1)))
    assert crm.lead()["assigned_at"] == after(1)


def test_a_profile_id_that_equals_a_user_id_is_another_portal_agent(crm: CrmFile) -> None:
    crm.load(seen(lead(assignedTo={"id": 77003}), at=after(1)))
    assert crm.lead()["agent_id"] is None
    crm.load(seen(lead(publicProfile={"id": 77003}), at=after(3)))
    row = crm.lead()
    assert (row["agent_id"], row["portal_agent_kind"], row["assigned_at"]) == (
        LINA,
        "profile",
        after(3),
    )


def test_a_portal_agent_whose_kind_of_id_changes_is_looked_up_again(crm: CrmFile) -> None:
    crm.refresh(agents=agents((SARAH, 1234, None, True), (LINA, None, 1234, True)))
    crm.load(seen(lead(assignedTo={"id": 1234})))
    assert crm.lead()["agent_id"] == SARAH
    crm.load(seen(lead(publicProfile={"id": 1234}), at=after(5)))
    assert crm.lead()["agent_id"] == LINA


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (None, (None, "unassigned")),
        (GONE, (None, "unassigned")),
        (OMAR, (OMAR, "listing_reference")),
    ],
)
def test_who_gets_a_listings_lead_depends_on_its_owner(
    crm: CrmFile, owner: str | None, expected: tuple[str | None, str]
) -> None:
    crm.refresh(properties=properties((SARAHS_REFERENCE, owner)))
    crm.load(seen(lead(**on_listing(SARAHS_REFERENCE))))
    assert (crm.lead()["agent_id"], crm.lead()["assignment_rule"]) == expected


def test_the_lead_of_an_inactive_owner_goes_to_the_portals_agent(crm: CrmFile) -> None:
    crm.load(seen(lead(**on_listing(GONES_REFERENCE), **of_agent(LINAS_USER))))
    assert (crm.lead()["agent_id"], crm.lead()["assignment_rule"]) == (LINA, "portal_agent")


def test_an_inactive_agent_gets_nothing_from_the_portal_either(crm: CrmFile) -> None:
    crm.load(seen(lead(**of_agent(GONES_USER))))
    row = crm.lead()
    assert (row["agent_id"], row["assignment_rule"]) == (None, "unassigned")
    assert f"the portal's agent {GONE} is inactive" in row["assignment_reason"]


def test_an_inactive_agent_gets_nothing_when_unassigned_leads_are_tried_again(
    crm: CrmFile,
) -> None:
    crm.load(seen(lead(**on_listing(UNKNOWN_REFERENCE))))
    assert crm.refresh(properties=properties((UNKNOWN_REFERENCE, GONE))) == 0
    row = crm.lead()
    assert (row["agent_id"], row["assigned_at"]) == (None, None)
    assert f"the owner {GONE} of {UNKNOWN_REFERENCE} is inactive" in row["assignment_reason"]


def test_an_owner_whom_nobody_knows_is_taken_at_the_listings_word(crm: CrmFile) -> None:
    crm.refresh(properties=properties((SARAHS_REFERENCE, "4711")))
    crm.load(seen(guide_lead()))
    assert crm.lead()["agent_id"] == "4711"


def test_a_reference_that_belongs_to_one_agent_twice_is_that_agents(crm: CrmFile) -> None:
    crm.refresh(properties=properties((SARAHS_REFERENCE, OMAR), (SARAHS_REFERENCE, OMAR)))
    crm.load(seen(guide_lead()))
    assert crm.lead()["agent_id"] == OMAR


def test_a_reference_that_belongs_to_two_agents_decides_nothing(crm: CrmFile) -> None:
    crm.refresh(properties=properties((SARAHS_REFERENCE, OMAR), (SARAHS_REFERENCE, LINA)))
    crm.load(seen(lead(**on_listing(SARAHS_REFERENCE))))
    row = crm.lead()
    assert (row["agent_id"], row["assignment_rule"]) == (None, "unassigned")
    assert "belongs to several agents" in row["assignment_reason"]


def test_a_reference_that_is_typed_otherwise_is_found(crm: CrmFile) -> None:
    crm.load(seen(lead(**on_listing(" apt-downtown - 101"))))
    row = crm.lead()
    assert (row["agent_id"], row["property_ref"]) == (SARAH, SARAHS_REFERENCE)


def test_unassigned_leads_are_tried_again_when_the_listing_becomes_known(crm: CrmFile) -> None:
    crm.load(seen(UNASSIGNED))
    assert crm.lead()["agent_id"] is None
    given = crm.refresh(properties=properties((UNKNOWN_REFERENCE, OMAR)), now=after(30))
    row = crm.lead()
    assert given == 1
    assert (row["agent_id"], row["assignment_rule"]) == (OMAR, "listing_reference")
    assert (row["property_ref"], row["assigned_at"]) == (UNKNOWN_REFERENCE, after(30))
    assert row["assignment_reason"] == f"owns the property {UNKNOWN_REFERENCE}"
    assert crm.events("agent") == {OMAR: after(30)}
    assert crm.recording()["agent_id"] == OMAR


def test_unassigned_leads_are_tried_again_when_the_portals_agent_becomes_known(
    crm: CrmFile,
) -> None:
    crm.load(seen(UNASSIGNED))
    given = crm.refresh(agents=agents((LINA, UNKNOWN_USER, None, True)), now=after(30))
    row = crm.lead()
    assert given == 1
    assert (row["agent_id"], row["assignment_rule"]) == (LINA, "portal_agent")
    assert row["assigned_at"] == after(30)
    assert crm.events("agent") == {LINA: after(30)}
    assert crm.recording()["agent_id"] == LINA


def test_unassigned_leads_are_tried_again_when_an_agent_becomes_active(crm: CrmFile) -> None:
    crm.load(seen(lead(**on_listing(GONES_REFERENCE))))
    given = crm.refresh(agents=agents((GONE, None, None, True)), now=after(30))
    assert (given, crm.lead()["agent_id"]) == (1, GONE)


def test_a_reference_that_is_typed_otherwise_is_found_when_tried_again(crm: CrmFile) -> None:
    crm.load(seen(lead(**on_listing("apt nowhere-1"))))
    crm.refresh(properties=properties(("APT Nowhere - 1", OMAR)), now=after(30))
    row = crm.lead()
    assert (row["agent_id"], row["property_ref"]) == (OMAR, "APT Nowhere - 1")


def test_an_assignment_of_a_second_try_stands_when_the_lead_is_polled_again(crm: CrmFile) -> None:
    crm.load(seen(UNASSIGNED))
    crm.refresh(properties=properties((UNKNOWN_REFERENCE, OMAR)), now=after(30))
    before = crm.tables()
    crm.load(seen(UNASSIGNED, at=after(35)))
    assert crm.tables() == before
    crm.load(seen(UNASSIGNED | {"status": "read"}, at=after(40)))
    assert crm.lead() == before["leads"][0] | {"status": "read", "updated_at": after(40)}
    assert crm.events("agent") == {OMAR: after(30)}


def test_an_assignment_of_a_second_try_is_not_taken_for_a_persons(crm: CrmFile) -> None:
    crm.load(seen(UNASSIGNED))
    crm.refresh(properties=properties((UNKNOWN_REFERENCE, OMAR), (SARAHS_REFERENCE, SARAH)))
    crm.load(seen(UNASSIGNED | on_listing(SARAHS_REFERENCE), at=after(40)))
    row = crm.lead()
    assert (row["agent_id"], row["assignment_rule"]) == (SARAH, "listing_reference")


def test_trying_again_without_news_changes_nothing(crm: CrmFile) -> None:
    crm.load(seen(UNASSIGNED, guide_lead(id="other")))
    before = crm.tables()
    assert crm.refresh(now=after(30)) == 0
    assert crm.tables() == before


def test_trying_again_says_why_a_lead_still_has_no_agent(crm: CrmFile) -> None:
    crm.load(seen(lead(**on_listing(UNKNOWN_REFERENCE))))
    crm.refresh(properties=properties((UNKNOWN_REFERENCE, None)), now=after(30))
    row = crm.lead()
    assert f"the property {UNKNOWN_REFERENCE} has no agent" in row["assignment_reason"]
    assert (row["assignment_rule"], row["assigned_at"]) == ("unassigned", None)


def test_trying_again_counts_only_leads_that_get_an_agent(crm: CrmFile) -> None:
    crm.load(
        seen(
            lead("a", **on_listing(UNKNOWN_REFERENCE)),
            lead("b", **on_listing(UNKNOWN_REFERENCE)),
            lead("c", **on_listing("another")),
            lead("d", **on_listing(SARAHS_REFERENCE)),
        )
    )
    assert crm.refresh(properties=properties((UNKNOWN_REFERENCE, OMAR)), now=after(30)) == 2
    agents_of = {row["lead_id"]: row["agent_id"] for row in crm.rows("leads")}
    assert agents_of == {"a": OMAR, "b": OMAR, "c": None, "d": SARAH}


def test_an_unassigned_lead_is_tried_again_at_its_next_poll_too(crm: CrmFile) -> None:
    crm.load(seen(UNASSIGNED))
    crm.load(seen(UNASSIGNED | {"status": "read"}, at=after(5)))
    with crm.open() as warehouse:
        warehouse.replace_properties(properties((UNKNOWN_REFERENCE, OMAR)))
    crm.load(seen(UNASSIGNED | {"status": "replied"}, at=after(10)))
    assert crm.lead()["agent_id"] == OMAR
    assert [*crm.events("agent")] == [OMAR]


def test_an_agent_of_a_second_try_stays_in_the_history_of_a_lead_that_goes_to_another(
    crm: CrmFile,
) -> None:
    crm.load(seen(lead(**of_agent(UNKNOWN_USER))))
    crm.refresh(agents=agents((LINA, UNKNOWN_USER, None, True)), now=after(30))
    crm.load(seen(lead(**on_listing(SARAHS_REFERENCE)), at=after(-5)))
    assert crm.lead()["agent_id"] == SARAH
    assert crm.events("agent") == {SARAH: after(-5), LINA: after(30)}


def test_a_lead_whose_new_listing_nobody_has_becomes_unassigned_and_is_tried_again(
    crm: CrmFile,
) -> None:
    crm.load(seen(lead(**on_listing(SARAHS_REFERENCE))))
    crm.load(seen(lead(**on_listing(UNKNOWN_REFERENCE)), at=after(5)))
    row = crm.lead()
    assert (row["agent_id"], row["assignment_rule"], row["assigned_at"]) == (
        None,
        "unassigned",
        None,
    )
    assert crm.refresh(properties=properties((UNKNOWN_REFERENCE, OMAR)), now=after(9)) == 1
    assert crm.events("agent") == {SARAH: NOON, OMAR: after(9)}


def test_agents_of_the_reference_data_are_all_that_is_needed(crm: CrmFile) -> None:
    crm.refresh(properties=PROPERTIES.iloc[:0], agents=AGENTS.iloc[:0])
    crm.load(seen(guide_lead()))
    assert crm.lead()["assignment_rule"] == "unassigned"
