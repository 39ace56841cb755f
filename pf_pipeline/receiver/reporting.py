"""Tells others of loaded batches, in a thread of its own: the loader never waits for them."""

from collections.abc import Callable
from queue import Full, Queue
from threading import Thread
from typing import Generic, TypeVar

from pf_pipeline.receiver.logs import fields, log

MOST_WAITING = 1_000
LAST_SECONDS = 5.0

Batch = TypeVar("Batch")


class Reports(Generic[Batch]):
    """Hands batches on, one after the other; what fails or comes too fast is only logged.

    A report tells people, and holds nothing that the CRM and the inbox do not hold.
    """

    def __init__(self, report: Callable[[Batch], None]) -> None:
        self._report = report
        self._waiting: Queue[Batch | None] = Queue(MOST_WAITING)
        self._thread = Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def add(self, batch: Batch) -> None:
        """Report a batch when its turn comes; returns at once."""
        try:
            self._waiting.put_nowait(batch)
        except Full:
            log.warning("reports of loaded batches are too slow; one was left out")

    def close(self) -> None:
        """Report what waits, for some seconds at most."""
        try:
            self._waiting.put(None, timeout=LAST_SECONDS)
        except Full:
            return
        self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        while (batch := self._waiting.get()) is not None:
            try:
                self._report(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next one is reported
                log.warning(
                    "a loaded batch could not be reported", extra=fields(error=type(error).__name__)
                )
