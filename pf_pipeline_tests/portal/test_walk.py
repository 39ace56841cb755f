"""The walk as pure logic, against a portal in memory."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.portal import LeadsPage, LeadsWalk, TransientPortalError
from pf_pipeline.portal import walk as walk_module
from pf_pipeline.portal.stopping import Stop
from pf_pipeline_tests.portal.simulated import (
    Change,
    SimulatedPortal,
    arrival,
    deletion,
    lead,
    nameless,
    nameless_arrival,
    surfacing,
)

SIZES = st.integers(0, 20)
ORDERS = st.sampled_from(["newest first", "oldest first"])
PARALLEL = st.integers(1, 4)
PLACES = st.floats(0, 0.999)
TEXTS = st.sampled_from(["a", "b"])
ARRIVALS = st.one_of(st.just(arrival), PLACES.map(surfacing), TEXTS.map(nameless_arrival))
LIES = st.dictionaries(
    st.sampled_from(["totalPages", "nextPage", "page", "count"]),
    st.none() | st.integers(-1, 40) | st.just("nonsense"),
)
without_deadline = settings(deadline=None)  # threads start slowly on a busy machine
thorough = settings(deadline=None, max_examples=400)
NEVER_MORE = 200
"""Requests that no walk over these small portals may reach."""


def moments(changes: st.SearchStrategy[Change]) -> st.SearchStrategy[dict[int, list[Change]]]:
    """One change at most between two answers: two that outweigh each other cannot be noticed."""
    return st.dictionaries(st.integers(1, 25), changes.map(lambda change: [change]), max_size=8)


def leads_of(size: int) -> list[object]:
    return [lead(n) for n in range(size)]


@st.composite
def some_leads(draw: st.DrawFn, least: int = 0) -> list[object]:
    """Leads, some of them without an id."""
    texts = draw(st.lists(st.none() | TEXTS, min_size=least, max_size=20))
    return [lead(n) if text is None else nameless(text) for n, text in enumerate(texts)]


def ids(records: list[object]) -> set[object]:
    return {record["id"] for record in records if isinstance(record, dict)}


def each(records: list[object]) -> set[int]:
    """The records themselves: equal ones are told apart. The portal must be kept as long."""
    return {id(record) for record in records}


def walked(walk: LeadsWalk) -> list[object]:
    return [record for page in walk for record in page.records]


@without_deadline
@given(SIZES, PARALLEL)
def test_a_portal_that_stands_still_is_read_once(size: int, parallel: int) -> None:
    portal = SimulatedPortal(leads_of(size))
    walk = LeadsWalk(portal.fetch, parallel=parallel)
    assert walked(walk) == portal.leads
    assert sorted(portal.asked) == list(range(1, max(1, -(-size // 3)) + 1))
    outcome = walk.outcome
    assert (outcome.complete, outcome.distinct, outcome.total) == (True, size, size)
    assert (outcome.rounds, outcome.pages_read) == (1, len(portal.asked))


@thorough
@given(some_leads(), ORDERS, moments(ARRIVALS | PLACES.map(deletion)), st.sets(st.integers(0, 8)))
def test_what_is_there_in_the_end_was_seen_or_the_walk_is_incomplete(
    leads: list[object], order: str, changes: dict[int, list[Change]], hidden: set[int]
) -> None:
    portal = SimulatedPortal([*leads], order=order, changes=changes, hidden=hidden)
    walk = LeadsWalk(portal.fetch, parallel=1)
    seen = each(walked(walk))
    assert len(portal.asked) < NEVER_MORE
    assert not walk.outcome.complete or each(portal.leads) <= seen


@without_deadline
@given(some_leads(), ORDERS, moments(ARRIVALS), PARALLEL, LIES)
def test_whatever_arrives_nothing_older_is_missed_by_any_number_of_threads(
    leads: list[object],
    order: str,
    changes: dict[int, list[Change]],
    parallel: int,
    lies: dict[str, object],
) -> None:
    portal = SimulatedPortal([*leads], order=order, changes=changes, lies=lies)
    walk = LeadsWalk(portal.fetch, parallel=parallel)
    seen = each(walked(walk))
    assert len(portal.asked) < NEVER_MORE
    assert not walk.outcome.complete or each(leads) <= seen


@without_deadline
@given(
    some_leads(least=1),
    ORDERS,
    st.dictionaries(
        st.integers(1, 7), (ARRIVALS | PLACES.map(deletion)).map(lambda c: [c]), max_size=4
    ),
    st.sets(st.integers(0, 6)),
    LIES,
)
def test_what_happens_in_the_first_round_is_made_good(
    leads: list[object],
    order: str,
    changes: dict[int, list[Change]],
    hidden: set[int],
    lies: dict[str, object],
) -> None:
    pages = -(-len(leads) // 3)
    portal = SimulatedPortal(
        [*leads],
        order=order,
        changes={moment: some for moment, some in changes.items() if moment < pages},
        hidden={moment for moment in hidden if moment < pages},
        lies=lies,
    )
    walk = LeadsWalk(portal.fetch, parallel=1)
    seen = each(walked(walk))
    assert walk.outcome.complete
    assert each(leads) & each(portal.leads) <= seen


@without_deadline
@given(SIZES, PARALLEL, LIES)
def test_lies_about_pages_change_nothing_when_the_total_is_right(
    size: int, parallel: int, lies: dict[str, object]
) -> None:
    portal = SimulatedPortal(leads_of(size), lies=lies)
    walk = LeadsWalk(portal.fetch, parallel=parallel)
    assert ids(walked(walk)) == ids(portal.leads)
    assert walk.outcome.complete
    assert len(portal.asked) <= max(1, -(-size // 3)) + 1


@without_deadline
@given(SIZES, st.sets(st.integers(1, 7)), PARALLEL)
def test_known_pages_are_not_fetched_again(size: int, numbers: set[int], parallel: int) -> None:
    portal = SimulatedPortal(leads_of(size))
    pages = max(1, -(-size // 3))
    known = portal.stored([number for number in numbers if number <= pages])
    walk = LeadsWalk(portal.fetch, parallel=parallel, known=known)
    given_ = walked(walk)
    assert sorted(portal.asked) == sorted(set(range(1, pages + 1)) - {k.number for k in known})
    assert ids(given_) | ids([r for page in known for r in page.records]) == ids(portal.leads)
    assert walk.outcome.complete
    assert walk.outcome.distinct == size


@without_deadline
@given(
    some_leads(least=1),
    ORDERS,
    st.lists(st.integers(1, 7), max_size=9),
    st.lists(ARRIVALS | PLACES.map(deletion), max_size=1),
)
def test_what_changed_since_an_interrupted_attempt_is_made_good(
    leads: list[object], order: str, numbers: list[int], since: list[Change]
) -> None:
    pages = -(-len(leads) // 3)
    portal = SimulatedPortal([*leads], order=order)
    # An attempt that was interrupted while it caught up has stored some pages twice.
    known = portal.stored([number for number in numbers if number <= pages])
    everything_known = len({page.number for page in known}) == pages
    for change in since:
        change(portal)
    walk = LeadsWalk(portal.fetch, parallel=1, known=known)
    seen = each(walked(walk)) | each([r for page in known for r in page.records])
    assert walk.outcome.complete
    # Where all was stored the walk was done, and what came later is for the next one.
    assert each(portal.leads) <= seen or everything_known


@without_deadline
@given(some_leads(), PARALLEL)
def test_equal_records_without_an_id_count_each_time_while_nothing_changes(
    leads: list[object], parallel: int
) -> None:
    portal = SimulatedPortal(leads)
    walk = LeadsWalk(portal.fetch, parallel=parallel)
    assert walked(walk) == leads
    outcome = walk.outcome
    assert (outcome.complete, outcome.distinct, outcome.rounds) == (True, len(leads), 1)


def test_a_record_without_an_id_that_shifts_does_not_stand_in_for_a_lead_that_was_missed() -> None:
    # An arrival pushes the nameless record to the next page, while the sort hides a lead.
    leads = [lead(0), lead(1), nameless("a"), lead(2), lead(3), lead(4)]
    portal = SimulatedPortal([*leads], changes={1: [arrival]}, hidden={2})
    walk = LeadsWalk(portal.fetch, parallel=1)
    seen = each(walked(walk))
    assert each(portal.leads) <= seen
    assert walk.outcome.complete


def test_a_page_that_was_stored_twice_counts_its_records_without_an_id_once() -> None:
    leads = [nameless("a"), nameless("b"), nameless("c"), lead(1), lead(2), lead(3)]
    portal = SimulatedPortal([*leads])
    known = portal.stored([1, 1])
    hidden = LeadsWalk(
        lambda number: portal.fetch(1 if number == 2 else number), parallel=1, known=known
    )
    walked(hidden)
    assert not hidden.outcome.complete
    walk = LeadsWalk(portal.fetch, parallel=1, known=known)
    assert each(portal.leads) <= each(walked(walk)) | each(known[0].records)
    assert walk.outcome.complete


@pytest.mark.parametrize("order", ["newest first", "oldest first"])
def test_leads_that_arrive_meanwhile_are_caught_up_without_another_round(
    order: str,
) -> None:
    changes: dict[int, list[Change]] = {2: [arrival] * 4}
    portal = SimulatedPortal(leads_of(9), order=order, changes=changes)
    walk = LeadsWalk(portal.fetch, parallel=1)
    seen = ids(walked(walk))
    assert ids(portal.leads) == seen
    assert walk.outcome.rounds == 1


def test_a_lead_that_arrives_during_the_catching_up_is_found_at_the_last_page() -> None:
    portal = SimulatedPortal(leads_of(9), order="oldest first", hidden={0}, changes={3: [arrival]})
    walk = LeadsWalk(portal.fetch, parallel=1)
    assert ids(walked(walk)) == ids(portal.leads)
    assert portal.asked == [1, 2, 3, 1, 2, 4]
    assert walk.outcome.rounds == 1


def test_malformed_records_count_as_the_portal_counts_them() -> None:
    odd: list[object] = [None, None, {"id": None}, {"id": None}, "text", {"id": True}, 7, {}]
    portal = SimulatedPortal([*odd, *leads_of(3)])
    walk = LeadsWalk(portal.fetch, parallel=2)
    assert walked(walk) == portal.leads
    assert walk.outcome.complete
    assert len(portal.asked) == 4


def test_an_id_may_be_a_number() -> None:
    portal = SimulatedPortal([{"id": 7, "read": n} for n in range(2)])
    walk = LeadsWalk(portal.fetch, parallel=1)
    walked(walk)
    assert walk.outcome.distinct == 1


def test_a_record_that_is_nested_too_deep_is_counted() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    walk = LeadsWalk(SimulatedPortal([deep]).fetch, parallel=1)
    walked(walk)
    assert walk.outcome.complete


@pytest.mark.parametrize("total", [10, 10**9])
def test_a_total_that_promises_too_much_ends_as_incomplete(total: object) -> None:
    portal = SimulatedPortal(leads_of(9), lies={"total": total})
    walk = LeadsWalk(portal.fetch, parallel=4)
    assert ids(walked(walk)) == ids(portal.leads)
    assert not walk.outcome.complete
    assert walk.outcome.rounds == 3
    assert len(portal.asked) < NEVER_MORE


def test_a_total_that_is_the_count_of_the_page_does_not_end_the_walk() -> None:
    portal = SimulatedPortal(leads_of(9), lies={"total": 3})
    walk = LeadsWalk(portal.fetch, parallel=2)
    assert walked(walk) == portal.leads


def test_an_empty_page_in_the_middle_does_not_end_the_walk() -> None:
    portal = SimulatedPortal(leads_of(12))

    def fetch(number: int) -> LeadsPage:
        page = portal.fetch(number)
        if portal.asked.count(number) == 1 and number == 2:
            page.records.clear()
        return page

    walk = LeadsWalk(fetch, parallel=1)
    assert ids(walked(walk)) == ids(portal.leads)
    assert walk.outcome.complete


@without_deadline
@given(SIZES, PARALLEL)
def test_without_a_total_pages_are_followed_to_their_end(size: int, parallel: int) -> None:
    portal = SimulatedPortal(leads_of(size), says_total=False)
    walk = LeadsWalk(portal.fetch, parallel=parallel)
    assert walked(walk) == portal.leads
    assert sorted(portal.asked) == list(range(1, max(1, -(-size // 3)) + 1))
    assert (walk.outcome.complete, walk.outcome.total) == (True, None)


def test_without_a_total_a_portal_that_repeats_itself_ends_as_incomplete() -> None:
    portal = SimulatedPortal(
        leads_of(3), says_total=False, lies={"nextPage": 10**6, "totalPages": None}
    )
    walk = LeadsWalk(lambda _: portal.fetch(1), parallel=2)
    assert len(walked(walk)) == 6
    assert not walk.outcome.complete


def test_a_portal_without_end_is_left_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk_module, "MOST_PAGES", 20)
    fresh = iter(range(10**6))

    def fetch(number: int) -> LeadsPage:
        leads: list[object] = [lead(next(fresh)) for _ in range(3)]
        lies: dict[str, object] = {"total": 10**6, "totalPages": 10**6, "nextPage": number + 1}
        return SimulatedPortal(leads * number, lies=lies).fetch(number)

    walk = LeadsWalk(fetch, parallel=2)
    assert len(list(walk)) < NEVER_MORE
    assert not walk.outcome.complete


def test_a_walk_looks_ahead_only_a_little() -> None:
    portal = SimulatedPortal(leads_of(300))
    pages = iter(LeadsWalk(portal.fetch, parallel=2))
    next(pages)
    next(pages)
    assert len(portal.asked) <= 1 + 4 + 1
    assert next(pages).number == 3
    pages.close()  # type: ignore[attr-defined]


def test_a_walk_that_is_broken_off_is_incomplete() -> None:
    walk = LeadsWalk(SimulatedPortal(leads_of(9)).fetch, parallel=1)
    for _ in walk:
        break
    assert not walk.outcome.complete


@dataclass
class Stuck:
    """Answers the first page; later ones wait for as long as they are wanted."""

    pause: Callable[[float], None]
    portal: SimulatedPortal = field(default_factory=lambda: SimulatedPortal(leads_of(30)))
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def fetch(self, number: int) -> LeadsPage:
        if number > 2:
            self.waiting.release()
            self.pause(100)
        return self.portal.fetch(number)


def test_threads_that_wait_end_when_nobody_wants_the_rest() -> None:
    stop = Stop()
    stuck = Stuck(stop.pause)
    pages = iter(LeadsWalk(stuck.fetch, parallel=4, stop=stop))
    next(pages)
    next(pages)
    stuck.waiting.acquire(timeout=10)
    mine = [t for t in threading.enumerate() if t.name.startswith("leads-walk")]
    assert mine
    pages.close()  # type: ignore[attr-defined]
    for thread in mine:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in mine)


def test_an_error_of_a_page_ends_the_walk_after_the_pages_before_it() -> None:
    portal = SimulatedPortal(leads_of(30))

    def fetch(number: int) -> LeadsPage:
        if number == 4:
            raise TransientPortalError("Page 4 fails.")
        return portal.fetch(number)

    walk = LeadsWalk(fetch, parallel=3)
    numbers = []
    with pytest.raises(TransientPortalError, match="Page 4"):
        numbers += [page.number for page in walk]  # pragma: no branch
    assert not walk.outcome.complete
