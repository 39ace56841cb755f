"""Brings what is in the inbox into the CRM, in small batches, after it was acknowledged.

The CRM says how far it is: its cursor is written with the rows, in one transaction. So whatever
ends the loader, the next one goes on where the CRM is, and nothing is loaded twice or left out.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import duckdb

from pf_pipeline.archive.inbox import Inbox, InboxError
from pf_pipeline.crm import CrmError, ReferenceDataError
from pf_pipeline.leads.deliveries import Delivery
from pf_pipeline.receiver.loading import LoadedBatch
from pf_pipeline.receiver.logs import fields, log

MOST_IN_A_BATCH = 2_000
IDLE_SECONDS = 0.2
PAUSE_SECONDS = 0.03
"""Between two batches. Others who want the CRM look every 0.02 s whether its lock is free."""
LEAST_BACKOFF_SECONDS, MOST_BACKOFF_SECONDS = 0.5, 30.0

NOT_THE_DELIVERIES = (CrmError, ReferenceDataError, OSError, MemoryError, duckdb.OperationalError)
"""Errors that say that the CRM is busy, away or full: no delivery is to blame."""
MOST_SUSPECTS = 16
"""So many that fail alone, and none that loads: it is perhaps not the deliveries."""
TRIALS = 4
"""How often they are tried like that before they are blamed after all."""

LoadFunction = Callable[[Sequence[Delivery], str], LoadedBatch]
"""Loads deliveries of an inbox and moves its cursor to the last of them, both or neither."""
CursorFunction = Callable[[str], int]
"""The number up to which the CRM has loaded an inbox."""


@dataclass(frozen=True)
class Reached:
    """The loader is done with all up to this number."""

    position: int


@dataclass(frozen=True)
class Loaded:
    """A batch is in the CRM: how many deliveries it had, how long that took, what it changed."""

    deliveries: int
    seconds: float
    batch: LoadedBatch


@dataclass(frozen=True)
class Failed:
    """A batch could not be loaded; it is tried again."""


@dataclass(frozen=True)
class SetAside:
    """A delivery breaks the load; it stays in the inbox, and the archive takes it."""


Told = Reached | Loaded | Failed | SetAside


class Line(Protocol):
    """How the loader hears of others."""

    @property
    def stopping(self) -> bool:
        """Whether it shall end."""

    def wait_for_news(self, seconds: float) -> None:
        """Wait until something was stored, or it shall end, or so many seconds."""

    def pause(self, seconds: float) -> None:
        """Wait until it shall end, or so many seconds."""


class Loader:
    """Loads whatever the inbox has and the CRM has not."""

    def __init__(
        self,
        inbox: Inbox,
        load: LoadFunction,
        cursor: CursorFunction,
        line: Line,
        tell: Callable[[Told], None],
        crm: Callable[[], object] = lambda: None,
    ) -> None:
        """Name the parts.

        Args:
            inbox: Opened for the loader alone.
            load: Loads a batch; idempotent.
            cursor: Says where to begin.
            line: Says when there is news, and when to stop.
            tell: Hears what became of the deliveries.
            crm: Tells one CRM from another that took its place: restored, rebuilt, or made anew.
        """
        self._inbox = inbox
        self._load = load
        self._cursor = cursor
        self._line = line
        self._tell = tell
        self._failures = 0
        self._trials = 0
        self._crm = crm
        self._known: tuple[str, object] | None = None
        self._position: int | None = None

    def run(self) -> None:
        """Load until it shall stop; the batch at hand is finished first."""
        while not self._line.stopping:
            try:
                busy = self._step()
            except Exception as error:  # noqa: BLE001 - nothing may end the loader
                self._back_off(error)
                continue
            if busy:
                self._recovered()
                self._line.pause(PAUSE_SECONDS)
            else:
                self._line.wait_for_news(IDLE_SECONDS)

    def _step(self) -> bool:
        """Load the next batch; says whether there was one."""
        inbox_id = self._inbox.inbox_id
        if not inbox_id:
            return False  # nothing was ever stored
        if self._position is None or self._known != (inbox_id, self._crm()):
            self._position = self._cursor(inbox_id)  # this makes a CRM that is not there
            self._known = inbox_id, self._crm()
            self._tell(Reached(self._position))
        batch = self._inbox.after(self._position, MOST_IN_A_BATCH)
        if batch:
            self._position = self._load_apart(batch, inbox_id)
            self._tell(Reached(self._position))
        return bool(batch)

    def _load_apart(self, batch: Sequence[Delivery], inbox_id: str) -> int:
        """Load a batch; if it breaks, halve it until what breaks it stands alone.

        Returns:
            The number up to which all is loaded or set aside.
        """
        parts, suspects, any_loaded = [batch], list[tuple[Delivery, Exception]](), False
        while parts and (any_loaded or len(suspects) < MOST_SUSPECTS):
            part = parts.pop()
            try:
                self._load_part(part, inbox_id)
            except NOT_THE_DELIVERIES:
                raise
            except Exception as error:
                if self._line.stopping:
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

    def _load_part(self, part: Sequence[Delivery], inbox_id: str) -> None:
        started = perf_counter()
        batch = self._load(part, inbox_id)
        self._tell(Loaded(len(part), perf_counter() - started, batch))

    def _set_aside(self, delivery: Delivery, error: Exception) -> None:
        """Go on without a delivery, aloud: it stays in the inbox, and the archive takes it."""
        self._tell(SetAside())
        log.error(
            "a delivery breaks the load and was set aside; it stays in the inbox",
            extra=fields(number=delivery.number, error=type(error).__name__),
        )

    def _back_off(self, error: Exception) -> None:
        """Wait, longer each time, and not in step with others who wait."""
        self._failures += 1
        self._tell(Failed())
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
        self._line.pause(seconds)

    def _recovered(self) -> None:
        if self._failures:
            log.info("the load goes on", extra=fields(failures=self._failures))
            self._failures = 0
