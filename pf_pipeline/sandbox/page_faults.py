"""Pages that are not what they should be, although they are well-formed JSON.

Belongs here: the changes that a fault makes to the decoded body of a page, of leads, users or
listings. Pure functions; when they apply is decided in ``faults``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pf_pipeline.sandbox.faults import Fault, FaultKind

Body = dict[str, Any]

_MOST_REPEATED: Final = 5
_MOST_EXTRA_PAGES: Final = 3
_ATLAS_OPTIONAL: Final = (
    "publicProfile", "listing", "project", "developer", "call", "responseLink",
    "distributionType", "enrichment", "tags",
)  # fmt: skip
_GUIDE_OPTIONAL: Final = ("name", "email", "message", "listing", "assignedTo", "recordingUrl")


def page_number(body: Body) -> int:
    """Which page a body is, in either dialect; 0 for a body that is no page."""
    pagination = body.get("pagination", {})
    return int(pagination.get("currentPage") or pagination.get("page") or 0)


def gone_wrong(fault: Fault, body: Body, previous: Body | None) -> tuple[FaultKind, Body] | None:
    """A page with wrong data.

    A kind that the page has no room for becomes its nearest relative: the guide has no
    ``nextPage``, and before the first page there is none to repeat leads from.

    Args:
        fault: One of ``WRONG_DATA``.
        body: The page as it should be.
        previous: The page before it, if there is one.

    Returns:
        The kind that it became, and the page; ``None`` if the page cannot be got wrong.
    """
    pagination, records = body["pagination"], _records(body)
    kind = fault.kind
    if kind is FaultKind.LOOPING_NEXT_PAGE:
        if "nextPage" in pagination:
            number = page_number(body)
            targets = (number, max(1, number - 1), 1)
            return kind, _paginated(body, nextPage=targets[int(fault.draw * len(targets))])
        kind = FaultKind.TOO_FEW_PAGES
    if kind is FaultKind.TOO_FEW_PAGES:
        pages = min(page_number(body), pagination["totalPages"] - 1)
        return (kind, _paginated(body, totalPages=pages)) if pages >= 0 else None
    if kind is FaultKind.TOO_MANY_PAGES:
        extra = 1 + int(fault.draw * _MOST_EXTRA_PAGES)
        return kind, _paginated(body, totalPages=pagination["totalPages"] + extra)
    if not records:
        return None
    if previous is None or kind is FaultKind.EMPTY_PAGE:
        return FaultKind.EMPTY_PAGE, _with_records(body, [])
    repeated = min(1 + int(fault.draw * _MOST_REPEATED), len(records))
    return kind, _with_records(body, _records(previous)[-repeated:] + records[:-repeated])


def with_nulls(body: Body) -> Body | None:
    """A page of leads in which every optional field that is absent is there and null.

    Malformed records stay as they are: who keeps them whole would keep something else.

    Returns:
        The page, which means what it meant before; ``None`` if it has no leads.
    """
    records = [_record_with_nulls(record) for record in _records(body)]
    return _with_records(body, records) if records != _records(body) else None


def _record_with_nulls(record: object) -> object:
    if not isinstance(record, dict) or not _is_sound(record):
        return record
    if "sender" in record:
        changed = dict.fromkeys(_ATLAS_OPTIONAL) | record
        changed["sender"] = {"name": None} | record["sender"]
        if "call" in record:
            changed["call"] = {"recordFile": None} | record["call"]
        return changed
    return dict.fromkeys(_GUIDE_OPTIONAL) | record if "phone" in record else record


def _is_sound(record: Mapping[str, Any]) -> bool:
    try:
        datetime.fromisoformat(record["createdAt"])
    except (KeyError, TypeError, ValueError):
        return False
    return isinstance(record.get("id"), str)


def _records(body: Body) -> list[Any]:
    return list(body[_name_of_records(body)])


def _name_of_records(body: Mapping[str, Any]) -> str:
    return "data" if "data" in body else "results"


def _with_records(body: Body, records: list[Any]) -> Body:
    changed = body | {_name_of_records(body): records}
    if "count" in body["pagination"]:
        changed = _paginated(changed, count=len(records))
    return changed


def _paginated(body: Body, **changes: int) -> Body:
    return body | {"pagination": body["pagination"] | changes}
