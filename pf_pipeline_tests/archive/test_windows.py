from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.archive.windows import (
    Window,
    covered_within,
    gaps_within,
    merged,
    window_of_day,
)

START = datetime(2025, 12, 19, tzinfo=UTC)
LAST = 30


def instant(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def window(start: int, end: int) -> Window:
    return Window(instant(start), instant(end))


minutes = st.integers(0, LAST)
some_windows = st.builds(window, minutes, minutes)
many_windows = st.lists(some_windows, max_size=8)


def minutes_in(*windows: Window) -> set[int]:
    """The oracle: windows as the sets of their minutes."""
    return {
        minute
        for minute in range(LAST)
        if any(one.start <= instant(minute) < one.end for one in windows)
    }


def are_apart_and_in_order(windows: list[Window]) -> bool:
    return all(not one.is_empty for one in windows) and all(
        earlier.end < later.start for earlier, later in pairwise(windows)
    )


@given(many_windows)
def test_merging_keeps_every_minute_and_no_other(windows: list[Window]) -> None:
    assert minutes_in(*merged(windows)) == minutes_in(*windows)
    assert are_apart_and_in_order(merged(windows))


@given(some_windows, many_windows)
def test_covered_and_gaps_share_out_the_bounds(bounds: Window, windows: list[Window]) -> None:
    covered, gaps = covered_within(bounds, windows), gaps_within(bounds, windows)
    assert minutes_in(*covered) == minutes_in(*windows) & minutes_in(bounds)
    assert minutes_in(*gaps) == minutes_in(bounds) - minutes_in(*windows)
    assert are_apart_and_in_order(covered)
    assert are_apart_and_in_order(gaps)
    assert merged([*covered, *gaps]) == merged([bounds])


@given(some_windows, some_windows)
def test_the_part_within_bounds_is_what_both_share(one: Window, bounds: Window) -> None:
    assert minutes_in(one.within(bounds)) == minutes_in(one) & minutes_in(bounds)


def test_a_day_has_24_hours_of_utc() -> None:
    assert window_of_day(date(2025, 12, 19)) == Window(START, START + timedelta(hours=24))
