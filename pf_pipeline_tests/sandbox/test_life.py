from datetime import date, datetime, timedelta
from operator import ne
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.sandbox import SandboxOptions, leads_of_day
from pf_pipeline.sandbox.dialects import Dialect
from pf_pipeline.sandbox.lead import SandboxLead
from pf_pipeline.sandbox.life import LATEST_SURFACING, LONGEST_LIFE, at, life_of
from pf_pipeline_tests.sandbox.client import Client, Clock, client_of, utc

DAY = date(2026, 1, 14)
MIDNIGHT = utc("2026-01-14")
LEADS = leads_of_day(1, DAY, 500)
MOVING = SandboxOptions(leads_change=True, late_share=0.3)
ATLAS = {"createdAtFrom": "2026-01-01T00:00:00Z"}
STEPS = ("sent", "delivered", "read", "replied")

leads = st.sampled_from(LEADS)
delays = st.integers(min_value=-3600, max_value=3 * 24 * 3600)


@given(leads, delays, delays)
def test_a_message_never_goes_back(lead: SandboxLead, one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    statuses = [
        STEPS.index(seen.status)
        for delay in (earlier, later)
        if (seen := shown(lead, delay)) is not None and seen.status in STEPS
    ]
    assert statuses == sorted(statuses)


@given(leads, delays)
def test_nothing_but_status_agent_and_recording_changes(lead: SandboxLead, delay: int) -> None:
    seen = shown(lead, delay)
    if seen is None:
        return
    changed = {
        name
        for name in SandboxLead.__dataclass_fields__
        if getattr(seen, name) != getattr(lead, name)
    }
    assert changed <= ({"status", "agent"} if lead.call is None else {"call"})
    if seen.call != lead.call:
        assert seen.call is not None
        assert seen.call.recording == "none"


@given(leads)
def test_a_lead_ends_as_it_was_invented(lead: SandboxLead) -> None:
    assert at(life_of(lead, MOVING), lead.created_at + LONGEST_LIFE) == lead


@given(leads)
def test_all_happens_on_whole_seconds_in_order(lead: SandboxLead) -> None:
    instants = [stage.since for stage in life_of(lead, MOVING)]
    assert instants == sorted(instants)
    assert all(instant.microsecond == 0 for instant in instants)
    assert lead.created_at <= instants[0] <= lead.created_at + LATEST_SURFACING


def test_a_lead_is_as_always_without_the_options() -> None:
    for lead in LEADS:
        life = life_of(lead, SandboxOptions())
        assert [(stage.since, stage.lead) for stage in life] == [(lead.created_at, lead)]


@pytest.mark.parametrize(
    ("share", "least", "most"), [(0.0, 0, 0), (0.3, 110, 190), (1.0, 500, 500)]
)
def test_a_share_of_the_leads_is_late(share: float, least: int, most: int) -> None:
    options = SandboxOptions(late_share=share)
    late = [lead for lead in LEADS if at(life_of(lead, options), lead.created_at) is None]
    assert least <= len(late) <= most


def test_recordings_appear_after_minutes_or_days() -> None:
    delays = [
        life_of(lead, SandboxOptions(leads_change=True))[-1].since - lead.created_at
        for lead in LEADS
        if lead.call is not None and lead.call.recording == "recorded"
    ]
    assert min(delays) < timedelta(minutes=10)
    assert timedelta(days=1) < max(delays) < timedelta(days=2)


def test_some_messages_are_handed_over_once() -> None:
    agents = [
        [stage.lead.agent for stage in life_of(lead, SandboxOptions(leads_change=True))]
        for lead in LEADS
    ]
    handed_over = [them for them in agents if len({*them}) > 1]
    assert 8 < len(handed_over) < 40
    assert all(sum(map(ne, them, them[1:])) == 1 for them in handed_over)


def test_messages_of_all_statuses_begin_as_sent() -> None:
    for lead in LEADS:
        if lead.call is None:
            first = life_of(lead, SandboxOptions(leads_change=True))[0]
            assert (first.since, first.lead.status) == (lead.created_at, "sent")


def shown(lead: SandboxLead, delay: int) -> SandboxLead | None:
    return at(life_of(lead, MOVING), lead.created_at + timedelta(seconds=delay))


def served(client: Client, clock: Clock, now: datetime) -> dict[str, Any]:
    clock.now = now
    return {
        record["id"]: record
        for record in client.leads(**ATLAS)
        if isinstance(record, dict) and record.get("id")
    }


def expected(options: SandboxOptions, now: datetime) -> dict[str, tuple[str, bool]]:
    """Status and whether there is a recording, of each lead that is shown."""
    seen: dict[str, tuple[str, bool]] = {}
    for lead in leads_of_day(1, DAY, 60):
        state = at(life_of(lead, options), now)
        if state is not None and lead.defect is None:
            recorded = state.call is not None and state.call.recording == "recorded"
            seen[lead.lead_id] = (state.status, recorded)
    return seen


@given(st.lists(st.integers(min_value=0, max_value=4 * 24 * 3600), min_size=3, max_size=3))
@settings(deadline=None, max_examples=15)
def test_what_is_served_is_a_function_of_the_instant(seconds: list[int]) -> None:
    """Forwards and backwards: what was served before does not matter."""
    clock = Clock(MIDNIGHT)
    options = SandboxOptions(
        first_day=DAY, last_day=DAY, clock=clock, leads_change=True, late_share=0.5
    )
    with client_of(options) as client:
        for second in [*seconds, *seconds]:
            now = MIDNIGHT + timedelta(seconds=second, milliseconds=300)
            assert {
                lead_id: (record["status"], bool(record.get("call", {}).get("recordFile")))
                for lead_id, record in served(client, clock, now).items()
            } == expected(options, now)


def test_the_total_counts_what_is_shown() -> None:
    clock = Clock(MIDNIGHT + timedelta(hours=14))
    options = SandboxOptions(first_day=DAY, clock=clock, late_share=0.5)
    with client_of(options) as client:
        total = client.get("/v1/leads", **ATLAS).json()["pagination"]["total"]
        created = [lead for lead in leads_of_day(1, DAY, 60) if lead.created_at <= clock.now]
        assert 0 < total < len(created)
        clock.now += LATEST_SURFACING
        createdAtTo = "2026-01-14T14:00:00Z"  # noqa: N806 - the parameter's name
        window = client.get("/v1/leads", createdAtTo=createdAtTo, **ATLAS).json()
    assert window["pagination"]["total"] == len(created)


def test_a_late_lead_moves_the_pages() -> None:
    late = next(
        lead
        for lead in leads_of_day(1, DAY, 60)
        if life_of(lead, SandboxOptions(late_share=1.0))[0].since
        > lead.created_at + timedelta(hours=1)
    )
    clock = Clock(late.created_at + timedelta(minutes=30))
    with client_of(SandboxOptions(first_day=DAY, clock=clock, late_share=1.0)) as client:
        before = list(served(client, clock, clock.now))
        surfaced = life_of(late, SandboxOptions(late_share=1.0))[0].since
        after = list(served(client, clock, surfaced))
    assert late.lead_id not in before
    assert after.index(late.lead_id) < len(after)


def test_a_filter_by_status_follows_the_change() -> None:
    lead = next(
        lead for lead in leads_of_day(1, DAY, 60) if lead.status == "replied" and not lead.call
    )
    clock = Clock(lead.created_at)
    options = SandboxOptions(first_day=DAY, last_day=DAY, clock=clock, leads_change=True)
    with client_of(options) as client:
        for stage in life_of(lead, options):
            clock.now = stage.since
            for status in STEPS:
                found = [record["id"] for record in client.leads(status=status) if record]
                assert (lead.lead_id in found) == (status == stage.lead.status)


@pytest.mark.parametrize(("dialect", "field"), [("atlas", "call"), ("guide", "recordingUrl")])
def test_a_recording_is_found_by_id_once_it_is_there(dialect: Dialect, field: str) -> None:
    call = next(
        lead
        for lead in leads_of_day(1, DAY, 60)
        if lead.call is not None and lead.call.recording == "recorded" and lead.defect is None
    )
    clock = Clock(call.created_at)
    options = SandboxOptions(first_day=DAY, clock=clock, leads_change=True, dialect=dialect)
    appears = life_of(call, options)[-1].since
    with client_of(options) as client:
        links = []
        for now in (appears - timedelta(seconds=1), appears, appears + timedelta(days=30)):
            clock.now = now
            (record,) = client.leads(id=[call.lead_id, "call_lead_1"])
            links.append(record["call"].get("recordFile") if field == "call" else record.get(field))
    assert links == [None, *[f"{client.sandbox.base_url}/recordings/{call.lead_id}.wav"] * 2]
