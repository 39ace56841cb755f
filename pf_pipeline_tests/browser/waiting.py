"""Waiting on a condition that no browser shows."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

POLL_SECONDS = 0.5


def wait_for(look: Callable[[], Found], seconds: float, what: str) -> Found:
    """Look until there is something; fail, and say for what, after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(POLL_SECONDS)
    return found
