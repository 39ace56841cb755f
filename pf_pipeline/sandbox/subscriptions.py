"""Subscriptions to webhook events: who wants to be told of what (reference, section 5).

Belongs here: what ``/v1/webhooks`` accepts, lists and removes. They are kept in memory only.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from pf_pipeline.sandbox.problems import conflict, invalid, not_found
from pf_pipeline.sandbox.webhooks import EVENT_TYPES, EventType

WEBHOOKS_PATH: Final = "/v1/webhooks"
LONGEST_SECRET: Final = 32
"""Characters (contract, ``secret``)."""

_NAMESPACE: Final = UUID("6f7a7c0a-5d0e-4c57-9f6d-5b1f2f6f7f10")
_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Subscription:
    """Somebody who wants to be told of one kind of event.

    Attributes:
        event_id: What removes it: the kind of event with a suffix, as the live service has it.
        type: The kind of event.
        url: Where events are posted.
        secret: Signs them; without one they are not signed.
        created_at: When it was made, in the live service's own notation, which is not ISO 8601.
    """

    event_id: str
    type: EventType
    url: str
    secret: str | None = field(repr=False)
    created_at: str

    def as_answer(self) -> dict[str, str]:
        """As the API tells it; the secret is never told."""
        return {"eventId": self.event_id, "url": self.url, "createdAt": self.created_at}


class Subscriptions:
    """All subscriptions of a sandbox."""

    def __init__(self) -> None:
        self._all: dict[str, Subscription] = {}
        self._made = 0

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, subscription: Subscription) -> bool:
        return subscription.event_id in self._all

    def add(self, body: bytes, now: datetime) -> Subscription:
        """Subscribe as the body of a request says.

        An event may be posted to several addresses, and to each of them once: the same event and
        address again are a conflict, whatever the secret.

        Raises:
            ProblemError: Something in it is wrong (400), or it is there already (409).
        """
        given = _object(body)
        kind = next((one for one in EVENT_TYPES if one == given.get("eventId")), None)
        if kind is None:
            raise invalid("/body/eventId", f"eventId must be one of {', '.join(EVENT_TYPES)}.")
        url, secret = given.get("callbackUrl"), given.get("secret")
        if not isinstance(url, str) or not is_callback(url):
            raise invalid(
                "/body/callbackUrl",
                "callbackUrl must be http:// and on this machine, such as http://127.0.0.1:8650/: "
                "a sandbox calls nobody else.",
            )
        if secret is not None and not (
            isinstance(secret, str) and 0 < len(secret) <= LONGEST_SECRET
        ):
            raise invalid(
                "/body/secret", f"secret must be a text of 1 to {LONGEST_SECRET} characters."
            )
        if any((one.type, one.url) == (kind, url) for one in self._all.values()):
            raise conflict(f"{kind} is posted to this callbackUrl already.")
        return self._keep(kind, url, secret, now)

    def remove(self, event_id: str) -> None:
        """End a subscription; by the bare kind of an event, all subscriptions to it.

        Raises:
            ProblemError: There is none (404).
        """
        ended = [one.event_id for one in self._all.values() if event_id in {one.event_id, one.type}]
        if not ended:
            raise not_found(f"{WEBHOOKS_PATH}/{event_id}")
        for one in ended:
            del self._all[one]

    def of(self, kind: EventType) -> list[Subscription]:
        """Who wants to be told of a kind of event."""
        return [one for one in self._all.values() if one.type == kind]

    def _keep(self, kind: EventType, url: str, secret: str | None, now: datetime) -> Subscription:
        self._made += 1
        subscription = Subscription(
            event_id=f"{kind}_{uuid5(_NAMESPACE, str(self._made))}",
            type=kind,
            url=url,
            secret=secret,
            created_at=f"{now:%Y-%m-%d %H:%M:%S.%f} +0000 UTC",
        )
        self._all[subscription.event_id] = subscription
        return subscription


def subscription_requests(url: str, secret: str | None) -> list[bytes]:
    """The bodies that subscribe an address to all events of leads."""
    signed = {} if secret is None else {"secret": secret}
    return [
        json.dumps({"eventId": kind, "callbackUrl": url, **signed}).encode() for kind in EVENT_TYPES
    ]


def is_callback(url: str) -> bool:
    """Whether a sandbox may post to an address: plain HTTP, and on this machine."""
    if not _SENDABLE.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme != "http":
        return False
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _object(body: bytes) -> dict[str, object]:
    try:
        given = json.loads(body)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise invalid("/body", "The body must be a JSON object.")
    return given
