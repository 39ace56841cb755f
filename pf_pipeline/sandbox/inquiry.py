"""Inventing one inquiry: what it is about, through which channel, and who received it.

Belongs here: the proportions of a live account (all leads with a phone, three quarters with a
name, one in fifty with an email) and the ways in which references go wrong. How many inquiries a
day has, and when, is decided in ``leads_of_day``.
"""

from datetime import datetime
from random import Random
from typing import Final
from uuid import UUID

from pf_pipeline.sandbox.chance import Shares
from pf_pipeline.sandbox.inquirers import (
    Inquirer,
    new_inquirer,
    phone_as_typed,
    regular_inquirers,
)
from pf_pipeline.sandbox.lead import (
    Call,
    Channel,
    EntityType,
    NamedListing,
    Recording,
    SandboxLead,
    Status,
)
from pf_pipeline.sandbox.listings import LISTINGS, Listing
from pf_pipeline.sandbox.people import ADVERTISERS, Person
from pf_pipeline.sandbox.vocabulary import (
    ARABIC_MESSAGES,
    DISTRIBUTION_TYPES,
    ENGLISH_MESSAGES,
    ENRICHMENTS,
    TAGS,
    UNKNOWN_FIELDS,
)

_REGULARS_SHARE: Final = 0.12
_NAME_SHARE: Final = 0.76
_WHATSAPP_USERNAME_SHARE: Final = 0.05

_CHANNELS: Final = Shares[Channel]({"call": 46, "whatsapp": 44, "chat": 7, "email": 3})
_EMAIL_SHARES: Final[dict[Channel, float]] = {
    "call": 0.003,
    "whatsapp": 0.003,
    "chat": 0.02,
    "email": 0.55,
}
_ANSWERED_SHARE: Final = 0.68
_RECORDINGS: Final = Shares[Recording]({"recorded": 70, "empty": 5, "none": 25})
_MESSAGE_STATUSES: Final = Shares[Status]({"sent": 30, "delivered": 30, "read": 22, "replied": 18})
_ENTITY_TYPES: Final = Shares[EntityType](
    {"listing": 65, "agent": 16, "company": 11, "project": 6, "developer": 2}
)
_AGENT_SHARES: Final[dict[EntityType, float]] = {
    "listing": 0.94,
    "agent": 1.0,
    "company": 0.55,
    "project": 0.6,
    "developer": 0.5,
}
"""How many leads of each kind the portal gave to an agent."""

_IN_CRM: Final = tuple(item for item in LISTINGS if item.in_crm and item.state != "draft")
_NOT_IN_CRM: Final = tuple(item for item in LISTINGS if not item.in_crm)
_NOT_IN_CRM_SHARE: Final = 0.05
_FORGOTTEN_SHARE: Final = 0.03
_POPULARITY: Final = 1.6
"""Above 1: the first listings of the brokerage receive more inquiries than the last."""
_ADVERTISER_SHARE: Final = 0.9
"""How many leads of a listing go to the agent who advertises it."""
_SPELLINGS: Final = Shares({"exact": 88, "other case": 5, "padded": 3, "spaced": 4})
"""How references are written, with shares."""


def invent_lead(rng: Random, seed: int, number: int, created_at: datetime) -> SandboxLead:
    """Invent a lead.

    Args:
        rng: The chance of the day; the only source of variety.
        seed: Which world the regular inquirers come from.
        number: Becomes the number in the lead's id.
        created_at: When the portal received it, in UTC.
    """
    channel = _CHANNELS.choose(rng)
    entity_type = _ENTITY_TYPES.choose(rng)
    inquirer = (
        rng.choice(regular_inquirers(seed)) if rng.random() < _REGULARS_SHARE else new_inquirer(rng)
    )
    call = _call(rng) if channel == "call" else None
    listing = _listing(rng) if entity_type == "listing" else None
    return SandboxLead(
        lead_id=f"{'message' if call is None else 'call'}_lead_{number}",
        created_at=created_at,
        channel=channel,
        status=_status(rng, call),
        entity_type=entity_type,
        phone=phone_as_typed(rng, inquirer),
        name=inquirer.name if rng.random() < _NAME_SHARE else None,
        email=inquirer.email if rng.random() < _EMAIL_SHARES[channel] else None,
        whatsapp_username=_whatsapp_username(rng, channel, number),
        message=_message(rng, inquirer) if call is None else None,
        listing=_named(rng, listing, inquirer) if listing else None,
        agent=_agent(rng, entity_type, listing),
        call=call,
        distribution_type=rng.choice(DISTRIBUTION_TYPES) if entity_type == "project" else None,
        project_id=_uuid(rng) if entity_type == "project" else None,
        developer_id=_uuid(rng) if entity_type == "developer" else None,
        enrichment=ENRICHMENTS.choose(rng),
        tags=TAGS.choose(rng),
        unknown_field=UNKNOWN_FIELDS.choose(rng),
    )


def _uuid(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


def _call(rng: Random) -> Call:
    wait_seconds = 2 + int(rng.expovariate(1 / 12))
    if rng.random() >= _ANSWERED_SHARE:
        return Call(talk_seconds=0, wait_seconds=wait_seconds, recording="none")
    talk_seconds = 5 + int(rng.expovariate(1 / 140))
    return Call(talk_seconds, wait_seconds, recording=_RECORDINGS.choose(rng))


def _status(rng: Random, call: Call | None) -> Status:
    """An answered call counts as replied, a missed one as delivered (contract, ``status``)."""
    if call is None:
        return _MESSAGE_STATUSES.choose(rng)
    return "replied" if call.talk_seconds else "delivered"


def _whatsapp_username(rng: Random, channel: Channel, number: int) -> str | None:
    if channel != "whatsapp" or rng.random() >= _WHATSAPP_USERNAME_SHARE:
        return None
    return f"home.seeker.{number % 10_000:04}"


def _message(rng: Random, inquirer: Inquirer) -> str:
    return rng.choice(ARABIC_MESSAGES if inquirer.arabic else ENGLISH_MESSAGES)


def _listing(rng: Random) -> Listing:
    """A listing that somebody saw; now and then one that the CRM does not have."""
    if rng.random() < _NOT_IN_CRM_SHARE:
        return rng.choice(_NOT_IN_CRM)
    return _IN_CRM[int(len(_IN_CRM) * rng.random() ** _POPULARITY)]


def _named(rng: Random, listing: Listing, inquirer: Inquirer) -> NamedListing:
    title = listing.title_arabic if inquirer.arabic else listing.title
    if rng.random() < _FORGOTTEN_SHARE:
        return _forgotten(rng, title)
    return NamedListing(
        reference=_as_sent(rng, listing.reference),
        portal_id=listing.portal_id,
        atlas_id=listing.atlas_id,
        title=title,
    )


def _forgotten(rng: Random, title: str) -> NamedListing:
    """A listing that neither the CRM nor the portal knows any more."""
    number = rng.randrange(10_000)
    return NamedListing(
        reference=f"OLD-{number:04}",
        portal_id=310_000 + number,
        atlas_id=f"01H{number:023}",
        title=title,
    )


def _as_sent(rng: Random, reference: str) -> str:
    spelling = _SPELLINGS.choose(rng)
    if spelling == "other case":
        return reference.swapcase()
    if spelling == "padded":
        return f" {reference} "
    if spelling == "spaced":
        return reference.replace("-", " - ", 1)
    return reference


def _agent(rng: Random, entity_type: EntityType, listing: Listing | None) -> Person | None:
    if rng.random() >= _AGENT_SHARES[entity_type]:
        return None
    if listing is not None and rng.random() < _ADVERTISER_SHARE:
        return listing.advertiser
    return rng.choice(ADVERTISERS)
