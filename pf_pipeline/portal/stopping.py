"""Ending the waits of threads whose answer nobody wants any more.

A request may wait for a minute until the budget lets it go, or between two attempts. When the walk
that it belongs to is given up, or the client is closed, it must not go on waiting.
"""

import threading
import weakref

from pf_pipeline.portal.errors import StoppedError


class Stop:
    """Tells threads to give up; they wait with ``pause`` instead of ``time.sleep``."""

    def __init__(self, whole: "Stop | None" = None) -> None:
        """Begin unset.

        Args:
            whole: What this is a part of: when the whole stops, so does this.
        """
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._parts: weakref.WeakSet[Stop] = weakref.WeakSet()
        if whole is not None:
            whole._take_in(self)  # noqa: SLF001 - of its own kind

    def set(self) -> None:
        """Wake whoever waits, for good."""
        with self._lock:
            self._event.set()
            parts = list(self._parts)
        for part in parts:
            part.set()

    def check(self) -> None:
        """Return while nothing was stopped.

        Raises:
            StoppedError: It was.
        """
        if self._event.is_set():
            raise StoppedError

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            StoppedError: It was stopped, before or meanwhile.
        """
        self._event.wait(seconds)
        self.check()

    def _take_in(self, part: "Stop") -> None:
        with self._lock:
            self._parts.add(part)
            stopped = self._event.is_set()
        if stopped:
            part.set()
