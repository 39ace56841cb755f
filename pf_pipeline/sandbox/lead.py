"""What the sandbox knows about one lead, before it is rendered in a dialect.

Belongs here: the shape of a lead and the guide's own sample lead. Inventing leads is the task of
``leads_of_day``, rendering them that of ``dialects``.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Literal

from pf_pipeline.sandbox.listings import SAMPLE_LISTING
from pf_pipeline.sandbox.people import SARAH, Person

Channel = Literal["call", "whatsapp", "email", "chat", "telegram"]
Status = Literal["sent", "delivered", "read", "replied", "archived"]
EntityType = Literal["listing", "company", "agent", "project", "developer", "community"]
"""The last channel, status and type are in no documentation: the portal may add some any day."""
Recording = Literal["recorded", "empty", "none"]
"""Whether a call has a recording's address, an empty one, or none at all."""


class Defect(Enum):
    """What is wrong with a malformed record, as importers meet them."""

    ID_MISSING = "the record has no id"
    ID_NULL = "the id is null"
    CREATED_MISSING = "the record has no createdAt"
    CREATED_GARBAGE = "createdAt is not an instant"
    RECORD_IS_TEXT = "the record is a text instead of an object"
    RECORD_IS_NULL = "the record is null instead of an object"


@dataclass(frozen=True, slots=True)
class NamedListing:
    """The listing as a lead names it.

    Attributes:
        reference: The reference as sent: not always as the CRM writes it.
        portal_id: The guide's numeric id.
        atlas_id: The contract's ULID.
        title: The title in the language of the inquiry.
    """

    reference: str
    portal_id: int
    atlas_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Call:
    """What the portal's telephony knows about a call.

    Attributes:
        talk_seconds: How long they spoke; 0 for a missed call.
        wait_seconds: How long it rang.
        recording: What the portal says about a recording.
    """

    talk_seconds: int
    wait_seconds: int
    recording: Recording


@dataclass(frozen=True, slots=True)
class SandboxLead:
    """One inquiry, with everything that either dialect may tell of it.

    Attributes:
        lead_id: The portal's id, the same in both dialects.
        created_at: When it was created, in UTC and whole seconds; for a malformed record too.
        channel: The guide's channel; the contract calls a chat WhatsApp.
        status: The portal's state of the conversation.
        entity_type: What the inquiry is about.
        phone: As the person typed it, in any of several formats.
        name: The person's name, if given.
        email: The person's address, if given.
        whatsapp_username: The person's WhatsApp handle, if known.
        unknown_contact: Type and value of a contact of a type that no documentation mentions.
        message: What was written; a call has none.
        listing: The listing it is about, if any.
        agent: Who received it at the portal, if anybody.
        call: Set for calls only.
        distribution_type: How a project's lead was handed out; project leads only.
        project_id: A UUID; project leads only.
        developer_id: A UUID; developer leads only.
        enrichment: What the portal adds about the person, as pairs of name and value.
        tags: The portal's tags, such as ``from_agent``.
        unknown_field: Name and value of a field that no documentation mentions.
        defect: What is wrong with the record; ``None`` for a sound one.
    """

    lead_id: str
    created_at: datetime
    channel: Channel
    status: Status
    entity_type: EntityType
    phone: str
    name: str | None = None
    email: str | None = None
    whatsapp_username: str | None = None
    unknown_contact: tuple[str, str] | None = None
    message: str | None = None
    listing: NamedListing | None = None
    agent: Person | None = None
    call: Call | None = None
    distribution_type: str | None = None
    project_id: str | None = None
    developer_id: str | None = None
    enrichment: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    unknown_field: tuple[str, str] | None = None
    defect: Defect | None = None


GUIDE_SAMPLE: Final = SandboxLead(
    lead_id="lead_987654",
    created_at=datetime(2025, 12, 19, 10, 30, tzinfo=UTC),
    channel="whatsapp",
    status="delivered",
    entity_type="listing",
    phone="+971501234567",
    name="John Doe",
    email="johndoe@example.com",
    message="I am interested in this apartment, please call me.",
    listing=NamedListing(
        reference=SAMPLE_LISTING.reference,
        portal_id=SAMPLE_LISTING.portal_id,
        atlas_id=SAMPLE_LISTING.atlas_id,
        title=SAMPLE_LISTING.title,
    ),
    agent=SARAH,
)
"""The lead that the guide prints."""
