"""Webhook events: what the portal posts when a lead comes in or changes (reference, section 5).

Belongs here: which events a lead's life has, their bodies in either form, and the signature. A pure
function of the options. Sending them, and to whom, is up to ``deliveries`` and ``subscriptions``.
"""

import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from heapq import heappop, heappush
from itertools import pairwise
from typing import Any, Final, Literal
from uuid import UUID

from pf_pipeline.sandbox.days import Days
from pf_pipeline.sandbox.dialects import atlas_record, guide_record
from pf_pipeline.sandbox.lead import SandboxLead
from pf_pipeline.sandbox.life import LONGEST_LIFE, Life
from pf_pipeline.sandbox.options import SandboxOptions

EventType = Literal["lead.created", "lead.updated", "lead.assigned"]
EVENT_TYPES: Final[tuple[EventType, ...]] = ("lead.created", "lead.updated", "lead.assigned")
"""The events of leads, in the order in which those of one instant are posted."""
SIGNATURE_HEADER: Final = "X-Signature"
DEFAULT_BASE_URL: Final = "http://127.0.0.1:8640"
"""Where response and recording links point when neither caller nor options say."""

_PAYLOAD: Final = (
    "channel",
    "status",
    "entityType",
    "publicProfile",
    "sender",
    "listing",
    "project",
    "developer",
    "responseLink",
)
"""What an event tells of a lead; no ``call``, ``tags`` or ``createdAt``: only polls bring those."""
_STEP: Final = timedelta(hours=1)
"""How far ahead leads are looked at together when many events are wanted."""


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event, ready to be posted; every delivery of it has the same body.

    Attributes:
        event_id: The event's own id, not the lead's; the guide's form does not send it.
        type: What happened.
        timestamp: When it happened, in UTC and whole seconds.
        lead_id: The lead that it happened to.
        body: The bytes to post, and to sign.
    """

    event_id: str
    type: EventType
    timestamp: datetime
    lead_id: str
    body: bytes


def webhook_events(
    options: SandboxOptions, start: datetime, end: datetime, *, base_url: str | None = None
) -> Iterator[WebhookEvent]:
    """The events of ``[start, end)``, oldest first, each once.

    The leads are those of ``GET /v1/leads`` with the same options: after the last event of a lead
    a poll sees the same status and agent. Live leads begin when the options' clock is now. Leads
    that are malformed on purpose have no events.

    Args:
        options: The world; ``webhook_form`` decides how bodies look.
        start: The first instant, aware.
        end: The instant after the last, aware.
        base_url: Where links into the sandbox point; wins over the options' ``public_url``.
    """
    upcoming = UpcomingEvents(
        Days(options), options, start, base_url or options.public_url or DEFAULT_BASE_URL
    )
    while start < end:
        start = min(start + _STEP, end)
        yield from upcoming.take(start)


def sign(body: bytes, secret: str) -> str:
    """The signature of a delivery: hex HMAC-SHA256 of the raw body (contract, webhooks)."""
    return hmac.new(secret.encode(), body, sha256).hexdigest()


def delivery_headers(body: bytes, secret: str | None) -> dict[str, str]:
    """The headers that a delivery is posted with; without a secret it is not signed."""
    headers = {"Content-Type": "application/json", "User-Agent": "PropertyFinder-Sandbox-Webhooks"}
    return headers if secret is None else headers | {SIGNATURE_HEADER: sign(body, secret)}


@dataclass(frozen=True, slots=True, order=True)
class _Planned:
    """An event that lies ahead; in the order in which events happen."""

    timestamp: datetime
    lead_id: str
    rank: int
    lead: SandboxLead = field(compare=False)

    @property
    def type(self) -> EventType:
        return EVENT_TYPES[self.rank]


class UpcomingEvents:
    """The events from an instant on, taken bit by bit as time goes by."""

    def __init__(self, days: Days, options: SandboxOptions, start: datetime, base_url: str) -> None:
        """Look ahead from an instant.

        Args:
            days: The leads.
            options: How events look.
            start: Nothing that happened earlier is given, in UTC.
            base_url: Where links into the sandbox point, without a trailing slash.
        """
        self._days = days
        self._options = options
        self._base_url = base_url
        self._start = start
        self._known_until = start - LONGEST_LIFE
        self._planned: list[_Planned] = []

    def take(self, until: datetime) -> list[WebhookEvent]:
        """The events before an instant that were not taken yet, oldest first."""
        for life in self._days.lives(self._known_until, until):
            for planned in _events_of(life, self._options):
                if planned.timestamp >= self._start:
                    heappush(self._planned, planned)
        self._known_until = max(self._known_until, until)
        taken = []
        while self._planned and self._planned[0].timestamp < until:
            taken.append(self._written(heappop(self._planned)))
        return taken

    def _written(self, planned: _Planned) -> WebhookEvent:
        event_id = _event_id(planned, self._options.seed)
        body = (
            _guide_body(planned.lead, event_id, self._base_url)
            if self._options.webhook_form == "guide"
            else _atlas_body(planned, event_id, self._base_url)
        )
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return WebhookEvent(
            event_id, planned.type, planned.timestamp, planned.lead.lead_id, text.encode()
        )


def _events_of(life: Life, options: SandboxOptions) -> Iterator[_Planned]:
    """What the portal tells of a lead: that it is there, then each change of status or agent.

    Leads of projects never fire ``lead.created`` (contract): without an agent, nothing tells that
    they are there. The guide knows one event only, that a lead was created, of whatever kind.
    """

    def planned(kind: EventType, since: datetime, lead: SandboxLead) -> _Planned:
        return _Planned(since, lead.lead_id, EVENT_TYPES.index(kind), lead)

    first = life[0]
    if first.lead.defect is not None:
        return
    guide = options.webhook_form == "guide"
    if guide or first.lead.entity_type != "project":
        yield planned("lead.created", first.since, first.lead)
    if guide:
        return
    if first.lead.agent is not None:
        yield planned("lead.assigned", first.since, first.lead)
    for before, stage in pairwise(life):
        if stage.lead.status != before.lead.status:
            yield planned("lead.updated", stage.since, stage.lead)
        if stage.lead.agent != before.lead.agent:
            yield planned("lead.assigned", stage.since, stage.lead)


def _event_id(planned: _Planned, seed: int) -> str:
    name = f"{seed}:{planned.lead_id}:{planned.type}:{planned.timestamp.isoformat()}"
    return str(UUID(bytes=sha256(name.encode()).digest()[:16], version=4))


def _atlas_body(planned: _Planned, event_id: str, base_url: str) -> dict[str, Any]:
    record = atlas_record(planned.lead, base_url)
    fields: Mapping[str, Any] = record if isinstance(record, dict) else {}
    return {
        "id": event_id,
        "type": planned.type,
        "timestamp": planned.timestamp.isoformat().replace("+00:00", "Z"),
        "entity": {"id": planned.lead.lead_id, "type": "lead"},
        "payload": {name: fields[name] for name in _PAYLOAD if name in fields},
    }


def _guide_body(lead: SandboxLead, event_id: str, base_url: str) -> object:
    """The guide's sample lead, alone or in ``data``: receivers must take both."""
    record = guide_record(lead, base_url)
    return record if int(event_id[0], 16) % 2 else {"data": [record]}
