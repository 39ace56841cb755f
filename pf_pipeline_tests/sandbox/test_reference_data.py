from pathlib import Path

import pytest

from pf_pipeline.sandbox.listings import LISTINGS
from pf_pipeline.sandbox.people import ADVERTISERS, CRM_AGENTS, PEOPLE
from pf_pipeline.sandbox.reference_data import (
    agent_rows,
    main,
    property_rows,
    write_reference_data,
)

SHIPPED = Path(__file__).parents[2] / "data" / "reference"


@pytest.mark.parametrize("name", ["properties.csv", "agents.csv"])
def test_shipped_file_is_what_the_module_writes(name: str, tmp_path: Path) -> None:
    write_reference_data(tmp_path)
    assert (SHIPPED / name).read_bytes() == (tmp_path / name).read_bytes()


def test_command_without_a_folder_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Usage" in capsys.readouterr().err


def test_command_writes_into_the_folder_that_it_is_given(tmp_path: Path) -> None:
    assert main([str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "agents.csv").exists()


def test_every_property_belongs_to_an_agent_of_the_crm() -> None:
    agents = {row["agent_id"] for row in agent_rows()}
    assert {row["agent_id"] for row in property_rows()} <= agents


def test_the_guides_property_belongs_to_sarah() -> None:
    owners = {row["internal_ref"]: row["agent_id"] for row in property_rows()}
    assert owners["APT-DOWNTOWN-101"] == "A-01"
    sarah = next(row for row in agent_rows() if row["agent_id"] == "A-01")
    assert sarah["name"].startswith("Sarah")
    assert sarah["portal_user_id"] == "1234"


def test_references_differ_even_without_case_and_spaces() -> None:
    references = [listing.reference.upper().replace(" ", "") for listing in LISTINGS]
    assert len(set(references)) == len(references) == 120


def test_listing_ids_are_unique_in_both_dialects() -> None:
    assert len({listing.portal_id for listing in LISTINGS}) == len(LISTINGS)
    assert len({listing.atlas_id for listing in LISTINGS}) == len(LISTINGS)
    assert {len(listing.atlas_id) for listing in LISTINGS} == {26}


def test_user_ids_and_profile_ids_never_meet() -> None:
    users = {person.portal_user_id for person in PEOPLE}
    profiles = {person.portal_profile_id for person in ADVERTISERS}
    assert len(users) == len(PEOPLE)
    assert len(profiles) == len(ADVERTISERS)
    assert users.isdisjoint(profiles)


def test_some_agents_left_and_some_were_never_linked() -> None:
    assert sum(row["active"] == "false" for row in agent_rows()) == 2
    assert sum(row["portal_user_id"] == "" for row in agent_rows()) == 2
    assert len(PEOPLE) - len(CRM_AGENTS) == 3


def test_some_listings_belong_to_agents_who_left() -> None:
    left = {row["agent_id"] for row in agent_rows() if row["active"] == "false"}
    assert 2 <= sum(row["agent_id"] in left for row in property_rows()) <= 8


def test_some_live_listings_are_missing_from_the_crm() -> None:
    known = {row["internal_ref"] for row in property_rows()}
    live = {listing.reference for listing in LISTINGS if listing.state == "live"}
    assert 3 <= len(live - known) <= 10
