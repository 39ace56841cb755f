"""Which days are behind, and when their load is tried: pure logic."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.orchestration.unloaded_days import (
    FIRST_WAIT,
    LONGEST_WAIT,
    MOST_DAYS,
    MOST_RUNS,
    Tried,
    days_behind,
    from_cursor,
    plan,
    spans_of,
    to_cursor,
)

NOW = datetime(2025, 12, 22, 8, tzinfo=UTC)
TODAY = NOW.date()
MINUTE = timedelta(minutes=1)

some_days = st.sets(st.integers(0, 60).map(lambda ago: TODAY - timedelta(days=ago)))
some_tries = st.dictionaries(
    st.integers(0, 60).map(lambda ago: TODAY - timedelta(days=ago)),
    st.builds(
        Tried,
        st.integers(1, 10_000),
        st.integers(0, 48 * 60).map(lambda ago: NOW - ago * MINUTE),
    ),
)


def day(ago: int) -> date:
    return TODAY - timedelta(days=ago)


def asked_for(spans: tuple[tuple[date, date], ...]) -> list[date]:
    return [
        first + timedelta(days=offset)
        for first, last in spans
        for offset in range((last - first).days + 1)
    ]


def test_a_day_is_behind_when_something_received_is_not_loaded() -> None:
    received = {
        day(1): frozenset({"a", "b"}),
        day(2): frozenset({"a"}),
        day(3): frozenset({"a"}),
        day(4): frozenset[str](),
    }
    loaded = {day(1): frozenset({"a"}), day(2): frozenset({"a", "gone"})}
    assert days_behind(received, loaded) == {day(1), day(3)}


@given(some_days, some_days, some_tries)
def test_a_plan_asks_only_for_days_that_are_behind_and_free_and_not_waiting(
    behind: set[date], at_work: set[date], tried: dict[date, Tried]
) -> None:
    planned = plan(behind, at_work, tried, NOW)
    asked = asked_for(planned.spans)
    assert len(planned.spans) <= MOST_RUNS
    assert len(asked) == len(set(asked)) <= MOST_DAYS + MOST_RUNS
    assert set(asked) <= behind - at_work - set(planned.waiting)
    assert all(tried[one].next_at <= NOW for one in asked if one in tried)
    assert asked or not behind - at_work - set(planned.waiting)
    assert set(planned.tried) <= behind
    for one in behind:
        before, after = tried.get(one), planned.tried.get(one)
        if one in asked:
            assert after == (Tried(1, NOW) if before is None else Tried(before.times + 1, NOW))
        else:
            assert after == before


@given(some_days, some_days)
def test_whatever_fails_every_day_is_asked_for_in_the_end(
    behind: set[date], failing: set[date]
) -> None:
    loaded: set[date] = set()
    tried: dict[date, Tried] = {}
    for tick in range(60):
        planned = plan(behind - loaded, [], tried, NOW + tick * FIRST_WAIT)
        tried = from_cursor(to_cursor(planned.tried))
        for first, last in planned.spans:
            days = set(asked_for(((first, last),)))
            loaded |= days if not days & failing else set()
    assert behind - failing <= loaded
    assert behind & failing == set(tried)


@given(some_days)
def test_spans_hold_the_days_and_no_other_the_latest_first(days: set[date]) -> None:
    spans = spans_of(days)
    assert sorted(asked_for(tuple(spans))) == sorted(days)
    assert spans == sorted(spans, reverse=True)
    assert all(later[0] - earlier[1] > timedelta(days=1) for later, earlier in pairwise(spans))


def test_days_that_follow_each_other_are_one_run() -> None:
    planned = plan({day(1), day(2), day(3), day(9)}, [], {}, NOW)
    assert planned.spans == ((day(3), day(1)), (day(9), day(9)))


def test_a_day_whose_load_failed_stops_no_other_and_waits_longer_each_time() -> None:
    tried = plan({day(1), day(2)}, [], {}, NOW).tried
    now = NOW
    waits = []
    for _ in range(12):
        due = max(one.next_at for one in tried.values())
        assert plan({day(1), day(2)}, [], tried, due - MINUTE).spans == ()
        planned = plan({day(1), day(2)}, [], tried, due)
        assert planned.spans == ((day(1), day(1)), (day(2), day(2)))
        waits.append(due - now)
        tried, now = planned.tried, due
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT
    assert waits == sorted(waits)


def test_a_day_that_was_loaded_is_forgotten() -> None:
    tried = {day(1): Tried(7, NOW), day(2): Tried(1, NOW)}
    assert plan({day(1)}, [], tried, NOW).tried == {day(1): Tried(7, NOW)}


@given(some_tries)
def test_what_is_remembered_survives_as_a_text(tried: dict[date, Tried]) -> None:
    assert from_cursor(to_cursor(tried)) == tried


def test_without_a_text_nothing_is_remembered() -> None:
    assert from_cursor(None) == from_cursor("") == {}
