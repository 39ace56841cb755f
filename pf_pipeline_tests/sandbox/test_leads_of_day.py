import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.sandbox import leads_of_day
from pf_pipeline.sandbox.inquirers import regular_inquirers
from pf_pipeline.sandbox.lead import GUIDE_SAMPLE, SandboxLead
from pf_pipeline.sandbox.listings import LISTINGS

DAY = date(2026, 1, 14)
SAMPLE_DAY = date(2025, 12, 19)

seeds = st.integers()
days = st.dates(min_value=date(2020, 1, 1), max_value=date(2040, 12, 31))
counts = st.integers(min_value=0, max_value=80)


@pytest.fixture(scope="module")
def many_leads() -> list[SandboxLead]:
    return [
        lead for offset in range(5) for lead in leads_of_day(7, DAY + timedelta(days=offset), 1_000)
    ]


@given(seeds, days, counts)
@settings(deadline=None, max_examples=30)
def test_same_arguments_give_equal_leads(seed: int, day: date, count: int) -> None:
    first = leads_of_day(seed, day, count)
    regular_inquirers.cache_clear()
    assert leads_of_day(seed, day, count) == first


@given(seeds, days, counts)
@settings(deadline=None, max_examples=30)
def test_a_day_has_exactly_as_many_leads_as_asked(seed: int, day: date, count: int) -> None:
    assert len(leads_of_day(seed, day, count)) == count


@given(seeds, days)
@settings(deadline=None, max_examples=30)
def test_leads_lie_within_their_day_in_order(seed: int, day: date) -> None:
    instants = [lead.created_at for lead in leads_of_day(seed, day, 80)]
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    assert instants == sorted(instants)
    assert midnight <= instants[0]
    assert instants[-1] < midnight + timedelta(days=1)


@given(seeds, st.integers(min_value=1, max_value=80))
@settings(deadline=None, max_examples=30)
def test_the_guides_lead_is_there_on_its_day(seed: int, count: int) -> None:
    assert leads_of_day(seed, SAMPLE_DAY, count).count(GUIDE_SAMPLE) == 1


def test_another_process_invents_the_same_leads() -> None:
    program = (
        "from datetime import date; from pf_pipeline.sandbox import leads_of_day; "
        "print(ascii(leads_of_day(5, date(2026, 1, 14), 60)))"
    )
    invented = subprocess.check_output(  # noqa: S603 - the command is written above
        [sys.executable, "-c", program], text=True, env={**os.environ, "PYTHONHASHSEED": "123"}
    )
    assert invented.strip() == ascii(leads_of_day(5, DAY, 60))


def test_another_day_has_other_leads() -> None:
    assert _phones(leads_of_day(1, DAY, 60)) != _phones(leads_of_day(1, date(2026, 1, 15), 60))


def test_another_seed_has_other_leads() -> None:
    assert _phones(leads_of_day(1, DAY, 60)) != _phones(leads_of_day(2, DAY, 60))


def test_global_chance_is_neither_used_nor_changed() -> None:
    state = random.getstate()
    leads_of_day(99, DAY, 60)
    assert random.getstate() == state


def test_ids_are_unique_over_all_days(many_leads: list[SandboxLead]) -> None:
    assert len({lead.lead_id for lead in many_leads}) == len(many_leads)


@pytest.mark.parametrize("count", [-1, 100_001])
def test_an_impossible_count_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 100000"):
        leads_of_day(1, DAY, count)


def _named_listing_is_of_the_brokerage(lead: SandboxLead) -> bool:
    exact = {listing.reference for listing in LISTINGS}
    return lead.listing is not None and lead.listing.reference in exact


def _is_arabic(lead: SandboxLead) -> bool:
    return lead.name is not None and "\u0600" <= lead.name[0] <= "\u06ff"


@pytest.mark.parametrize(
    ("holds", "least", "most"),
    [
        pytest.param(lambda lead: bool(lead.phone), 1.0, 1.0, id="phone"),
        pytest.param(lambda lead: lead.name is not None, 0.73, 0.79, id="name"),
        pytest.param(_is_arabic, 0.2, 0.4, id="arabic name"),
        pytest.param(lambda lead: lead.email is not None, 0.01, 0.035, id="email"),
        pytest.param(lambda lead: lead.listing is not None, 0.62, 0.68, id="listing"),
        pytest.param(_named_listing_is_of_the_brokerage, 0.5, 0.62, id="exact reference"),
        pytest.param(lambda lead: lead.agent is not None, 0.8, 0.95, id="portal agent"),
        pytest.param(
            lambda lead: lead.agent is None and lead.listing is None, 0.02, 0.12, id="neither"
        ),
        pytest.param(lambda lead: lead.channel == "call", 0.4, 0.5, id="call"),
        pytest.param(lambda lead: lead.channel == "whatsapp", 0.4, 0.5, id="whatsapp"),
        pytest.param(lambda lead: lead.channel == "chat", 0.04, 0.1, id="chat"),
        pytest.param(lambda lead: lead.channel == "email", 0.015, 0.05, id="email channel"),
        pytest.param(lambda lead: lead.entity_type == "project", 0.03, 0.09, id="project"),
        pytest.param(lambda lead: lead.entity_type == "developer", 0.005, 0.04, id="developer"),
        pytest.param(lambda lead: "from_agent" in lead.tags, 0.02, 0.06, id="from agent"),
        pytest.param(lambda lead: bool(lead.enrichment), 0.07, 0.13, id="enrichment"),
        pytest.param(lambda lead: lead.unknown_field is not None, 0.01, 0.03, id="unknown field"),
        pytest.param(lambda lead: lead.whatsapp_username is not None, 0.01, 0.04, id="username"),
        pytest.param(lambda lead: lead.defect is not None, 0.005, 0.005, id="malformed"),
        pytest.param(lambda lead: lead.channel == "telegram", 0.002, 0.005, id="unknown channel"),
        pytest.param(lambda lead: lead.status == "archived", 0.002, 0.005, id="unknown status"),
        pytest.param(lambda lead: lead.entity_type == "community", 0.002, 0.005, id="unknown type"),
        pytest.param(lambda lead: bool(lead.unknown_contact), 0.002, 0.005, id="unknown contact"),
    ],
)
def test_mix_is_lifelike(
    many_leads: list[SandboxLead],
    holds: Callable[[SandboxLead], bool],
    least: float,
    most: float,
) -> None:
    assert least <= sum(map(holds, many_leads)) / len(many_leads) <= most


def test_about_seventy_percent_of_answered_calls_are_recorded(
    many_leads: list[SandboxLead],
) -> None:
    answered = [lead.call for lead in many_leads if lead.call and lead.call.talk_seconds]
    recordings = Counter(call.recording for call in answered)
    assert 0.66 <= recordings["recorded"] / len(answered) <= 0.74
    assert recordings["empty"] > 0


def test_missed_calls_have_no_recording_and_stay_delivered(many_leads: list[SandboxLead]) -> None:
    missed = [lead for lead in many_leads if lead.call and not lead.call.talk_seconds]
    assert missed
    assert {lead.status for lead in missed} == {"delivered"}
    assert {lead.call.recording for lead in missed if lead.call} == {"none"}


def test_all_statuses_occur_among_messages(many_leads: list[SandboxLead]) -> None:
    statuses = {lead.status for lead in many_leads if lead.call is None}
    assert statuses == {"sent", "delivered", "read", "replied", "archived"}


def test_messages_are_written_but_calls_are_not(many_leads: list[SandboxLead]) -> None:
    assert all((lead.message is None) == (lead.call is not None) for lead in many_leads)


def test_agents_of_all_kinds_receive_leads(many_leads: list[SandboxLead]) -> None:
    agents = {lead.agent for lead in many_leads if lead.agent is not None}
    assert any(agent.agent_id is None for agent in agents)
    assert any(not agent.linked for agent in agents)
    assert any(not agent.active for agent in agents)


def test_references_come_in_other_case_with_spaces_deleted_and_unknown(
    many_leads: list[SandboxLead],
) -> None:
    sent = {lead.listing.reference for lead in many_leads if lead.listing}
    deleted = {listing.reference for listing in LISTINGS if not listing.in_crm}
    assert "apt-downtown-101" in sent
    assert " APT-DOWNTOWN-101 " in sent
    assert "APT - DOWNTOWN-101" in sent
    assert sent & deleted
    assert any(reference.startswith("OLD-") for reference in sent)


def test_every_phone_is_valid(many_leads: list[SandboxLead]) -> None:
    parsed = [phonenumbers.parse(lead.phone, "AE") for lead in many_leads]
    assert all(phonenumbers.is_valid_number(number) for number in parsed)
    assert {number.country_code for number in parsed} == {971, 91, 44, 7, 966, 20}


def test_people_inquire_again_with_their_number_in_another_format(
    many_leads: list[SandboxLead],
) -> None:
    formats = defaultdict(set)
    for lead in many_leads:
        formats[str(phonenumbers.parse(lead.phone, "AE"))].add(lead.phone)
    assert sum(len(typed) > 1 for typed in formats.values()) > 50


def test_most_small_days_have_a_malformed_lead() -> None:
    days_with_one = sum(
        any(lead.defect for lead in leads_of_day(1, DAY + timedelta(days=offset), 60))
        for offset in range(40)
    )
    assert 25 <= days_with_one < 40


def test_gulf_daytime_is_busier_than_night(many_leads: list[SandboxLead]) -> None:
    hours = Counter(lead.created_at.hour for lead in many_leads)
    assert min(hours[hour] for hour in range(6, 18)) > 3 * max(hours[hour] for hour in range(3))


def _phones(leads: tuple[SandboxLead, ...]) -> list[str]:
    return [lead.phone for lead in leads]
