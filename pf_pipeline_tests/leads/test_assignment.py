from collections.abc import Iterable
from datetime import date
from random import Random
from typing import NamedTuple

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.leads.assignment import ReferenceData, assign_leads, merge_and_assign
from pf_pipeline.leads.frames import table_of
from pf_pipeline.leads.merging import merge_observations
from pf_pipeline.leads.references import normalise_reference
from pf_pipeline_tests.leads.builders import (
    Row,
    after,
    atlas_lead,
    bare_lead,
    guide_lead,
    observations_of,
    observed,
    rows_of,
    sighting,
    texts_frame,
    with_database,
)

A_DAY = date(2025, 12, 19)

# ---- leads, properties and agents as rows and as frames


def a_lead(reference: str | None = None, portal_id: str | None = None, kind: str = "user") -> Row:
    return {
        "lead_id": "lead_1",
        "listing_reference": reference,
        "reference_key": normalise_reference(reference or "") or None,
        "portal_agent_id": portal_id,
        "portal_agent_kind": kind if portal_id else None,
    }


def a_property(reference: str | None, agent_id: str | None) -> Row:
    return {
        "internal_ref": reference,
        "reference_key": normalise_reference(reference or "") or None,
        "agent_id": agent_id,
    }


def an_agent(
    agent_id: str | None,
    *,
    user: str | None = None,
    profile: str | None = None,
    email: str | None = None,
    active: bool | None = True,
) -> Row:
    return {
        "agent_id": agent_id,
        "email": email,
        "portal_user_id": user,
        "portal_profile_id": profile,
        "active": active,
    }


def a_portal_user(
    user: str, profile: str | None = None, *, email: str | None = None, other: str | None = None
) -> Row:
    return {
        "portal_user_id": user,
        "portal_profile_id": profile,
        "email": email,
        "profile_email": other,
    }


def a_portal_listing(reference: str, profile: str | None, state: str | None = "live") -> Row:
    return {
        "reference": reference,
        "reference_key": normalise_reference(reference) or None,
        "portal_profile_id": profile,
        "state": state,
    }


def leads_frame(leads: Iterable[Row]) -> pd.DataFrame:
    return texts_frame(list(a_lead()), leads)


def properties_frame(properties: Iterable[Row]) -> pd.DataFrame:
    return texts_frame(list(a_property("", "")), properties)


def agents_frame(agents: Iterable[Row]) -> pd.DataFrame:
    rows = list(agents)
    frame = texts_frame(list(an_agent(""))[:4], rows)
    return frame.assign(active=pd.array([row["active"] for row in rows], dtype="boolean"))


def reference_data(
    properties: Iterable[Row] = (),
    agents: Iterable[Row] = (),
    users: Iterable[Row] = (),
    listings: Iterable[Row] = (),
) -> ReferenceData:
    return ReferenceData(
        properties_frame(properties),
        agents_frame(agents),
        texts_frame(list(a_portal_user("")), users),
        texts_frame(list(a_portal_listing("", "")), listings),
    )


def assigned(
    lead: Row,
    *,
    properties: Iterable[Row] = (),
    agents: Iterable[Row] = (),
    users: Iterable[Row] = (),
    listings: Iterable[Row] = (),
) -> tuple[str, str | None, str | None, str]:
    """Rule, agent, property and reason of a single lead."""
    reference = reference_data(properties, agents, users, listings)
    frame = assign_leads(leads_frame([lead]), reference)
    (row,) = rows_of(frame)
    return (
        row["assignment_rule"],
        row["agent_id"],
        row["property_ref"],
        row["assignment_reason"],
    )


# ---- the rules in plain Python


class Assignment(NamedTuple):
    rule: str
    agent_id: str | None
    property_ref: str | None


def by_hand(
    lead: Row, properties: list[Row], agents: list[Row], users: list[Row], listings: list[Row]
) -> Assignment:
    owners, property_ref = owners_by_hand(lead, properties)
    if is_one_active(owners, agents):
        return Assignment("listing_reference", owners.pop(), property_ref)
    if lead["portal_agent_id"] is not None:
        holders = holders_by_hand(lead["portal_agent_kind"], lead["portal_agent_id"], agents, users)
        if is_one_active(holders, agents):
            return Assignment("portal_agent", holders.pop(), property_ref)
    profiles = profiles_by_hand(lead, listings)
    if len(profiles) == 1:
        holders = holders_by_hand("profile", profiles.pop(), agents, users)
        if is_one_active(holders, agents):
            return Assignment("portal_listing", holders.pop(), property_ref)
    return Assignment("unassigned", None, property_ref)


def owners_by_hand(lead: Row, properties: list[Row]) -> tuple[set[str], str | None]:
    for column, wanted in (
        ("internal_ref", lead["listing_reference"]),
        ("reference_key", lead["reference_key"]),
    ):
        matches = [row for row in properties if wanted is not None and row[column] == wanted]
        if matches:
            owned = [row for row in matches if row["agent_id"] is not None]
            return (
                {row["agent_id"] for row in owned},
                min(row["internal_ref"] for row in owned or matches),
            )
    return set(), None


def holders_by_hand(kind: str, wanted: str, agents: list[Row], users: list[Row]) -> set[str]:
    """Whom the CRM knows by the id; else by the user's other id; else by the user's emails."""

    def known_by(column: str, values: set[str | None]) -> set[str]:
        values = values - {None}
        found = {row["agent_id"] for row in agents if row[column] in values}
        return {agent_id for agent_id in found if agent_id is not None}

    meant = [user for user in users if user[f"portal_{kind}_id"] == wanted]
    other = "portal_profile_id" if kind == "user" else "portal_user_id"
    emails = {user[column] for user in meant for column in ("email", "profile_email")}
    return (
        known_by(f"portal_{kind}_id", {wanted})
        or known_by(other, {user[other] for user in meant})
        or known_by("email", emails)
    )


def profiles_by_hand(lead: Row, listings: list[Row]) -> set[str]:
    for column, wanted in (
        ("reference", lead["listing_reference"]),
        ("reference_key", lead["reference_key"]),
    ):
        matches = [row for row in listings if wanted is not None and row[column] == wanted]
        if matches:
            published = [row for row in matches if row["state"] in ("live", "Published")]
            found = {row["portal_profile_id"] for row in published or matches}
            return {profile for profile in found if profile is not None}
    return set()


def is_one_active(candidates: set[str], agents: list[Row]) -> bool:
    """Inactive agents receive nothing; one whom the agents table does not know is not inactive."""
    said = [row["active"] for row in agents if row["agent_id"] in candidates]
    is_inactive = False in said and True not in said
    return len(candidates) == 1 and not is_inactive


REFERENCES = ["APT-1", "apt-1", " Apt - 1", "APT-2", "VILLA 7", "villa7", "\u200b"]
AGENTS = ["A1", "A2", "A3"]
PORTAL_IDS = ["7", "8", "9"]
EMAILS = ["a@brokerage.example", "b@brokerage.example"]

leads_lists = st.lists(
    st.builds(
        a_lead,
        st.sampled_from([None, *REFERENCES, "GONE-1"]),
        st.sampled_from([None, *PORTAL_IDS]),
        st.sampled_from(["user", "profile"]),
    ),
    min_size=1,
    max_size=8,
)
properties_lists = st.lists(
    st.builds(
        a_property,
        st.sampled_from([None, *REFERENCES]),
        st.sampled_from([None, *AGENTS, "stranger"]),
    ),
    max_size=6,
)
agents_lists = st.lists(
    st.builds(
        an_agent,
        st.sampled_from([None, *AGENTS]),
        user=st.sampled_from([None, *PORTAL_IDS]),
        profile=st.sampled_from([None, *PORTAL_IDS]),
        email=st.sampled_from([None, *EMAILS]),
        active=st.sampled_from([True, True, False, None]),
    ),
    max_size=6,
)


users_lists = st.lists(
    st.builds(
        a_portal_user,
        st.sampled_from(PORTAL_IDS),
        st.sampled_from([None, *PORTAL_IDS]),
        email=st.sampled_from([None, *EMAILS]),
        other=st.sampled_from([None, *EMAILS]),
    ),
    max_size=4,
    unique_by=lambda user: user["portal_user_id"],
)
listings_lists = st.lists(
    st.builds(
        a_portal_listing,
        st.sampled_from([*REFERENCES, "GONE-1"]),
        st.sampled_from([None, *PORTAL_IDS]),
        st.sampled_from([None, "live", "Published", "draft", "archived"]),
    ),
    max_size=4,
)


@given(leads_lists, properties_lists, agents_lists, users_lists, listings_lists)
@settings(with_database, max_examples=150)
def test_agents_are_what_the_rules_say(
    leads: list[Row],
    properties: list[Row],
    agents: list[Row],
    users: list[Row],
    listings: list[Row],
) -> None:
    numbered = [lead | {"lead_id": f"lead_{n}"} for n, lead in enumerate(leads)]
    reference = reference_data(properties, agents, users, listings)
    frame = assign_leads(leads_frame(numbered), reference)
    assert {
        row["lead_id"]: (row["assignment_rule"], row["agent_id"], row["property_ref"])
        for row in rows_of(frame)
    } == {
        lead["lead_id"]: tuple(by_hand(lead, properties, agents, users, listings))
        for lead in numbered
    }


@given(leads_lists, properties_lists, agents_lists)
@with_database
def test_every_lead_comes_out_once_and_whole(
    leads: list[Row], properties: list[Row], agents: list[Row]
) -> None:
    frame = assign_leads(leads_frame(leads), reference_data(properties, agents))
    came = [{column: row[column] for column in leads[0]} for row in rows_of(frame)]
    assert sorted(came, key=repr) == sorted(leads, key=repr)


@given(leads_lists, properties_lists, agents_lists)
@with_database
def test_every_lead_has_a_rule_and_a_reason_and_only_unassigned_ones_no_agent(
    leads: list[Row], properties: list[Row], agents: list[Row]
) -> None:
    frame = assign_leads(leads_frame(leads), reference_data(properties, agents))
    for row in rows_of(frame):
        assert row["assignment_reason"]
        assert (row["agent_id"] is None) == (row["assignment_rule"] == "unassigned")


@given(leads_lists, properties_lists, agents_lists, st.randoms(use_true_random=False))
@with_database
def test_the_order_of_properties_and_agents_does_not_matter(
    leads: list[Row],
    properties: list[Row],
    agents: list[Row],
    random: Random,
) -> None:
    frame = assign_leads(leads_frame(leads), reference_data(properties, agents))
    random.shuffle(properties)
    random.shuffle(agents)
    other = assign_leads(leads_frame(leads), reference_data(properties, agents))
    assert sorted(rows_of(other), key=repr) == sorted(rows_of(frame), key=repr)


@given(leads_lists, properties_lists)
@with_database
def test_the_guides_own_query_agrees_lead_by_lead(leads: list[Row], properties: list[Row]) -> None:
    frame = assign_leads(leads_frame(leads), reference_data(properties, []))
    with duckdb.connect() as connection:
        connection.register("properties", table_of(properties_frame(properties)))
        for row in rows_of(frame):
            answers = connection.execute(
                "SELECT agent_id FROM properties WHERE internal_ref = ?",
                [row["listing_reference"]],
            ).fetchall()
            owners = {agent_id for (agent_id,) in answers} - {None}
            if answers:
                assert row["property_ref"] == row["listing_reference"]
                assert row["agent_id"] == (owners.pop() if len(owners) == 1 else None)


# ---- the reasons, one by one


def test_the_owner_of_the_reference_gets_the_lead() -> None:
    assert assigned(
        a_lead("APT-1", "7"),
        properties=[a_property("APT-1", "A1")],
        agents=[an_agent("A1"), an_agent("A2", user="7")],
    ) == ("listing_reference", "A1", "APT-1", "owns the property APT-1")


def test_a_reference_that_is_only_written_differently_counts() -> None:
    assert assigned(a_lead("apt - 1"), properties=[a_property("APT-1", "A1")]) == (
        "listing_reference",
        "A1",
        "APT-1",
        "owns the property APT-1, written differently in the lead",
    )


def test_an_exact_reference_goes_before_one_that_is_written_differently() -> None:
    properties = [a_property("apt-1", "A2"), a_property("APT-1", "A1"), a_property("Apt-1", "A3")]
    assert assigned(a_lead("APT-1"), properties=properties)[:3] == (
        "listing_reference",
        "A1",
        "APT-1",
    )


def test_a_property_without_an_agent_does_not_borrow_one_that_is_written_differently() -> None:
    properties = [a_property("APT-1", None), a_property("apt-1", "A2")]
    assert assigned(a_lead("APT-1"), properties=properties) == (
        "unassigned",
        None,
        "APT-1",
        "the property APT-1 has no agent; the portal names no agent",
    )


def test_of_several_spellings_the_one_that_has_an_agent_is_named() -> None:
    properties = [a_property("APT-1", None), a_property("apt-1", "A2")]
    assert assigned(a_lead("Apt-1"), properties=properties) == (
        "listing_reference",
        "A2",
        "apt-1",
        "owns the property apt-1, written differently in the lead",
    )


def test_an_owner_whom_the_agents_table_does_not_know_is_taken_at_the_propertys_word() -> None:
    assert assigned(
        a_lead("APT-1"), properties=[a_property("APT-1", "stranger")], agents=[an_agent("A1")]
    ) == ("listing_reference", "stranger", "APT-1", "owns the property APT-1")


@pytest.mark.parametrize(
    ("lead", "reason"),
    [
        (a_lead(None, "7"), "the lead names no listing"),
        (a_lead("GONE-1", "7"), "no property has the reference GONE-1"),
        (a_lead("SHARED", "7"), "the reference SHARED belongs to several agents"),
        (a_lead("shared", "7"), "the reference shared belongs to several agents"),
        (a_lead("OWNERLESS", "7"), "the property OWNERLESS has no agent"),
        (a_lead("OLD", "7"), "the owner A9 of OLD is inactive"),
    ],
)
def test_where_the_listing_does_not_decide_the_portals_agent_does(lead: Row, reason: str) -> None:
    rule, agent_id, _, why = assigned(
        lead,
        properties=[
            a_property("SHARED", "A1"),
            a_property("SHARED", "A2"),
            a_property("OWNERLESS", None),
            a_property("OLD", "A9"),
        ],
        agents=[an_agent("A3", user="7"), an_agent("A9", active=False)],
    )
    assert (rule, agent_id) == ("portal_agent", "A3")
    assert why == f"is the portal's agent of the lead; {reason}"


@pytest.mark.parametrize(
    ("lead", "reason"),
    [
        (a_lead(), "the portal names no agent"),
        (a_lead(None, "404"), "no agent has the portal user id 404"),
        (a_lead(None, "404", "profile"), "no agent has the portal profile id 404"),
        (a_lead(None, "8"), "several agents have the portal user id 8"),
        (a_lead(None, "8", "profile"), "several agents have the portal profile id 8"),
        (a_lead(None, "9"), "the portal's agent A9 is inactive"),
    ],
)
def test_a_lead_that_nobody_gets_has_both_reasons(lead: Row, reason: str) -> None:
    agents = [
        an_agent("A1", user="8", profile="8"),
        an_agent("A2", user="8", profile="8"),
        an_agent("A9", user="9", active=False),
    ]
    assert assigned(lead, agents=agents) == (
        "unassigned",
        None,
        None,
        f"the lead names no listing; {reason}",
    )


def test_a_user_id_is_no_profile_id() -> None:
    agents = [an_agent("A1", user="7", profile="8"), an_agent("A2", user="8", profile="7")]
    assert assigned(a_lead(None, "7", "user"), agents=agents)[1] == "A1"
    assert assigned(a_lead(None, "7", "profile"), agents=agents)[1] == "A2"


@pytest.mark.parametrize("active", [True, None])
def test_an_agent_who_is_not_said_to_be_inactive_is_active(active: bool | None) -> None:  # noqa: FBT001 - a test's parameter
    agents = [an_agent("A1", user="7", active=active)]
    assert assigned(a_lead(None, "7"), agents=agents)[:2] == ("portal_agent", "A1")


def test_an_empty_reference_meets_no_empty_reference() -> None:
    properties = [a_property(None, "A1"), a_property("\u200b", "A1")]
    assert assigned(a_lead(" "), properties=properties)[0] == "unassigned"
    assert assigned(a_lead(None), properties=properties)[0] == "unassigned"


def test_an_agent_in_several_rows_receives_a_lead_once() -> None:
    agents = [an_agent("A1", user="7"), an_agent("A1", user="7"), an_agent("A1", active=False)]
    assert assigned(a_lead(None, "7"), agents=agents)[:2] == ("portal_agent", "A1")


# ---- both at once


def test_merging_and_assigning_at_once_is_assigning_what_was_merged() -> None:
    records = [
        guide_lead(),
        guide_lead(status="read", assignedTo={"id": 9, "name": "Agent Omar"}),
        atlas_lead(),
        bare_lead(listing={"reference": "apt-downtown 101"}),
    ]
    seen = [sighting(record, at=after(n)) for n, record in enumerate(records)]
    observations = observed(*seen).observations
    reference = reference_data(
        [a_property("APT-DOWNTOWN-101", "A1")],
        [an_agent("A1"), an_agent("A2", user="9", profile="77001")],
    )
    at_once = rows_of(merge_and_assign({A_DAY: observations}, reference)[A_DAY])
    one_by_one = assign_leads(merge_observations(observations), reference)
    assert at_once == sorted(
        rows_of(one_by_one), key=lambda row: (row["created_at"], row["lead_id"])
    )
    assert [row["agent_id"] for row in at_once] == ["A2", None, "A1"]


def test_days_are_merged_each_by_itself_whatever_they_are_merged_with() -> None:
    reference = reference_data([a_property("APT-DOWNTOWN-101", "A1")], [an_agent("A1")])
    of_days = {
        A_DAY: observations_of(guide_lead(), bare_lead(id="x"), bare_lead(id="2025-12-20")),
        date(2025, 12, 20): observations_of(
            guide_lead(name="Jon", listing=None), bare_lead(id="y")
        ),
        date(2025, 12, 21): observations_of(),
    }
    together = merge_and_assign(of_days, reference)
    assert [*together] == [*of_days]
    for day, observations in of_days.items():
        alone = merge_and_assign({day: observations}, reference)[day]
        pd.testing.assert_frame_equal(together[day], alone)
        assert set(alone["lead_id"]) == set(observations["lead_id"])
    assert [together[day]["agent_id"].notna().sum() for day in of_days] == [1, 0, 0]


def test_no_leads_give_no_rows_and_the_same_types() -> None:
    reference = reference_data([], [])
    some = observations_of(guide_lead())
    assert (
        merge_and_assign({A_DAY: some.iloc[:0]}, reference)[A_DAY].dtypes.to_dict()
        == merge_and_assign({A_DAY: some}, reference)[A_DAY].dtypes.to_dict()
    )


# ---- what the portal itself knows


def test_a_profile_finds_its_agent_by_the_portals_user_id() -> None:
    rule, agent_id, _, reason = assigned(
        a_lead(portal_id="40217", kind="profile"),
        agents=[an_agent("A1", user="1234")],
        users=[a_portal_user("1234", "40217")],
    )
    assert (rule, agent_id) == ("portal_agent", "A1")
    assert reason == "is the portal's agent of the lead; the lead names no listing"


def test_an_agent_without_portal_ids_is_found_by_email_whatever_its_case() -> None:
    rule, agent_id, _, reason = assigned(
        a_lead(portal_id="40217", kind="profile"),
        agents=[an_agent("A1", email=" Sarah@Brokerage.example ")],
        users=[a_portal_user("1234", "40217", other="sarah@brokerage.example")],
    )
    assert (rule, agent_id) == ("portal_agent", "A1")
    assert reason == "is the portal's agent of the lead, by email; the lead names no listing"


def test_an_id_outranks_an_email() -> None:
    _, agent_id, _, _ = assigned(
        a_lead(portal_id="40217", kind="profile"),
        agents=[an_agent("A1", email="s@b.example"), an_agent("A2", profile="40217")],
        users=[a_portal_user("1234", "40217", email="s@b.example")],
    )
    assert agent_id == "A2"


def test_an_email_that_two_agents_share_decides_nothing() -> None:
    rule, _, _, reason = assigned(
        a_lead(portal_id="40217", kind="profile"),
        agents=[an_agent("A1", email="desk@b.example"), an_agent("A2", email="desk@b.example")],
        users=[a_portal_user("1234", "40217", email="desk@b.example")],
    )
    assert rule == "unassigned"
    assert reason.endswith("several agents have the portal profile id 40217")


def test_the_portals_owner_of_a_reference_gets_what_nobody_else_does() -> None:
    rule, agent_id, property_ref, reason = assigned(
        a_lead("gone-1 "),
        agents=[an_agent("A1", profile="40217")],
        listings=[a_portal_listing("GONE-1", "40217")],
    )
    assert (rule, agent_id, property_ref) == ("portal_listing", "A1", None)
    assert reason == (
        "is the portal's owner of gone-1 ; no property has the reference gone-1 ; "
        "the portal names no agent"
    )


@pytest.mark.parametrize("reference", ["GONE-1", " gone-1"])
@pytest.mark.parametrize("state", ["archived", "draft", None])
def test_the_owner_of_the_published_listing_gets_it_whoever_had_the_reference_before(
    reference: str, state: str | None
) -> None:
    rule, agent_id, _, _ = assigned(
        a_lead(reference),
        agents=[an_agent("A1", profile="7"), an_agent("A2", profile="8")],
        listings=[
            a_portal_listing("GONE-1", "8", state),
            a_portal_listing("GONE-1", "7", "live"),
        ],
    )
    assert (rule, agent_id) == ("portal_listing", "A1")


def test_where_nothing_is_published_the_others_tell() -> None:
    rule, agent_id, _, _ = assigned(
        a_lead("GONE-1"),
        agents=[an_agent("A1", profile="7"), an_agent("A2", profile="8")],
        listings=[
            a_portal_listing("GONE-1", "7", "archived"),
            a_portal_listing("GONE-1", "7", "draft"),
            a_portal_listing("OTHER-1", "8", "live"),
        ],
    )
    assert (rule, agent_id) == ("portal_listing", "A1")


@pytest.mark.parametrize("states", [("live", "live"), ("archived", "draft")])
def test_among_equals_it_stays_ambiguous(states: tuple[str, str]) -> None:
    _, agent_id, _, reason = assigned(
        a_lead("GONE-1"),
        agents=[an_agent("A1", profile="7"), an_agent("A2", profile="8")],
        listings=[
            a_portal_listing("GONE-1", profile, state)
            for profile, state in zip(["7", "8"], states, strict=True)
        ],
    )
    assert agent_id is None
    assert reason.endswith("; the portal lists it for several agents")


@pytest.mark.parametrize(
    ("agents", "listings", "words"),
    [
        ([], [("OTHER-1", "7")], "the portal does not list it either"),
        ([], [("GONE-1", "7")], "no agent is the portal's owner of it"),
        ([], [("GONE-1", None)], "no agent is the portal's owner of it"),
        ([], [("GONE-1", "7"), ("GONE-1", "8")], "the portal lists it for several agents"),
        (
            [("A1", True), ("A2", True)],
            [("GONE-1", "7")],
            "several agents are the portal's owner of it",
        ),
        ([("A1", False)], [("GONE-1", "7")], "the portal's owner A1 of it is inactive"),
    ],
)
def test_why_the_portals_owner_gets_nothing(
    agents: list[tuple[str, bool]], listings: list[tuple[str, str | None]], words: str
) -> None:
    rule, agent_id, _, reason = assigned(
        a_lead("GONE-1"),
        agents=[an_agent(agent_id, profile="7", active=active) for agent_id, active in agents],
        listings=[a_portal_listing(*listing) for listing in listings],
    )
    assert (rule, agent_id) == ("unassigned", None)
    assert reason.endswith(f"; {words}")
