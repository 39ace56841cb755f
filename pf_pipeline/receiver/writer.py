"""Group commit: requests that come at the same time share one flush of the disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from time import perf_counter
from typing import NamedTuple

from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.receiver.metrics import Metrics

MOST_WAITING = 2_000
"""How many requests may wait for their commit: about 0.3 s of work. More are told to come later."""
MOST_IN_A_BATCH = 500
PATIENCE_SECONDS = 4.0
"""How long a request waits for its commit: the portal gives up after 5 s (contract, webhooks)."""


class OverloadedError(Exception):
    """More requests wait than the disk can take in time."""


class Waiting(NamedTuple):
    """A request that waits for its commit, and what it wants stored."""

    answer: asyncio.Future[bool]
    delivery: tuple[str, datetime, bytes]


class GroupCommit:
    """Stores deliveries of many requests with one commit at a time, in a thread of its own.

    All but the commit itself happens in the event loop: while one batch is written, the next one
    gathers.
    """

    def __init__(self, inbox: Inbox, metrics: Metrics, on_stored: Callable[[], None]) -> None:
        """Begin with nobody waiting.

        Args:
            inbox: Used by the writer's thread alone.
            metrics: Told how long each batch took.
            on_stored: Called in the writer's thread after each commit.
        """
        self._inbox = inbox
        self._metrics = metrics
        self._on_stored = on_stored
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox-writer")
        self._waiting: list[Waiting] = []
        self._writing: list[Waiting] = []
        self._scheduled = False
        self._patience: asyncio.TimerHandle | None = None
        self.failing = False
        """Whether the latest commit failed."""

    @property
    def waiting(self) -> int:
        """How many requests wait for their commit."""
        return len(self._waiting) + len(self._writing)

    async def store(self, delivery_id: str, received_at: datetime, body: bytes) -> bool:
        """Store a delivery; it survives a power cut once this returns.

        Returns:
            Whether it is new.

        Raises:
            OverloadedError: Too many wait, or it took too long; it may have been stored.
            InboxError: The disk failed.
        """
        if self.waiting >= MOST_WAITING:
            raise OverloadedError
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(answer, (delivery_id, received_at, body)))
        self._schedule()
        return await answer

    def close(self) -> None:
        """Wait for the batch that is being written, and stop."""
        self._thread.shutdown()

    def _schedule(self) -> None:
        if self._waiting and not self._writing and not self._scheduled:
            self._scheduled = True
            # Whatever else this turn of the loop brings goes into the same batch.
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._scheduled = False
        loop = asyncio.get_running_loop()
        self._writing = self._waiting[:MOST_IN_A_BATCH]
        self._waiting = self._waiting[MOST_IN_A_BATCH:]
        self._patience = loop.call_later(PATIENCE_SECONDS, self._lose_patience)
        batch = [waiting.delivery for waiting in self._writing]
        loop.run_in_executor(self._thread, self._commit, batch).add_done_callback(self._end)

    def _commit(self, batch: list[tuple[str, datetime, bytes]]) -> list[bool]:
        started = perf_counter()
        fresh = self._inbox.store(batch)
        self._metrics.batch_seconds.observe(perf_counter() - started)
        self._on_stored()
        return fresh

    def _end(self, committed: asyncio.Future[list[bool]]) -> None:
        if self._patience is not None:
            self._patience.cancel()
        written, self._writing = self._writing, []
        error = committed.exception()
        self.failing = error is not None
        if error is None:
            for waiting, fresh in zip(written, committed.result(), strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(fresh)
        else:
            _fail(written, error)
        self._schedule()

    def _lose_patience(self) -> None:
        """Nobody waits any longer; what comes meanwhile waits as long again."""
        _fail([*self._writing, *self._waiting], OverloadedError())
        self._waiting = []
        self._patience = asyncio.get_running_loop().call_later(
            PATIENCE_SECONDS, self._lose_patience
        )


def _fail(requests: list[Waiting], error: BaseException) -> None:
    for waiting in requests:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
