"""The receiver's HTTP side: what is answered, to whom, and when.

``POST /webhooks/property-finder`` is a bare ASGI function, because it is the one path that is asked
a thousand times a second. The rest is Starlette's.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pf_pipeline.archive.inbox import InboxError
from pf_pipeline.leads.deliveries import delivery_id
from pf_pipeline.receiver import metrics as outcomes
from pf_pipeline.receiver.logs import log
from pf_pipeline.receiver.metrics import Metrics
from pf_pipeline.receiver.openapi import DOCUMENT
from pf_pipeline.receiver.signature import Verifier
from pf_pipeline.receiver.watching import Watch
from pf_pipeline.receiver.writer import GroupCommit, OverloadedError

WEBHOOK_PATH = "/webhooks/property-finder"
MOST_BODY_BYTES = 64 * 1024
MOST_DISCARDED_BYTES = 8 * 1024 * 1024
"""How much of a body that is too large is read to its end: who still sends would not hear why."""
MOST_AT_ONCE = 4_000
"""How many requests may be under way; each may hold a body."""
RETRY_SECONDS = 5

Now = Callable[[], datetime]


class TooLargeError(Exception):
    """The body is longer than it may be."""


class BrokenOffError(Exception):
    """The client went away, or was too slow, before its request was whole."""


class Deliveries:
    """Answers ``POST /webhooks/property-finder``."""

    def __init__(
        self,
        verifier: Verifier,
        commits: GroupCommit,
        metrics: Metrics,
        now: Now = lambda: datetime.now(UTC),
    ) -> None:
        self._verifier = verifier
        self._commits = commits
        self._metrics = metrics
        self._now = now
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Store one delivery and acknowledge it, or say why not."""
        started = perf_counter()
        self._at_once += 1
        try:
            outcome = await self._outcome(scope, receive)
        except BrokenOffError:
            outcome = outcomes.BROKEN_OFF
        except TooLargeError:
            outcome = outcomes.TOO_LARGE
        except OverloadedError:
            outcome = outcomes.OVERLOADED
        except InboxError:
            outcome = outcomes.INBOX_FAILED
        except Exception:  # noqa: BLE001
            # Whatever it is, the portal must try again: nothing was acknowledged.
            log.exception("a delivery could not be handled")
            outcome = outcomes.INBOX_FAILED
        finally:
            self._at_once -= 1
        if outcome != outcomes.BROKEN_OFF:
            start, body = ANSWERS[outcome]
            await send(start)
            await send(body)
        self._metrics.outcomes[outcome].inc()
        if outcome in ACKNOWLEDGED:
            self._metrics.acknowledged_seconds.observe(perf_counter() - started)

    async def _outcome(self, scope: Scope, receive: Receive) -> str:
        signature, length = _headers(scope)
        if self._at_once > MOST_AT_ONCE:
            raise OverloadedError
        body = await _read(receive, length)
        if not self._verifier.is_authentic(body, signature):
            return outcomes.BAD_SIGNATURE
        fresh = await self._commits.store(delivery_id(body), self._now(), body)
        return outcomes.STORED if fresh else outcomes.REPEATED


def _headers(scope: Scope) -> tuple[bytes | None, int]:
    """The signature, which must stand there once, and how long the body claims to be."""
    signature, length = None, 0
    for name, value in scope["headers"]:
        if name == b"x-signature":
            signature = value if signature is None else b""
        elif name == b"content-length" and value.isdigit():
            length = int(value[:20])
    return signature, length


async def _read(receive: Receive, length: int) -> bytes:
    """The body, of which no more is kept than it may be long, whatever its headers claim."""
    if length > MOST_DISCARDED_BYTES:
        raise TooLargeError
    body, size, more = bytearray(), 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise BrokenOffError
        size += len(message["body"])
        more = message["more_body"]
        if size > MOST_DISCARDED_BYTES:
            raise TooLargeError
        if size <= MOST_BODY_BYTES:
            body += message["body"]
    if size > MOST_BODY_BYTES:
        raise TooLargeError
    return bytes(body)


def _answer(status: int, sentence: str, *headers: tuple[bytes, bytes]) -> tuple[Message, Message]:
    """The two messages of an answer, made once."""
    body = json.dumps({"detail": sentence}).encode()
    return (
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        },
        {"type": "http.response.body", "body": body},
    )


RETRY_LATER = (b"retry-after", str(RETRY_SECONDS).encode())
ACKNOWLEDGED = frozenset({outcomes.STORED, outcomes.REPEATED})
ANSWERS = {
    outcomes.STORED: _answer(202, "stored"),
    outcomes.REPEATED: _answer(202, "stored before"),
    outcomes.BAD_SIGNATURE: _answer(401, "X-Signature is missing or wrong"),
    # What is left of the body is not read: the connection is of no use any more.
    outcomes.TOO_LARGE: _answer(413, "the body is larger than 64 KiB", (b"connection", b"close")),
    outcomes.OVERLOADED: _answer(503, "too many deliveries at once", RETRY_LATER),
    outcomes.INBOX_FAILED: _answer(503, "the delivery could not be stored", RETRY_LATER),
}


def create_app(deliveries: Deliveries, watch: Watch) -> ASGIApp:
    """All paths of the receiver.

    Args:
        deliveries: Answers the webhook path.
        watch: Knows how the receiver is.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        reasons = await asyncio.to_thread(watch.reasons_against)
        ready = not reasons
        return JSONResponse({"ready": ready, "reasons": reasons}, 200 if ready else 503)

    async def metrics(_: Request) -> Response:
        text = await asyncio.to_thread(watch.metrics_text)
        return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

    async def openapi(_: Request) -> Response:
        return JSONResponse(DOCUMENT)

    others = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/openapi.json", openapi),
            Route(WEBHOOK_PATH, deliveries_by_post_only, methods=["POST"]),
        ]
    )
    others.router.redirect_slashes = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == WEBHOOK_PATH and scope["method"] == "POST":
            await deliveries(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


async def deliveries_by_post_only(_: Request) -> Response:
    """Stands for the webhook path among Starlette's routes, which answer 405 to other methods."""
    raise AssertionError("the webhook path is answered before Starlette is asked")
