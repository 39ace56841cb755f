"""One parser for both shapes of a lead: the guide's and the atlas contract's.

A record goes in as the portal sent it, a :class:`ParsedLead` or a :class:`Rejection` comes out.
Only what makes a lead unusable rejects it: no id, or no instant of creation. Everything else that
is odd (unknown fields, a number where a text should be, a second phone) is kept in ``extra``,
because a lead that nobody calls is worse than an untidy one.

Schema checks, phone numbers and references are not parsed here but in their own modules.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from pf_pipeline.leads.json_texts import (
    as_text,
    read_json,
    storable_json,
    stripped_text,
    whole_json,
)

RECORDING_FIELDS = ("recordingUrl", "recording_url", "callRecording")
"""Names the guide dialect may use for a recording, which the guide leaves unnamed."""

CALL_URLS = ("recordFile", "recordingUrl")

GUIDE_FIELDS = {"id", "name", "email", "phone", "message", "channel", "createdAt", "listing"}
ATLAS_FIELDS = {"entityType", "status", "sender", "publicProfile", "call", "responseLink", "tags"}
KNOWN_FIELDS = frozenset({*GUIDE_FIELDS, "assignedTo", *ATLAS_FIELDS, *RECORDING_FIELDS})
CONTACT_TYPES = {"email": "email", "phone": "phone", "whatsappUsername": "whatsapp_username"}
CONTACT_FIELDS = {"type", "value"}


class ParsedLead(NamedTuple):
    """What one observation says of a lead, under the CRM's column names.

    ``None`` means that the observation does not carry the field. Texts are as sent, without
    surrounding blanks; ``tags`` and ``extra`` are JSON; seconds are whole; instants are UTC.
    """

    lead_id: str
    created_at: datetime
    channel: str
    status: str | None
    entity_type: str | None
    name: str | None
    email: str | None
    phone: str | None
    whatsapp_username: str | None
    message: str | None
    listing_id: str | None
    listing_reference: str | None
    listing_title: str | None
    portal_agent_id: str | None
    portal_agent_kind: str | None
    portal_agent_name: str | None
    response_link: str | None
    recording_url: str | None
    talk_seconds: int | None
    wait_seconds: int | None
    tags: str | None
    extra: str | None


class Rejection(NamedTuple):
    """A record that is not a usable lead, with the reason in one phrase."""

    lead_id: str | None
    reason: str


def parse_record(record: object) -> ParsedLead | Rejection:
    """Read one record of ``data[]`` in either dialect.

    Args:
        record: The decoded JSON value.

    Returns:
        The lead, or why it is none. Never raises for any JSON value.
    """
    if not isinstance(record, dict):
        return Rejection(None, f"the record is {_kind(record)}, not an object")
    lead_id = as_text(record.get("id"))
    if lead_id is None:
        return Rejection(None, _problem(record, "id", "a text"))
    created_at = parse_instant(record.get("createdAt"))
    if created_at is None:
        return Rejection(lead_id, _problem(record, "createdAt", "an ISO-8601 instant"))
    return _parse_fields(record, lead_id, created_at)


def _parse_fields(record: dict[str, Any], lead_id: str, created_at: datetime) -> ParsedLead:
    rest = _Leftovers(record)
    sender, listing, call = rest.part("sender"), rest.part("listing"), rest.part("call")
    contacts = _contacts(rest, sender)
    agent_id, agent_kind, agent_name = _portal_agent(rest)
    return ParsedLead(
        lead_id=lead_id,
        created_at=created_at,
        channel=rest.text("channel") or "unknown",
        status=rest.text("status"),
        entity_type=rest.text("entityType"),
        name=_name(rest, sender),
        email=contacts.get("email"),
        phone=contacts.get("phone"),
        whatsapp_username=contacts.get("whatsapp_username"),
        message=rest.text("message"),
        listing_id=rest.text("id", listing, "listing"),
        listing_reference=rest.text("reference", listing, "listing"),
        listing_title=rest.text("title", listing, "listing"),
        portal_agent_id=agent_id,
        portal_agent_kind=agent_kind,
        portal_agent_name=agent_name,
        response_link=rest.text("responseLink"),
        recording_url=_recording_url(rest, call),
        talk_seconds=rest.seconds("talkTime", call, "call"),
        wait_seconds=rest.seconds("waitTime", call, "call"),
        tags=_tags(rest),
        extra=rest.as_json(sender=sender, listing=listing, call=call),
    )


def _portal_agent(rest: "_Leftovers") -> tuple[str | None, str | None, str | None]:
    """The portal's agent: a user id in the guide, a public profile id in atlas (contract)."""
    found: tuple[str | None, str | None, str | None] = (None, None, None)
    for field, kind in (("assignedTo", "user"), ("publicProfile", "profile")):
        agent = rest.part(field)
        agent_id = rest.text("id", agent, field)
        if agent_id is not None and found[0] is None:
            found = (agent_id, kind, rest.text("name", agent, field))
            rest.keep_unknown(field, agent, {"id", "name"})
        else:
            rest.keep_unknown(field, agent, set())
    return found


def _name(rest: "_Leftovers", sender: Mapping[str, Any]) -> str | None:
    name, sender_name = rest.text("name"), rest.text("name", sender, "sender")
    if name and sender_name and sender_name != name:
        rest.keep("sender.name", sender_name)
    return name or sender_name


def _contacts(rest: "_Leftovers", sender: Mapping[str, Any]) -> dict[str, str]:
    """The guide's own fields, else the first contact of each known type.

    Every contact that says more or something else stays whole in ``extra``.
    """
    found = {column: text for column in ("email", "phone") if (text := rest.text(column))}
    contacts = sender.get("contacts")
    if contacts is None:
        return found
    others = []
    for contact in contacts if isinstance(contacts, list) else [contacts]:
        column, value, says_more = _read_contact(contact)
        if column and value and found.setdefault(column, value) != value:
            says_more = True
        if says_more:
            others.append(contact)
    if others:
        rest.keep("sender.contacts", others)
    return found


def _read_contact(contact: object) -> tuple[str | None, str | None, bool]:
    """The column and the text of a contact, and whether it says more than these two."""
    if not isinstance(contact, dict):
        return None, None, contact is not None
    type_, value = contact.get("type"), contact.get("value")
    column = CONTACT_TYPES.get(type_) if isinstance(type_, str) else None
    text = as_text(value)
    unread = (
        (column is None and contact != {})
        or (text is None and value is not None and not isinstance(value, str))
        or any(contact[field] is not None for field in contact.keys() - CONTACT_FIELDS)
    )
    return column, text, unread


def _recording_url(rest: "_Leftovers", call: Mapping[str, Any]) -> str | None:
    """The recording under any of its names; an empty one means that there is none yet."""
    found: str | None = None
    for place, holder, names in (("", rest.record, RECORDING_FIELDS), ("call", call, CALL_URLS)):
        for name in names:
            url = rest.text(name, holder, place)
            if url is None:
                continue
            if found is None and url.lower().startswith(("https://", "http://")):
                found = url
            elif url != found:
                rest.keep(f"{place}.{name}" if place else name, url)
    return found


def _tags(rest: "_Leftovers") -> str | None:
    tags = rest.record.get("tags")
    if tags is None:
        return None
    if isinstance(tags, list):
        return storable_json(tags)
    rest.keep("tags", tags)
    return None


class _Leftovers:
    """Reads the fields of one record and collects what has no column of its own."""

    __slots__ = ("kept", "record")

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record
        self.kept: dict[str, Any] = {}

    def keep(self, place: str, value: object) -> None:
        self.kept[place] = value

    def part(self, field: str) -> Mapping[str, Any]:
        """A nested object; empty where it is absent or something else, which is then kept."""
        value = self.record.get(field)
        if isinstance(value, dict):
            return value
        if value is not None:
            self.keep(field, value)
        return {}

    def text(
        self, field: str, holder: Mapping[str, Any] | None = None, place: str = ""
    ) -> str | None:
        value = (self.record if holder is None else holder).get(field)
        if value is None:
            return None
        if isinstance(value, str):
            return stripped_text(value)
        text = as_text(value)
        if text is None:
            self.keep(f"{place}.{field}" if place else field, value)
        return text

    def seconds(self, field: str, holder: Mapping[str, Any], place: str) -> int | None:
        value = holder.get(field)
        if value is None:
            return None
        seconds = _whole_seconds(value)
        if seconds is None:
            self.keep(f"{place}.{field}", value)
        return seconds

    def keep_unknown(self, place: str, holder: Mapping[str, Any], known: set[str]) -> None:
        for field in (holder.keys() - known) if holder else ():
            if holder[field] is not None:
                self.keep(f"{place}.{field}", holder[field])

    def as_json(
        self, *, sender: Mapping[str, Any], listing: Mapping[str, Any], call: Mapping[str, Any]
    ) -> str | None:
        self.keep_unknown("sender", sender, {"name", "contacts"})
        self.keep_unknown("listing", listing, {"id", "reference", "title"})
        self.keep_unknown("call", call, {"talkTime", "waitTime", "recordFile", "recordingUrl"})
        for field in sorted(self.record.keys() - KNOWN_FIELDS):
            if self.record[field] is not None:
                self.kept[self._free(field)] = self.record[field]
        return storable_json(self.kept) if self.kept else None

    def _free(self, place: str) -> str:
        """The place itself, unless a part's field took it: ``listing.id`` can also be a name."""
        while place in self.kept:
            place = f"/{place}"
        return place


MAX_SECONDS = 24 * 60 * 60


def _whole_seconds(value: object) -> int | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value <= MAX_SECONDS else None


def decode_page(body: bytes) -> list[object]:
    """The records of a stored page; whatever else the page holds is of no interest here.

    Raises:
        ValueError: The body is not a JSON object with a list under ``data``.
    """
    page = read_json(body)
    records = page.get("data") if isinstance(page, dict) else None
    if isinstance(records, list):
        return records
    raise ValueError("the page has no list of leads under 'data'")


def raw_json(record: object) -> str:
    """A rejected record as compact JSON, whole; keys keep the portal's order."""
    return whole_json(record)


def parse_instant(value: object) -> datetime | None:
    """Read an ISO-8601 instant with any offset as UTC; one without an offset is taken as UTC."""
    if not isinstance(value, str) or len(value) < len("2025-01-01T00:00"):
        return None
    try:
        instant = datetime.fromisoformat(value.strip().upper())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def days_of_records(records: list[object], alone: date) -> list[date]:
    """The UTC day to which each record of a page belongs.

    A record without a readable ``createdAt`` is rejected later, but on exactly one day: that of
    its nearest neighbour on the page, first looking back, because the portal sorts by time.

    Args:
        records: The page's records in the order received.
        alone: The day to take when no record of the page can be dated.
    """
    days = [_created_day(record) for record in records]
    nearest: date | None = None
    for position, day in enumerate(days):
        nearest = day or nearest
        days[position] = nearest
    following = next((day for day in days if day is not None), alone)
    return [day or following for day in days]


def _created_day(record: object) -> date | None:
    instant = parse_instant(record.get("createdAt")) if isinstance(record, dict) else None
    return instant.date() if instant else None


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", str: "a text", list: "a list"}
    return names.get(type(value), "a number")


def _problem(record: Mapping[str, Any], field: str, expected: str) -> str:
    if record.get(field) is None:
        return f"{field} is missing"
    return f"{field} is not {expected}"
