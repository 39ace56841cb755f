"""Who works at the portal and who advertises what there: ``/v1/users`` and ``/v1/listings``.

Both tell whose lead it is where the brokerage's own listings do not: a public profile belongs to a
user, a user has an email, and the portal knows an owner of every reference (contract, other
endpoints). As with leads, whatever is odd costs its own record at most.
"""

from collections.abc import Iterable

import pandas as pd

from pf_pipeline.leads.json_texts import as_text
from pf_pipeline.leads.references import normalise_references

USER_COLUMNS = ("portal_user_id", "portal_profile_id", "email", "profile_email", "status")
LISTING_COLUMNS = ("portal_listing_id", "reference", "reference_key", "portal_profile_id", "state")


def read_users(records: Iterable[object]) -> pd.DataFrame:
    """The portal's users.

    Args:
        records: Items of ``data[]``.

    Returns:
        Texts, columns :data:`USER_COLUMNS`, one row a user id; records without one are left out.
    """
    rows = [
        {
            "portal_user_id": as_text(user.get("id")),
            "portal_profile_id": as_text(profile.get("id")),
            "email": _email(user.get("email")),
            "profile_email": _email(profile.get("email")),
            "status": as_text(user.get("status")),
        }
        for user in _objects(records)
        for profile in [_object(user.get("publicProfile"))]
    ]
    return _frame(rows, USER_COLUMNS, key="portal_user_id")


def read_listings(records: Iterable[object]) -> pd.DataFrame:
    """The portal's listings.

    Args:
        records: Items of ``results[]``.

    Returns:
        Texts, columns :data:`LISTING_COLUMNS`, one row a listing id; ``reference_key`` as
        :func:`~pf_pipeline.leads.references.normalise_reference` gives it. Records without an id
        or a reference are left out.
    """
    rows = [
        {
            "portal_listing_id": as_text(listing.get("id")),
            "reference": as_text(listing.get("reference")),
            "portal_profile_id": as_text(_object(listing.get("assignedTo")).get("id")),
            "state": _state(listing.get("state")),
        }
        for listing in _objects(records)
    ]
    columns = [column for column in LISTING_COLUMNS if column != "reference_key"]
    frame = _frame(rows, columns, key="portal_listing_id")
    frame = frame[frame["reference"].notna()].reset_index(drop=True)
    frame["reference_key"] = normalise_references(frame["reference"])
    return frame[list(LISTING_COLUMNS)]


def _objects(records: Iterable[object]) -> list[dict[str, object]]:
    return [record for record in records if isinstance(record, dict)]


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _email(value: object) -> str | None:
    """An address as it is compared: case does not count."""
    text = as_text(value)
    return text.casefold() if text else None


def _state(value: object) -> str | None:
    """A listing's state, a text or an object that names its stage."""
    return as_text(_object(value).get("stage")) if isinstance(value, dict) else as_text(value)


def _frame(rows: list[dict[str, str | None]], columns: Iterable[str], key: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns), dtype="str")
    return frame[frame[key].notna()].drop_duplicates(key, keep="last", ignore_index=True)
