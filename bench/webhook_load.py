"""A portal that delivers as fast as it is told to: an open loop over connections that stay open.

A delivery is due at its instant whether or not earlier ones were answered, and its latency counts
from that instant: a receiver that stalls is charged for everybody who had to wait. Runs in a
process of its own:

    python -m bench.webhook_load --port 8650 --secret SECRET --rate 1000 --seconds 60

prints one line of JSON. ``--rate 0`` sends as fast as it is answered.
"""

import argparse
import asyncio
import gc
import hmac
import json
import sys
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter, time
from typing import cast
from uuid import uuid4

import uvloop

HEAD = (
    b"POST /webhooks/property-finder HTTP/1.1\r\nhost: 127.0.0.1\r\n"
    b"content-type: application/json\r\nx-signature: %s\r\ncontent-length: %d\r\n\r\n"
)
TICK_SECONDS = 0.001
LAST_ANSWERS_SECONDS = 30.0


def request(secret: bytes, number: int, run: str) -> bytes:
    """A signed delivery like the portal's, of a lead of its own."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {
        "id": f"evt-{run}-{number}",
        "type": "lead.created",
        "timestamp": now,
        "entity": {"id": f"lead-{run}-{number}", "type": "lead"},
        "payload": {
            "channel": "whatsapp",
            "status": "sent",
            "entityType": "listing",
            "publicProfile": {"id": 1_000 + number % 50},
            "sender": {
                "name": "A. Person",
                "contacts": [
                    {"type": "phone", "value": f"+97150{number % 10_000_000:07d}"},
                    {"type": "email", "value": f"person{number}@example.com"},
                ],
            },
            "listing": {"id": str(number % 3_000), "reference": f"REF-{number % 3_000:05d}"},
            "responseLink": f"https://example.com/r/{run}-{number}",
        },
    }
    body = json.dumps(event).encode()
    signature = hmac.digest(secret, body, "sha256").hex().encode()
    return HEAD % (signature, len(body)) + body


class Sender(asyncio.Protocol):
    """One connection, with one delivery under way at most."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._received = b""
        self._due = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for a delivery."""
        self.transport = cast("asyncio.Transport", transport)
        self._load.idle.append(self)

    def send(self, due: float, delivery: bytes) -> None:
        """Send a delivery that was due at an instant."""
        self._due = due
        if self.transport is not None:
            self.transport.write(delivery)

    def data_received(self, data: bytes) -> None:
        """Read an answer, which ends with a JSON object."""
        self._received += data
        if self._received.endswith(b"}"):
            status, self._received = int(self._received[9:12]), b""
            self._load.answered(self, status, perf_counter() - self._due)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """An answer that does not come is a failure."""
        self._load.lost += 1


class Load:
    """Deliveries at a rate, or as fast as they are answered."""

    def __init__(
        self, secret: str, rate: float, seconds: float, make: Callable[..., bytes]
    ) -> None:
        self.idle: deque[Sender] = deque()
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.lost = 0
        self.sent = 0
        self._secret, self._rate, self._seconds = secret.encode(), rate, seconds
        self._make, self._run = make, uuid4().hex[:12]
        self._closed_loop = rate == 0
        self._until = self._started_at = 0.0

    def answered(self, sender: Sender, status: int, latency: float) -> None:
        """Count an answer; in a closed loop, send the next delivery at once."""
        self.latencies.append(latency)
        self.statuses[status] += 1
        if self._closed_loop and perf_counter() < self._until:
            self._send(sender, perf_counter())
        else:
            self.idle.append(sender)

    async def run(self, host: str, port: int, connections: int) -> dict[str, object]:
        """Open the connections, send, and wait for the last answers."""
        loop = asyncio.get_running_loop()
        senders = [Sender(self) for _ in range(connections)]
        for sender in senders:
            await loop.create_connection(lambda sender=sender: sender, host, port)  # type: ignore[misc]
        gc.collect()
        gc.disable()
        started, self._started_at = perf_counter(), time()
        self._until = started + self._seconds
        if self._closed_loop:
            while self.idle:
                self._send(self.idle.popleft(), perf_counter())
            await asyncio.sleep(self._seconds)
        else:
            await self._send_when_due(started)
        deadline = perf_counter() + LAST_ANSWERS_SECONDS
        while len(self.latencies) < self.sent and perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        seconds = perf_counter() - started
        lost = self.lost
        for sender in senders:
            if sender.transport is not None:
                sender.transport.close()
        return self._figures(seconds, lost)

    async def _send_when_due(self, started: float) -> None:
        total = int(self._rate * self._seconds)
        while self.sent < total and (now := perf_counter()) < self._until + LAST_ANSWERS_SECONDS:
            while self.sent < total and self.idle:
                due = started + self.sent / self._rate
                if due > now:
                    break
                self._send(self.idle.popleft(), due)
            await asyncio.sleep(TICK_SECONDS)

    def _send(self, sender: Sender, due: float) -> None:
        self.sent += 1
        sender.send(due, self._make(self._secret, self.sent, self._run))

    def _figures(self, seconds: float, lost: int) -> dict[str, object]:
        ordered = sorted(self.latencies) or [0.0]

        def share(part: float) -> float:
            return round(1_000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2)

        return {
            "started_at": self._started_at,
            "sent": self.sent,
            "acknowledged": self.statuses[202],
            "statuses": dict(self.statuses),
            "connections_lost": lost,
            "seconds": round(seconds, 2),
            "per_second": round(len(self.latencies) / seconds),
            "p50_ms": share(0.5),
            "p99_ms": share(0.99),
            "p99_9_ms": share(0.999),
            "max_ms": round(1_000 * ordered[-1], 2),
        }


def main() -> None:
    """Deliver as the arguments say, and print the figures."""
    parser = argparse.ArgumentParser(description="Delivers signed webhooks, as an open loop.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--rate", type=float, default=1_000, help="a second; 0: as fast as it goes")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=64)
    given = parser.parse_args()
    load = Load(given.secret, given.rate, given.seconds, request)
    figures = uvloop.run(load.run("127.0.0.1", given.port, given.connections))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
