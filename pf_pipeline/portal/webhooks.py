"""Subscriptions to webhook events at the portal: who is told when a lead comes in or changes.

What the portal answers is read leniently, because the live service differs from its contract
(contract, webhooks): events come back with a suffix, instants in a notation of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlsplit

from pf_pipeline.portal.answers import read_json
from pf_pipeline.portal.client import PortalClient
from pf_pipeline.portal.errors import PermanentPortalError, PortalDataError

WEBHOOKS_PATH: Final = "/v1/webhooks"

LEAD_EVENTS: Final = ("lead.created", "lead.updated", "lead.assigned")
"""All three are needed: leads of projects never fire the first one (contract, webhooks)."""

_LISTS = ("data", "results", "webhooks")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One address that the portal posts one kind of event to.

    Attributes:
        event_id: As the portal gave it: ``lead.created``, or that with a suffix; removes it.
        url: Where events are posted.
        created_at: When it was made, as the portal says it; empty where it does not.
    """

    event_id: str
    url: str
    created_at: str = ""

    @property
    def lead_event(self) -> str | None:
        """Which event of leads it is about; None for any other event."""
        return next(
            (
                event
                for event in LEAD_EVENTS
                if self.event_id == event or self.event_id.startswith(f"{event}_")
            ),
            None,
        )


class Subscriptions:
    """The subscriptions of one account."""

    def __init__(self, client: PortalClient) -> None:
        """Use a client; it is not closed here."""
        self._client = client

    def listed(self) -> list[Subscription]:
        """All of them, those to other events than leads' included.

        Raises:
            PortalError: They could not be read; which class says what to do next.
        """
        answer = self._client.call("GET", WEBHOOKS_PATH)
        payload = read_json(answer)
        records = payload
        if isinstance(payload, dict):
            records = next((payload[name] for name in _LISTS if name in payload), payload)
        if records is None:  # how some services write an empty list
            return []
        if not isinstance(records, list):
            raise PortalDataError(
                f"{answer.where} sent JSON without a list of subscriptions: try again later."
            )
        return list(_readable(records))

    def add(self, event: str, url: str, secret: str) -> bool:
        """Have an event posted to an address, signed with a secret.

        Returns:
            Whether it is new; otherwise the portal had it already, with whatever secret.

        Raises:
            PortalError: It was not added; which class says what to do next.
        """
        wanted = {"eventId": event, "callbackUrl": url, "secret": secret}
        try:
            self._client.call("POST", WEBHOOKS_PATH, wanted, secrets=(secret,))
        except PermanentPortalError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            return False
        return True

    def remove(self, subscription: Subscription) -> None:
        """End a subscription; nothing happens if it is gone already.

        Raises:
            PortalError: It was not removed; which class says what to do next.
        """
        path = f"{WEBHOOKS_PATH}/{quote(subscription.event_id, safe='')}"
        try:
            self._client.call("DELETE", path)
        except PermanentPortalError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise


def same_address(one: str, other: str) -> bool:
    """Whether two addresses differ at most in the case of the host or a slash at the end."""
    return _comparable(one) == _comparable(other)


def _comparable(url: str) -> tuple[str, str, str, str]:
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # no address: only the same text is the same
        return "", url, "", ""
    return parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), parts.query


def _readable(records: list[object]) -> Iterator[Subscription]:
    for record in records:
        if isinstance(record, dict):
            event_id = record.get("eventId") or record.get("id")
            url = record.get("url") or record.get("callbackUrl")
            if isinstance(event_id, str) and isinstance(url, str):
                yield Subscription(event_id, url, str(record.get("createdAt") or ""))
