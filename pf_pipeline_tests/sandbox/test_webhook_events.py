"""The events of leads: which there are, what they say, and that polls say the same."""

import json
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from hmac import HMAC
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.sandbox import SandboxOptions, leads_of_day
from pf_pipeline.sandbox.life import LONGEST_LIFE, life_of
from pf_pipeline.sandbox.options import WebhookForm
from pf_pipeline.sandbox.webhooks import WebhookEvent, delivery_headers, sign, webhook_events
from pf_pipeline_tests.sandbox.client import Clock, client_of, utc

DAY = date(2026, 1, 14)
MIDNIGHT, NEXT_MIDNIGHT = utc("2026-01-14"), utc("2026-01-15")
LINKS = "http://127.0.0.1:8640"
PAYLOAD = {
    "channel", "status", "entityType", "publicProfile", "sender", "listing", "project",
    "developer", "responseLink",
}  # fmt: skip
ATLAS = {"createdAtFrom": "2026-01-01T00:00:00Z"}


MOVING = SandboxOptions(
    leads_per_day=300, first_day=DAY, last_day=DAY, late_share=0.2, leads_change=True,
    public_url=LINKS, clock=Clock(MIDNIGHT),
)  # fmt: skip
"""One day of leads that surface late and change."""


def whole_life(options: SandboxOptions) -> list[WebhookEvent]:
    return list(webhook_events(options, MIDNIGHT, NEXT_MIDNIGHT + LONGEST_LIFE))


def bodies(events: list[WebhookEvent]) -> list[Any]:
    return [json.loads(event.body) for event in events]


def test_the_envelope_is_the_contracts() -> None:
    for event, body in zip(events := whole_life(MOVING), bodies(events), strict=True):
        assert body.keys() == {"id", "type", "timestamp", "entity", "payload"}
        assert body["entity"] == {"id": event.lead_id, "type": "lead"}
        assert (body["id"], body["type"]) == (event.event_id, event.type)
        assert datetime.fromisoformat(body["timestamp"]) == event.timestamp
        required = {"channel", "status", "entityType", "sender"}
        assert required <= body["payload"].keys() <= PAYLOAD


def test_ids_of_events_are_unique_and_no_ids_of_leads() -> None:
    events = whole_life(replace(MOVING, live_per_minute=1))
    assert len(events) > 3_000
    assert len({event.event_id for event in events}) == len(events)
    assert not {event.event_id for event in events} & {event.lead_id for event in events}


def test_each_sound_lead_is_created_once_when_it_surfaces_but_for_those_of_projects() -> None:
    created = [event for event in whole_life(MOVING) if event.type == "lead.created"]
    assert sorted((event.lead_id, event.timestamp) for event in created) == sorted(
        (lead.lead_id, life_of(lead, MOVING)[0].since)
        for lead in leads_of_day(1, DAY, 300)
        if lead.defect is None and lead.entity_type != "project"
    )


def test_leads_of_projects_are_told_of_by_the_other_events() -> None:
    projects = [body for body in bodies(whole_life(MOVING)) if "project" in body["payload"]]
    assert {body["type"] for body in projects} == {"lead.assigned", "lead.updated"}


def test_malformed_leads_have_no_events() -> None:
    malformed = {lead.lead_id for lead in leads_of_day(1, DAY, 300) if lead.defect is not None}
    assert malformed
    assert not malformed & {event.lead_id for event in whole_life(MOVING)}


@pytest.mark.parametrize("live", [0, 2])
def test_the_last_events_say_what_a_poll_says(live: int) -> None:
    """Row for row: status, agent, sender and link of every lead."""
    clock = Clock(MIDNIGHT)
    options = replace(MOVING, live_per_minute=live, clock=clock)
    told: dict[str, Any] = {}
    now = MIDNIGHT + timedelta(hours=13)
    for event in webhook_events(options, MIDNIGHT, now + timedelta(seconds=1)):
        told[event.lead_id] = json.loads(event.body)["payload"]
    with client_of(options) as client:
        clock.now = now
        polled = {
            record["id"]: {name: record[name] for name in PAYLOAD if name in record}
            for record in client.leads(**ATLAS)
            if isinstance(record, dict) and record.get("id") in told
        }
        unknown = [
            record
            for record in client.leads(**ATLAS)
            if isinstance(record, dict) and record.get("id") not in told
        ]
    assert len(told) > 100 * (1 + live)
    assert told == polled
    sound = [record for record in unknown if str(record.get("createdAt"))[:1].isdigit()]
    assert all("project" in record for record in sound if record.get("id"))


def test_a_status_moves_as_the_events_say() -> None:
    statuses: dict[str, list[str]] = defaultdict(list)
    for event, body in zip(events := whole_life(MOVING), bodies(events), strict=True):
        if event.type != "lead.assigned":
            statuses[event.lead_id].append(body["payload"]["status"])
    assert any(len(moves) == 4 for moves in statuses.values())
    assert all(len(set(moves)) == len(moves) for moves in statuses.values())


def test_a_change_of_agent_is_an_assignment() -> None:
    agents: dict[str, list[object]] = defaultdict(list)
    for event, body in zip(events := whole_life(MOVING), bodies(events), strict=True):
        if event.type == "lead.assigned":
            agents[event.lead_id].append(body["payload"]["publicProfile"])
    changes = [given for given in agents.values() if len(given) > 1]
    assert len(changes) > 3
    assert all(one != other for given in changes for one, other in pairwise(given))


@given(st.lists(st.integers(0, 7_200), max_size=5))
@settings(max_examples=15, deadline=None)
def test_a_window_may_be_cut_anywhere(cuts: list[int]) -> None:
    options = replace(MOVING, live_per_minute=2)
    edges = [MIDNIGHT + timedelta(seconds=cut) for cut in sorted([0, *cuts, 7_200])]
    pieces = [
        event for start, stop in pairwise(edges) for event in webhook_events(options, start, stop)
    ]
    assert pieces == list(webhook_events(options, edges[0], edges[-1]))


def test_events_are_told_in_the_order_of_time_within_the_window() -> None:
    start, end = MIDNIGHT + timedelta(hours=7), MIDNIGHT + timedelta(hours=9)
    instants = [event.timestamp for event in webhook_events(MOVING, start, end)]
    assert instants == sorted(instants)
    assert all(start <= instant < end for instant in instants)


def test_the_guide_posts_the_sample_itself_alone_or_in_data() -> None:
    options = SandboxOptions(
        first_day=date(2025, 12, 19), leads_per_day=60, webhook_form="guide",
        clock=Clock(utc("2025-12-19")),
    )  # fmt: skip
    events = list(webhook_events(options, utc("2025-12-19"), utc("2025-12-20")))
    alone = [body for body in bodies(events) if "data" not in body]
    wrapped = [body["data"] for body in bodies(events) if "data" in body]
    assert len(alone) > 10
    assert len(wrapped) > 10
    assert all(len(records) == 1 for records in wrapped)
    sample = next(
        lead for lead in [*alone, *(one for (one,) in wrapped)] if lead["id"] == "lead_987654"
    )
    assert sample == {
        "id": "lead_987654",
        "name": "John Doe",
        "email": "johndoe@example.com",
        "phone": "+971501234567",
        "message": "I am interested in this apartment, please call me.",
        "channel": "whatsapp",
        "createdAt": "2025-12-19T10:30:00Z",
        "listing": {
            "id": 554433, "reference": "APT-DOWNTOWN-101", "title": "Luxury 2BR in Downtown"
        },
        "assignedTo": {"id": 1234, "name": "Agent Sarah"},
    }  # fmt: skip
    assert {event.type for event in events} == {"lead.created"}


@pytest.mark.parametrize("form", ["atlas", "guide"])
def test_the_same_options_give_the_same_events(form: WebhookForm) -> None:
    assert whole_life(replace(MOVING, webhook_form=form)) == whole_life(
        replace(MOVING, webhook_form=form)
    )
    assert whole_life(replace(MOVING, webhook_form=form)) != whole_life(
        replace(MOVING, webhook_form=form, seed=2)
    )


def test_a_signature_is_hex_hmac_sha256_of_the_raw_body() -> None:
    body = '{"name":"ليلى"}'.encode()
    assert sign(body, "s3cret") == HMAC(b"s3cret", body, sha256).hexdigest()
    assert delivery_headers(body, "s3cret")["X-Signature"] == sign(body, "s3cret")
    assert "X-Signature" not in delivery_headers(body, None)
