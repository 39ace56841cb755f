"""Waiting on purpose, in a way that a stop cuts short.

Belongs here: what makes a sandbox with a long latency or a slow answer safe to stop at any time.
"""

import asyncio


class Pauses:
    """All requests that wait; used from one event loop."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._over = False

    async def pause(self, seconds: float) -> None:
        """Wait so many seconds, or until the sandbox stops."""
        if self._over or seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        end = loop.create_future()
        alarm = loop.call_later(seconds, _finish, end)
        self._waiting.add(end)
        try:
            await end
        finally:
            alarm.cancel()
            self._waiting.discard(end)

    def end(self) -> None:
        """End all pauses, now and from now on."""
        self._over = True
        for end in self._waiting:
            _finish(end)


def _finish(end: "asyncio.Future[None]") -> None:
    if not end.done():
        end.set_result(None)
