"""Webhook deliveries: two forms, one shape; the event's id is never taken for the lead's."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.leads.deliveries import Delivery, delivery_id, sightings_of
from pf_pipeline.leads.observing import Observed, observe
from pf_pipeline_tests.leads.builders import (
    DAY,
    NOON,
    after,
    every_text,
    guide_lead,
    json_values,
    nested,
    rows_of,
    thorough,
    with_validation,
)

LATER = after(90)


def envelope(**fields: object) -> dict[str, Any]:
    """The contract's envelope with other fields; ``...`` leaves one out."""
    whole = {
        "id": "evt_1",
        "type": "lead.created",
        "timestamp": "2025-12-19T11:59:58Z",
        "entity": {"id": "message_lead_7", "type": "lead"},
        "payload": {
            "channel": "whatsapp",
            "status": "sent",
            "entityType": "listing",
            "publicProfile": {"id": 77001},
            "sender": {"name": "Omar", "contacts": [{"type": "phone", "value": "0501234567"}]},
            "listing": {"id": "01HZX3V9K2M4N5P6Q7R8S9T0AB", "reference": "VIL-MARINA-7"},
        },
    } | fields
    return {name: value for name, value in whole.items() if value is not ...}


def delivered(*bodies: bytes, at: datetime = NOON) -> Observed:
    deliveries = [
        Delivery(number, delivery_id(body), at, body) for number, body in enumerate(bodies, 1)
    ]
    return observe(sightings_of(deliveries), partition_key=DAY, country="AE", by="webhook")


def sent(*bodies: object, at: datetime = NOON) -> Observed:
    return delivered(*(json.dumps(body).encode() for body in bodies), at=at)


def test_the_entity_is_the_lead_and_the_event_never_is() -> None:
    (row,) = rows_of(sent(envelope()).observations)
    assert row["lead_id"] == "message_lead_7"
    assert (row["observed_by"], row["status"], row["phone_e164"]) == (
        "webhook",
        "sent",
        "+971501234567",
    )
    assert (row["listing_reference"], row["portal_agent_id"], row["portal_agent_kind"]) == (
        "VIL-MARINA-7",
        "77001",
        "profile",
    )


def test_the_timestamp_is_the_instant_and_stands_in_for_the_creation() -> None:
    (row,) = rows_of(sent(envelope(), at=LATER).observations)
    happened = datetime(2025, 12, 19, 11, 59, 58, tzinfo=UTC)
    assert row["first_observed_at"] == row["last_observed_at"] == row["created_at"] == happened
    assert row["first_received_at"] == LATER


@pytest.mark.parametrize("timestamp", [None, "", "yesterday", 7, {}, "1999-01-01T00:00:00Z", ...])
def test_a_timestamp_that_cannot_be_true_is_the_arrival(timestamp: object) -> None:
    (row,) = rows_of(sent(envelope(timestamp=timestamp)).observations)
    assert row["first_observed_at"] == row["created_at"] == NOON


def test_no_event_speaks_of_the_time_after_its_arrival() -> None:
    """One of a clock that is ahead would win over all polls to come."""
    (row,) = rows_of(sent(envelope(timestamp="2031-01-01T00:00:00Z")).observations)
    assert row["last_observed_at"] == NOON


def test_a_payload_may_know_the_creation() -> None:
    (row,) = rows_of(sent(envelope(payload={"createdAt": "2025-12-18T08:00:00Z"})).observations)
    assert row["created_at"] == datetime(2025, 12, 18, 8, tzinfo=UTC)


def test_an_id_in_the_payload_is_kept_beside_the_leads() -> None:
    (row,) = rows_of(sent(envelope(payload={"id": "other_1"})).observations)
    assert row["lead_id"] == "message_lead_7"
    assert json.loads(row["extra"]) == {"payload.id": "other_1"}


@pytest.mark.parametrize("payload", [None, ..., {}])
def test_a_lead_without_a_payload_is_known_by_its_id(payload: object) -> None:
    (row,) = rows_of(sent(envelope(payload=payload)).observations)
    assert (row["lead_id"], row["channel"]) == ("message_lead_7", "unknown")


def test_a_payload_of_another_kind_is_kept() -> None:
    (row,) = rows_of(sent(envelope(payload=["x"])).observations)
    assert json.loads(row["extra"]) == {"payload": ["x"]}


@pytest.mark.parametrize(
    "around",
    [
        lambda lead: lead,
        lambda lead: {"data": lead},
        lambda lead: {"data": [lead]},
        lambda lead: [lead],
        lambda lead: {"data": [lead], "pagination": {"total": 1}},
    ],
)
@pytest.mark.parametrize("lead", [guide_lead(), envelope()], ids=["guide", "atlas"])
def test_a_lead_comes_alone_or_in_a_list_or_under_data(around: Any, lead: object) -> None:  # noqa: ANN401
    outcome = sent(around(lead))
    expected = sent(lead)
    assert rows_of(outcome.observations) == rows_of(expected.observations)
    assert len(outcome.observations) == 1
    assert outcome.rejected.empty


def test_the_guides_lead_is_what_a_poll_would_bring() -> None:
    (row,) = rows_of(sent(guide_lead()).observations)
    assert (row["lead_id"], row["message"]) == ("lead_987654", guide_lead()["message"])
    assert row["created_at"] == datetime(2025, 12, 19, 10, 30, tzinfo=UTC)
    assert row["first_observed_at"] == NOON


def test_several_leads_of_one_body_are_each_read() -> None:
    body = {"data": [guide_lead(id="a"), guide_lead(id="b"), {"id": "c"}, envelope()]}
    outcome = sent(body)
    assert set(outcome.observations["lead_id"]) == {"a", "b", "message_lead_7"}
    assert list(outcome.rejected["lead_id"]) == ["c"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is not JSON"),
        (b"\xff\xfe{", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[]", "the body holds no lead"),
        (b'{"data": []}', "the body holds no lead"),
        (b"null", "the record is null, not an object"),
        (b"{}", "id is missing"),
        (b'{"id": "evt_1", "entity": {}, "payload": {"id": "x"}}', "entity.id, the lead's id, is"),
        (b'{"id": "evt_1", "entity": "lead_1"}', "entity.id, the lead's id, is missing"),
        (b'{"id": "e", "entity": {"id": "l", "type": "listing"}}', "the event is not about a lead"),
    ],
)
def test_what_is_no_lead_is_rejected_with_a_reason(body: bytes, reason: str) -> None:
    outcome = delivered(body)
    assert outcome.observations.empty
    (row,) = rows_of(outcome.rejected)
    assert reason in row["reason"]
    assert (row["received_from"], row["received_at"]) == ("webhook", NOON)


def test_a_rejected_event_is_kept_whole() -> None:
    event = envelope(entity={"type": "lead"})
    (row,) = rows_of(sent(event).rejected)
    assert json.loads(row["raw"]) == event


def test_a_body_that_cannot_be_decoded_is_kept_readable() -> None:
    (row,) = rows_of(delivered(b'{"name": "\xff\x00').rejected)
    assert json.loads(row["raw"]) == '{"name": "\\xff\x00'


def test_the_depth_of_a_body_has_a_limit() -> None:
    outcome = sent(nested(40, guide_lead()))
    assert (len(outcome.observations), len(outcome.rejected)) == (0, 1)


# ---- repetitions


def test_an_event_is_known_by_its_id_and_its_bytes() -> None:
    body = json.dumps(envelope()).encode()
    digest = hashlib.sha256(body).hexdigest()
    assert delivery_id(body) == f"evt_1:{digest}"
    assert delivery_id(body + b" ") != delivery_id(body)


@pytest.mark.parametrize("body", [b"no json", b"[]", json.dumps(guide_lead()).encode()])
def test_what_has_no_event_id_is_known_by_its_bytes(body: bytes) -> None:
    assert delivery_id(body) == hashlib.sha256(body).hexdigest()


def test_an_event_id_that_names_nothing_is_left_out() -> None:
    body = json.dumps(envelope(id="x" * 201)).encode()
    assert delivery_id(body) == hashlib.sha256(body).hexdigest()


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
@thorough
def test_every_body_has_an_id_that_a_database_stores(body: bytes) -> None:
    name = delivery_id(body)
    name.encode()
    assert "\0" not in name
    assert hashlib.sha256(body).hexdigest() in name


# ---- whatever comes


odd_events = st.fixed_dictionaries(
    {},
    optional={
        "id": json_values,
        "type": every_text,
        "timestamp": json_values | st.just("2025-12-19T11:00:00Z"),
        "entity": json_values | st.fixed_dictionaries({"id": json_values}),
        "payload": json_values,
        "data": json_values,
    },
)


@given(st.lists(st.binary(max_size=40) | odd_events.map(lambda e: json.dumps(e).encode())))
@with_validation
def test_whatever_comes_is_accounted_for(bodies: list[bytes]) -> None:
    outcome = delivered(*bodies)
    assert outcome.received >= len(bodies)
    assert outcome.received == outcome.leads + outcome.duplicates + len(outcome.rejected)
    assert all(outcome.observations["last_observed_at"] <= NOON + timedelta(0))
