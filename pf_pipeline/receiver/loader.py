"""Brings what is in the inbox into the CRM, in small batches, after it was acknowledged.

The CRM says how far it is: its cursor is written with the rows, in one transaction. So whatever
ends the loader, the next one goes on where the CRM is, and nothing is loaded twice or left out.
"""

import random
from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import perf_counter
from typing import Protocol

import duckdb

from pf_pipeline.archive.inbox import Delivery, Inbox, InboxError
from pf_pipeline.crm import CrmError, ReferenceDataError
from pf_pipeline.receiver.logs import fields, log
from pf_pipeline.receiver.metrics import Metrics

MOST_IN_A_BATCH = 2_000
IDLE_SECONDS = 0.2
PAUSE_SECONDS = 0.06
"""Between two batches. Others who want the CRM look every 0.05 s whether its lock is free."""
LEAST_BACKOFF_SECONDS, MOST_BACKOFF_SECONDS = 0.5, 30.0

NOT_THE_DELIVERIES = (CrmError, ReferenceDataError, OSError, MemoryError, duckdb.OperationalError)
"""Errors that say that the CRM is busy, away or full: no delivery is to blame."""
MOST_SUSPECTS = 16
"""So many that fail alone, and none that loads: it is perhaps not the deliveries."""
TRIALS = 4
"""How often they are tried like that before they are blamed after all."""


class LoadedBatch(Protocol):
    """What a batch changed in the CRM."""

    @property
    def inserted(self) -> int:
        """Leads that are new."""

    @property
    def updated(self) -> int:
        """Leads that changed."""

    @property
    def unchanged(self) -> int:
        """Leads that were already so."""

    @property
    def rejected(self) -> int:
        """Records that are no usable leads; they are kept with the reason."""


LoadFunction = Callable[[Sequence[Delivery]], LoadedBatch]
"""Loads deliveries and moves the cursor to the last of them, both or neither."""


class Loader:
    """A thread that loads whatever the inbox has and the CRM has not."""

    def __init__(
        self,
        inbox: Inbox,
        load: LoadFunction,
        cursor: Callable[[], int],
        metrics: Metrics,
        on_loaded: Callable[[LoadedBatch], None] = lambda _: None,
    ) -> None:
        """Name the parts; nothing happens before :meth:`start`.

        Args:
            inbox: Opened for the loader alone.
            load: Loads a batch; idempotent.
            cursor: The number up to which the CRM has loaded this inbox.
            metrics: Told of every batch.
            on_loaded: Told of every batch; must return at once.
        """
        self._inbox = inbox
        self._load = load
        self._cursor = cursor
        self._metrics = metrics
        self._on_loaded = on_loaded
        self._news = Event()
        self._stopping = Event()
        self._failures = 0
        self._trials = 0
        self._thread = Thread(target=self._run, name="loader", daemon=True)
        self.position: int | None = None
        """Up to which number the inbox is loaded; unknown until the CRM was asked."""

    @property
    def alive(self) -> bool:
        """Whether it is at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin where the CRM is."""
        self._thread.start()

    def tell_news(self) -> None:
        """Something was stored."""
        self._news.set()

    def stop(self, patience: float) -> bool:
        """Let it finish its batch, and end.

        Args:
            patience: Seconds to wait for that.

        Returns:
            Whether it has ended.
        """
        self._stopping.set()
        self._news.set()
        self._thread.join(patience)
        return not self.alive

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            try:
                busy = self._step()
            except Exception as error:  # noqa: BLE001 - nothing may end the loader
                self._back_off(error)
                continue
            if busy:
                self._recovered()
                self._stopping.wait(PAUSE_SECONDS)
            else:
                self._news.wait(IDLE_SECONDS)

    def _step(self) -> bool:
        """Load the next batch; says whether there was one."""
        if self.position is None:
            self.position = self._cursor()
        batch = self._inbox.after(self.position, MOST_IN_A_BATCH)
        if batch:
            self.position = self._load_apart(batch)
        return bool(batch)

    def _load_apart(self, batch: Sequence[Delivery]) -> int:
        """Load a batch; if it breaks, halve it until what breaks it stands alone.

        Returns:
            The number up to which all is loaded or set aside.
        """
        parts, suspects, any_loaded = [batch], list[tuple[Delivery, Exception]](), False
        while parts and (any_loaded or len(suspects) < MOST_SUSPECTS):
            part = parts.pop()
            try:
                self._load_part(part)
            except NOT_THE_DELIVERIES:
                raise
            except Exception as error:
                if self._stopping.is_set():
                    raise
                if len(part) == 1:
                    suspects.append((part[0], error))
                else:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
            else:
                any_loaded = True
        if suspects and not any_loaded and self._trials < TRIALS - 1:
            self._trials += 1
            raise suspects[-1][1]
        self._trials = 0
        for delivery, reason in suspects:
            self._set_aside(delivery, reason)
        return (batch if not parts else [suspects[-1][0]])[-1].number

    def _load_part(self, part: Sequence[Delivery]) -> None:
        started = perf_counter()
        loaded = self._load(part)
        metrics = self._metrics
        metrics.load_seconds.observe(perf_counter() - started)
        metrics.load_sizes.observe(len(part))
        metrics.leads["inserted"].inc(loaded.inserted)
        metrics.leads["updated"].inc(loaded.updated)
        metrics.leads["unchanged"].inc(loaded.unchanged)
        metrics.leads["rejected"].inc(loaded.rejected)
        self._on_loaded(loaded)

    def _set_aside(self, delivery: Delivery, error: Exception) -> None:
        """Go on without a delivery, aloud: it stays in the inbox, and the archive takes it."""
        self._metrics.set_aside.inc()
        log.error(
            "a delivery breaks the load and was set aside; it stays in the inbox",
            extra=fields(number=delivery.number, error=type(error).__name__),
        )

    def _back_off(self, error: Exception) -> None:
        """Wait, longer each time, and not in step with others who wait."""
        self._failures += 1
        self._metrics.load_failures.inc()
        longest = min(MOST_BACKOFF_SECONDS, LEAST_BACKOFF_SECONDS * 2 ** (self._failures - 1))
        seconds = random.uniform(longest / 2, longest)  # noqa: S311 - spreads, protects nothing
        # Only the project's own sentences are known to name no client.
        own = isinstance(error, (CrmError, ReferenceDataError, InboxError))
        log.warning(
            "a batch could not be loaded; it is tried again",
            extra=fields(
                error=type(error).__name__,
                **({"reason": str(error)} if own else {}),
                failures=self._failures,
                seconds=round(seconds, 1),
            ),
        )
        self._stopping.wait(seconds)

    def _recovered(self) -> None:
        if self._failures:
            log.info("the load goes on", extra=fields(failures=self._failures))
            self._failures = 0
