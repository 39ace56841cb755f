"""A portal in memory whose leads come and go between any two answers, and that lies on demand.

Records are compared as objects, because those without an id may be equal and yet two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock

from pf_pipeline.portal import LeadsPage
from pf_pipeline.portal.pagination import read_pagination

Change = Callable[["SimulatedPortal"], None]


@dataclass
class SimulatedPortal:
    """Serves pages of a list of leads, the first to be served first.

    Attributes:
        leads: What there is.
        per_page: Leads a page.
        order: At which end new leads stand.
        changes: What happens before the answer of an ordinal number, from 0.
        lies: Replaces fields of the pagination.
        says_total: Whether the pagination has a total.
        asked: The pages that were asked for.
        hidden: The ordinal numbers of answers in which the sort repeats and hides a lead.
    """

    leads: list[object]
    per_page: int = 3
    order: str = "newest first"
    changes: dict[int, list[Change]] = field(default_factory=dict)
    lies: dict[str, object] = field(default_factory=dict)
    says_total: bool = True
    asked: list[int] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    born: int = 0
    _lock: Lock = field(default_factory=Lock)

    def fetch(self, number: int) -> LeadsPage:
        with self._lock:
            for change in self.changes.get(len(self.asked), []):
                change(self)
            self.asked.append(number)
            return self._page(number)

    def _page(self, number: int) -> LeadsPage:
        first = (number - 1) * self.per_page
        served = self.leads[first : first + self.per_page]
        # A named one: a record without an id that is repeated cannot be told from two.
        repeats = len(self.asked) - 1 in self.hidden and is_named(*served[-1:])
        if repeats and len(served) > 1:
            served = [*served[1:], served[-1]]  # the sort repeats one lead and hides another
        pages = -(-len(self.leads) // self.per_page)
        pagination = {
            "page": number,
            "perPage": self.per_page,
            "total": len(self.leads),
            "totalPages": pages,
            "nextPage": number + 1 if number < pages else None,
            **self.lies,
        }
        if not self.says_total:
            del pagination["total"]
        return LeadsPage(
            number=number,
            body=b"",
            requested_at=datetime(2026, 1, 1, tzinfo=UTC),
            records=list(served),
            pagination=read_pagination(
                {"pagination": pagination},
                asked=number,
                received=len(served),
                per_page=self.per_page,
            ),
        )

    def stored(self, numbers: Sequence[int]) -> list[LeadsPage]:
        """Pages that an interrupted attempt stored, before anything else happened."""
        return [replace(self._page(number)) for number in numbers]


def lead(name: object) -> dict[str, object]:
    return {"id": f"lead_{name}"}


def nameless(text: str) -> dict[str, object]:
    """A record without an id; equal ones are different records all the same."""
    return {"id": None, "text": text}


def is_named(record: object = None) -> bool:
    return isinstance(record, dict) and record["id"] is not None


def arrival(portal: SimulatedPortal) -> None:
    """A new lead, where new leads stand."""
    portal.born += 1
    _put_first(portal, lead(f"new_{portal.born}"))


def nameless_arrival(text: str) -> Change:
    """A new record without an id, where new leads stand."""

    def change(portal: SimulatedPortal) -> None:
        _put_first(portal, nameless(text))

    return change


def _put_first(portal: SimulatedPortal, new: object) -> None:
    portal.leads.insert(0 if portal.order == "newest first" else len(portal.leads), new)


def surfacing(place: float) -> Change:
    """A lead that surfaces late, somewhere in the middle."""

    def change(portal: SimulatedPortal) -> None:
        portal.born += 1
        portal.leads.insert(int(place * len(portal.leads)), lead(f"late_{portal.born}"))

    return change


def deletion(place: float) -> Change:
    def change(portal: SimulatedPortal) -> None:
        if portal.leads:
            del portal.leads[int(place * len(portal.leads)) % len(portal.leads)]

    return change
