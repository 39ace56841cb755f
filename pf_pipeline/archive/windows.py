"""Spans of time, and what a set of them covers. Pure: no files, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta


@dataclass(frozen=True, order=True)
class Window:
    """The half-open span ``[start, end)``, UTC; empty where the end is not after the start."""

    start: datetime
    end: datetime

    @property
    def is_empty(self) -> bool:
        """Whether no instant lies in it."""
        return self.end <= self.start

    def within(self, bounds: "Window") -> "Window":
        """The part that lies inside other bounds, perhaps an empty one."""
        return Window(max(self.start, bounds.start), min(self.end, bounds.end))


def window_of_day(day: date) -> Window:
    """A UTC day, from its first instant to the next day's."""
    start = datetime.combine(day, time.min, tzinfo=UTC)
    return Window(start, start + timedelta(days=1))


def merged(windows: Iterable[Window]) -> list[Window]:
    """The same instants in as few windows as possible, in order; windows that touch become one."""
    union: list[Window] = []
    for window in sorted(window for window in windows if not window.is_empty):
        if union and window.start <= union[-1].end:
            union[-1] = Window(union[-1].start, max(union[-1].end, window.end))
        else:
            union.append(window)
    return union


def covered_within(bounds: Window, windows: Iterable[Window]) -> list[Window]:
    """What some windows cover of the bounds, merged and in order."""
    return merged(window.within(bounds) for window in windows)


def gaps_within(bounds: Window, windows: Iterable[Window]) -> list[Window]:
    """What none of the windows covers of the bounds, merged and in order."""
    gaps: list[Window] = []
    reached = bounds.start
    for window in covered_within(bounds, windows):
        gaps.append(Window(reached, window.start))
        reached = window.end
    gaps.append(Window(reached, bounds.end))
    return merged(gaps)
