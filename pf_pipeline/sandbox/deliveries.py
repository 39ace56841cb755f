"""Delivering webhook events as the portal does: at least once, in parallel, out of order.

Belongs here: when each event is posted, how often, and when it is given up. What is posted is made
in ``webhooks``; to whom, is kept in ``subscriptions``.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, TypedDict

from pf_pipeline.sandbox.days import Days
from pf_pipeline.sandbox.options import SandboxOptions
from pf_pipeline.sandbox.posting import post
from pf_pipeline.sandbox.subscriptions import Subscription, Subscriptions
from pf_pipeline.sandbox.webhooks import UpcomingEvents, WebhookEvent, delivery_headers

MOST_ATTEMPTS: Final = 10
"""How often a delivery is attempted before it is given up."""

_MOST_AT_ONCE: Final = 32
_LOOK_SECONDS: Final = 0.1
_INSTANT: Final = timedelta(microseconds=1)
_SUCCESSES: Final = range(200, 300)

_QUICK_SECONDS: Final = 0.3
_SLOW_SECONDS: Final = 3.0
_SLOW_SHARE: Final = 0.1
"""Most events are posted at once; some so much later that others of their lead overtake them."""
_TWICE_SHARE: Final = 0.03
"""How many deliveries are repeated although they were acknowledged."""
_LONGEST_RETRY_SECONDS: Final = 60.0


class WebhookFigures(TypedDict):
    """What ``GET /sandbox/stats`` answers of webhooks.

    Attributes:
        events: Events that happened while somebody was subscribed to any.
        attempts: Requests that were made.
        acknowledged: Those answered with 2xx in time.
        retried: Those made because the one before was not.
        repeated: Those made although the one before was.
        given_up: Deliveries that were never acknowledged, and are attempted no more.
        pending: Deliveries that are still attempted, or not yet.
    """

    events: int
    attempts: int
    acknowledged: int
    retried: int
    repeated: int
    given_up: int
    pending: int


@dataclass(slots=True)
class WebhookStats:
    """Counts what became of events; see ``WebhookFigures`` for the meanings."""

    events: int = 0
    attempts: int = 0
    acknowledged: int = 0
    retried: int = 0
    repeated: int = 0
    given_up: int = 0
    pending: int = 0

    def snapshot(self) -> WebhookFigures:
        """The figures of this moment."""
        return {
            "events": self.events,
            "attempts": self.attempts,
            "acknowledged": self.acknowledged,
            "retried": self.retried,
            "repeated": self.repeated,
            "given_up": self.given_up,
            "pending": self.pending,
        }


class Deliveries:
    """Posts events to whoever is subscribed; used from one event loop.

    When each delivery is posted, and whether it is repeated, depends on the seed, the event and the
    address; how long answers take decides the rest.
    """

    def __init__(
        self,
        options: SandboxOptions,
        days: Days,
        subscriptions: Subscriptions,
        stats: WebhookStats,
    ) -> None:
        self._options = options
        self._days = days
        self._subscriptions = subscriptions
        self._stats = stats
        self._at_once = asyncio.Semaphore(_MOST_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking = False
        self._over = False

    def begin(self, base_url: str) -> None:
        """Deliver what happens from now on, for as long as anybody is subscribed.

        Args:
            base_url: Where links in events point, without a trailing slash.
        """
        if not self._looking and not self._over:
            self._looking = True
            upcoming = UpcomingEvents(self._days, self._options, self._now() + _INSTANT, base_url)
            self._spawn(self._look(upcoming))

    async def end(self) -> None:
        """Break off all deliveries, and begin none any more."""
        self._over = True
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, upcoming: UpcomingEvents) -> None:
        try:
            while len(self._subscriptions):
                for event in upcoming.take(self._now() + _INSTANT):
                    self._stats.events += 1
                    for subscription in self._subscriptions.of(event.type):
                        self._spawn(self._deliver(event, subscription))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._looking = False

    async def _deliver(self, event: WebhookEvent, subscription: Subscription) -> None:
        """Post until it is acknowledged, the subscription has ended, or too often."""
        rng = Random(  # noqa: S311 - invents delays, protects nothing
            f"{self._options.seed}:{event.event_id}:{subscription.url}"
        )
        slow, twice = rng.random() < _SLOW_SHARE, rng.random() < _TWICE_SHARE
        self._stats.pending += 1
        try:
            await asyncio.sleep(rng.random() * (_SLOW_SECONDS if slow else _QUICK_SECONDS))
            if await self._insist(event, subscription, rng) and twice:
                await asyncio.sleep(rng.random() * _SLOW_SECONDS)
                self._stats.repeated += 1
                await self._attempt(event, subscription)
        finally:
            self._stats.pending -= 1

    async def _insist(self, event: WebhookEvent, subscription: Subscription, rng: Random) -> bool:
        wait = self._options.webhook_retry_seconds
        for attempt in range(MOST_ATTEMPTS):
            if subscription not in self._subscriptions:
                return False
            self._stats.retried += attempt > 0
            if await self._attempt(event, subscription):
                return True
            if attempt < MOST_ATTEMPTS - 1:
                await asyncio.sleep(
                    min(wait * 2**attempt, _LONGEST_RETRY_SECONDS) * rng.uniform(0.5, 1)
                )
        self._stats.given_up += 1
        return False

    async def _attempt(self, event: WebhookEvent, subscription: Subscription) -> bool:
        headers = delivery_headers(event.body, subscription.secret)
        async with self._at_once:
            self._stats.attempts += 1
            status = await post(
                subscription.url,
                headers,
                event.body,
                seconds=self._options.webhook_timeout_seconds,
            )
        acknowledged = status in _SUCCESSES
        self._stats.acknowledged += acknowledged
        return acknowledged

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _now(self) -> datetime:
        return self._options.clock().astimezone(UTC)
