"""The portal's users and listings, as the contract writes them and as they come."""

from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.leads.portal_directory import (
    LISTING_COLUMNS,
    USER_COLUMNS,
    read_listings,
    read_users,
)
from pf_pipeline_tests.leads.builders import rows_of

SARAH = {
    "id": 1234,
    "firstName": "Sarah",
    "lastName": "Haddad",
    "email": "Sarah.Haddad@Brokerage.example",
    "mobile": "+971500001234",
    "status": "active",
    "publicProfile": {"id": 40217, "name": "Agent Sarah", "email": "sarah@agents.example"},
}
LISTING = {
    "id": "01HXAMPLE",
    "reference": " apt-downtown-101",
    "title": {"en": "Luxury 2BR in Downtown", "ar": ""},
    "assignedTo": {"id": 40217, "name": "Agent Sarah"},
    "state": {"stage": "live", "type": "live"},
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_a_user_is_read_with_profile_and_emails() -> None:
    assert rows_of(read_users([SARAH])) == [
        {
            "portal_user_id": "1234",
            "portal_profile_id": "40217",
            "email": "sarah.haddad@brokerage.example",
            "profile_email": "sarah@agents.example",
            "status": "active",
        }
    ]


def test_a_user_without_a_profile_is_kept_and_one_without_an_id_is_not() -> None:
    desk = {"id": 9, "publicProfile": None}
    (row,) = rows_of(read_users([desk, {"email": "x@y.example"}, None, "text", []]))
    assert (row["portal_user_id"], row["portal_profile_id"]) == ("9", None)


def test_a_listing_is_read_with_its_owner_and_key() -> None:
    assert rows_of(read_listings([LISTING])) == [
        {
            "portal_listing_id": "01HXAMPLE",
            "reference": "apt-downtown-101",
            "reference_key": "apt-downtown-101",
            "portal_profile_id": "40217",
            "state": "live",
        }
    ]


def test_a_listing_without_a_reference_is_of_no_use() -> None:
    assert read_listings([LISTING | {"reference": None}, LISTING | {"id": None}]).empty


def test_the_last_of_two_with_the_same_id_counts() -> None:
    moved = LISTING | {"assignedTo": {"id": 40233}}
    (row,) = rows_of(read_listings([LISTING, moved]))
    assert row["portal_profile_id"] == "40233"


@given(st.lists(json_values), st.dictionaries(st.sampled_from(list(SARAH)), json_values))
def test_nothing_that_comes_breaks_the_users(others: list[object], odd: dict[str, object]) -> None:
    frame = read_users([*others, odd, SARAH])
    assert tuple(frame.columns) == USER_COLUMNS
    assert "1234" in set(frame["portal_user_id"])


@given(st.lists(json_values), st.dictionaries(st.sampled_from(list(LISTING)), json_values))
def test_nothing_that_comes_breaks_the_listings(
    others: list[object], odd: dict[str, object]
) -> None:
    frame = read_listings([*others, odd, LISTING])
    assert tuple(frame.columns) == LISTING_COLUMNS
    assert "01HXAMPLE" in set(frame["portal_listing_id"])
