"""People and listings as the portal writes them (section 6 of the reference).

Belongs here: the payloads of ``GET /v1/users`` and ``GET /v1/listings``.
"""

from typing import Any

from pf_pipeline.sandbox.listings import LISTINGS, Listing
from pf_pipeline.sandbox.people import PEOPLE, Person


def user_records() -> list[dict[str, Any]]:
    """Everybody whom the portal knows, with or without a public profile."""
    return [_user(person) for person in PEOPLE]


def listing_records(*, draft: bool, archived: bool) -> list[dict[str, Any]]:
    """The published listings, and on demand the drafts and the archived ones too."""
    states = {"live"}
    if draft:
        states.add("draft")
    if archived:
        states.add("archived")
    return [_listing(listing) for listing in LISTINGS if listing.state in states]


def _user(person: Person) -> dict[str, Any]:
    return {
        "id": person.portal_user_id,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "email": person.email,
        "mobile": person.mobile,
        "status": "active" if person.active else "inactive",
        "publicProfile": None
        if person.portal_profile_id is None
        else {
            "id": person.portal_profile_id,
            "name": person.portal_name,
            "email": person.email,
            "phone": person.mobile,
        },
    }


def _listing(listing: Listing) -> dict[str, Any]:
    return {
        "id": listing.atlas_id,
        "reference": listing.reference,
        "title": {"en": listing.title, "ar": listing.title_arabic},
        "assignedTo": {
            "id": listing.advertiser.portal_profile_id,
            "name": listing.advertiser.portal_name,
        },
        "state": {"stage": listing.state, "type": listing.state},
        "bedrooms": "studio" if listing.bedrooms == 0 else listing.bedrooms,
        "price": {"type": "sale", "amounts": {"sale": listing.price_aed}},
    }
