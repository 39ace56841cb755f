"""Leads as the two dialects of the API write them.

Belongs here: the payloads and the pagination envelopes of the guide (section 1 of the reference)
and of atlas, the vendor's contract (section 3). What a lead says is decided elsewhere.
"""

from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Final, Literal

from pf_pipeline.sandbox.lead import Defect, SandboxLead

Dialect = Literal["guide", "atlas"]

Record = dict[str, Any] | str | None
"""A lead as JSON: an object, unless the lead is malformed."""

_GULF_TIME: Final = timezone(timedelta(hours=4))


def guide_record(lead: SandboxLead, base_url: str) -> Record:
    """A lead as the guide's ``data[]`` has it.

    An unknown name or email is null; what does not apply (a call's message, the listing, the
    agent) is left out. The guide does not name the field of a recording: here ``recordingUrl``.

    Args:
        lead: The lead.
        base_url: The sandbox's own address, without a trailing slash, for links into it.
    """
    record: dict[str, Any] = {
        "id": lead.lead_id,
        "name": lead.name,
        "email": lead.email,
        "phone": lead.phone,
    }
    if lead.message is not None:
        record["message"] = lead.message
    record |= {"channel": lead.channel, "createdAt": _utc_text(lead.created_at)}
    if lead.listing is not None:
        record["listing"] = {
            "id": lead.listing.portal_id,
            "reference": lead.listing.reference,
            "title": lead.listing.title,
        }
    if lead.agent is not None:
        record["assignedTo"] = {"id": lead.agent.portal_user_id, "name": lead.agent.portal_name}
    if lead.call is not None and lead.call.recording != "none":
        record["recordingUrl"] = _recording_url(lead, base_url)
    return _finished(record, lead)


def atlas_record(lead: SandboxLead, base_url: str) -> Record:
    """A lead as the contract's ``data[]`` has it.

    Optional fields are left out where they do not apply. Calls are stamped in Gulf time, messages
    in UTC: the contract allows any offset.

    Args:
        lead: The lead.
        base_url: The sandbox's own address, without a trailing slash, for links into it.
    """
    record: dict[str, Any] = {
        "id": lead.lead_id,
        "entityType": lead.entity_type,
        "channel": _atlas_channel(lead),
        "status": lead.status,
        "sender": _sender(lead),
    }
    if lead.agent is not None:
        record["publicProfile"] = {"id": lead.agent.portal_profile_id}
    if lead.listing is not None:
        record["listing"] = {"id": lead.listing.atlas_id, "reference": lead.listing.reference}
    if lead.project_id is not None:
        record["project"] = {"id": lead.project_id}
    if lead.developer_id is not None:
        record["developer"] = {"id": lead.developer_id}
    if lead.call is not None:
        record["call"] = _call(lead, base_url)
    if _atlas_channel(lead) == "whatsapp":
        record["responseLink"] = _response_link(lead, base_url)
    if lead.distribution_type is not None:
        record["distributionType"] = lead.distribution_type
    if lead.enrichment:
        record["enrichment"] = dict(lead.enrichment)
    record["tags"] = list(lead.tags)
    record["createdAt"] = (
        _utc_text(lead.created_at)
        if lead.call is None
        else lead.created_at.astimezone(_GULF_TIME).isoformat()
    )
    return _finished(record, lead)


def guide_pagination(total: int, count: int, per_page: int, page: int) -> dict[str, int]:
    """The guide's ``pagination``: of ``total`` leads, this page holds ``count``."""
    return {
        "total": total,
        "count": count,
        "perPage": per_page,
        "currentPage": page,
        "totalPages": _pages(total, per_page),
    }


def atlas_pagination(total: int, per_page: int, page: int) -> dict[str, int | None]:
    """The contract's ``pagination``; the next and previous page are null where there is none."""
    pages = _pages(total, per_page)
    return {
        "page": page,
        "perPage": per_page,
        "total": total,
        "totalPages": pages,
        "nextPage": page + 1 if page < pages else None,
        "prevPage": page - 1 if page > 1 else None,
    }


def _pages(total: int, per_page: int) -> int:
    return -(-total // per_page)


def _utc_text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _atlas_channel(lead: SandboxLead) -> str:
    """The contract has no chat: there it arrives as WhatsApp."""
    return "whatsapp" if lead.channel == "chat" else lead.channel


def _sender(lead: SandboxLead) -> dict[str, Any]:
    contacts = dict([lead.unknown_contact] if lead.unknown_contact else []) | {
        "phone": lead.phone,
        "email": lead.email,
        "whatsappUsername": lead.whatsapp_username,
    }
    sender: dict[str, Any] = {} if lead.name is None else {"name": lead.name}
    sender["contacts"] = [
        {"type": kind, "value": value} for kind, value in contacts.items() if value is not None
    ]
    return sender


def _call(lead: SandboxLead, base_url: str) -> dict[str, Any]:
    if lead.call is None:
        return {}
    call: dict[str, Any] = {
        "talkTime": lead.call.talk_seconds,
        "waitTime": lead.call.wait_seconds,
    }
    if lead.call.recording != "none":
        call["recordFile"] = _recording_url(lead, base_url)
    return call


def _recording_url(lead: SandboxLead, base_url: str) -> str:
    if lead.call is None or lead.call.recording == "empty":
        return ""
    return f"{base_url}/recordings/{lead.lead_id}.wav"


def _response_link(lead: SandboxLead, base_url: str) -> str | None:
    """Where the agent would answer; null once they have."""
    if lead.status == "replied":
        return None
    return f"{base_url}/respond/{sha256(lead.lead_id.encode()).hexdigest()[:24]}"


def _finished(record: dict[str, Any], lead: SandboxLead) -> Record:
    """Add the field that nobody documented, then break the record if it is a malformed one."""
    if lead.unknown_field is not None:
        name, value = lead.unknown_field
        record[name] = value
    match lead.defect:
        case Defect.ID_MISSING:
            del record["id"]
        case Defect.ID_NULL:
            record["id"] = None
        case Defect.CREATED_MISSING:
            del record["createdAt"]
        case Defect.CREATED_GARBAGE:
            record["createdAt"] = "yesterday afternoon"
        case Defect.RECORD_IS_TEXT:
            return "lead temporarily unavailable"
        case Defect.RECORD_IS_NULL:
            return None
    return record
