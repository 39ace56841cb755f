"""Webhook deliveries: what the portal posts, as the records that :func:`observe` reads.

Two forms are accepted, alone or in a list, bare or under ``data``: the guide's sample lead, and the
atlas envelope, in which ``entity.id`` is the lead and ``id`` the *event*. Confusing these two is
the commonest mistake of integrations; it is made impossible here.

Checking signatures is not done here, nor is storing: see ``receiver``.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from pf_pipeline.leads.json_texts import as_text, read_json
from pf_pipeline.leads.observing import Sighting
from pf_pipeline.leads.parser import Rejection, parse_instant
from pf_pipeline.leads.schema import EARLIEST

LONGEST_EVENT_ID = 200
"""Longer than any id that names an event; beyond it, only the body's digest is used."""

MOST_NESTING = 8
"""Lists and ``data`` around a lead are opened so deep, which is more than anybody sends."""


class Delivery(NamedTuple):
    """An authentic webhook delivery as it was received.

    Attributes:
        number: Its place in the inbox; deliveries are numbered in the order of their storing.
        delivery_id: Names it: deliveries with the same id are repetitions.
        received_at: When it was first received, UTC.
        body: The bytes.
    """

    number: int
    delivery_id: str
    received_at: datetime
    body: bytes


def delivery_id(body: bytes) -> str:
    """Name a delivery, so that a repetition is known for one.

    The event id, if the body has one, and the SHA-256 of the body: the same id over other bytes
    is another delivery, because losing a lead is worse than reading it twice.
    """
    digest = hashlib.sha256(body).hexdigest()
    event_id = _event_id(_decoded(body))
    return digest if event_id is None else f"{event_id}:{digest}"


def sightings_of(deliveries: Iterable[Delivery]) -> Iterator[Sighting]:
    """The records of deliveries, each with the instant of which it speaks.

    That instant is the event's ``timestamp``; for a body without one, or with one that cannot be
    true (before the portal was founded, or later than its arrival), it is the arrival. It stands
    in for a missing ``createdAt`` of an envelope until a poll brings it (contract, webhooks).
    Whatever is no lead becomes a rejection with a reason, and stays whole.
    """
    for delivery in deliveries:
        found = False
        for item in _items(_decoded(delivery.body)):
            found = True
            yield _sighting(item, delivery)
        if not found:
            yield _rejected("the body holds no lead", delivery)


def _sighting(item: object, delivery: Delivery) -> Sighting:
    received_at = delivery.received_at
    if item is _NOT_JSON:
        return _rejected("the body is not JSON", delivery)
    if not _is_event(item):
        return Sighting([item], received_at, received_at, 1, received_at, [item])
    assert isinstance(item, dict)  # noqa: S101 - says to mypy what _is_event found
    at = _instant_of(item.get("timestamp"), received_at)
    return Sighting([_lead_of(item, at)], at, at, 1, received_at, [item])


def _rejected(reason: str, delivery: Delivery) -> Sighting:
    received_at = delivery.received_at
    text = delivery.body.decode("utf-8", "backslashreplace")
    return Sighting([Rejection(None, reason)], received_at, received_at, 1, received_at, [text])


def _lead_of(event: dict[str, Any], at: datetime) -> object:
    """The lead of an envelope, in the shape in which polls bring it."""
    entity, payload = event.get("entity"), event.get("payload")
    if not isinstance(entity, dict) or as_text(entity.get("id")) is None:
        return Rejection(None, "entity.id, the lead's id, is missing")
    kind = entity.get("type")
    if kind not in (None, "lead"):
        return Rejection(None, "the event is not about a lead")
    record: dict[str, Any] = dict(payload) if isinstance(payload, dict) else {}
    other_id = as_text(record.pop("id", None))
    record["id"] = entity["id"]
    if other_id is not None and other_id != as_text(entity["id"]):
        record["payload.id"] = other_id
    if payload is not None and not isinstance(payload, dict):
        record["payload"] = payload
    if parse_instant(record.get("createdAt")) is None:
        record["createdAt"] = at.isoformat()
    return record


def _instant_of(timestamp: object, received_at: datetime) -> datetime:
    instant = parse_instant(timestamp)
    return received_at if instant is None or instant < EARLIEST else min(instant, received_at)


class _NotJson:
    """Stands for a body that cannot be decoded."""


_NOT_JSON = _NotJson()


def _decoded(body: bytes) -> object:
    try:
        return read_json(body)
    except ValueError:
        return _NOT_JSON


def _items(found: object, depth: int = 0) -> Iterator[object]:
    """The leads and envelopes in a body."""
    if isinstance(found, dict) and "data" in found and not _is_event(found) and "id" not in found:
        found = found["data"]
    elif not isinstance(found, list):
        yield found
        return
    if depth >= MOST_NESTING:
        yield found
        return
    for item in found if isinstance(found, list) else [found]:
        yield from _items(item, depth + 1)


def _is_event(item: object) -> bool:
    return isinstance(item, dict) and ("entity" in item or "payload" in item)


def _event_id(body: object) -> str | None:
    event_id = as_text(body.get("id")) if isinstance(body, dict) and _is_event(body) else None
    return event_id if event_id is None or len(event_id) <= LONGEST_EVENT_ID else None
