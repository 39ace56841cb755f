"""What every request passes on its way in: counting, limits, tokens, latency.

Belongs here: what is common to all endpoints. What an endpoint answers is in ``app``.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC
from typing import Final, TypedDict

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pf_pipeline.sandbox.access import SlidingWindow, Tokens
from pf_pipeline.sandbox.options import SandboxOptions
from pf_pipeline.sandbox.problems import too_many_requests, unauthorized

TOKEN_PATH: Final = "/v1/auth/token"  # noqa: S105 - an address, not a token
TOKENS_PER_MINUTE: Final = 60
"""The contract's limit for the token endpoint."""

_API_PREFIX: Final = "/v1/"
_OWN_PREFIX: Final = "/sandbox/"


class StatsSnapshot(TypedDict):
    """What ``GET /sandbox/stats`` answers.

    Attributes:
        requests: How many requests each path had, refused ones included; recordings and response
            links are counted under their folder; the sandbox's own endpoints are not counted.
        response_link_hits: How often a ``responseLink`` was requested: should stay 0.
        leads_pages: How many pages of leads were answered.
    """

    requests: dict[str, int]
    response_link_hits: int
    leads_pages: int


@dataclass(slots=True)
class Stats:
    """Counts what a sandbox was asked; see ``StatsSnapshot`` for the meanings."""

    requests: Counter[str] = field(default_factory=Counter)
    response_link_hits: int = 0
    leads_pages: int = 0

    def count(self, path: str) -> None:
        """Count a request."""
        if path.startswith(_OWN_PREFIX):
            return
        folder = "/" + path.lstrip("/").partition("/")[0]
        self.requests[path if path.startswith(_API_PREFIX) else folder] += 1

    def snapshot(self) -> StatsSnapshot:
        """The figures of this moment."""
        return {
            "requests": dict(self.requests),
            "response_link_hits": self.response_link_hits,
            "leads_pages": self.leads_pages,
        }


class Gate:
    """ASGI middleware that lets requests in, or answers in the endpoint's stead."""

    def __init__(
        self, app: ASGIApp, *, options: SandboxOptions, tokens: Tokens, stats: Stats
    ) -> None:
        self._app = app
        self._options = options
        self._tokens = tokens
        self._stats = stats
        limit = options.requests_per_minute
        self._api_window = SlidingWindow(limit) if limit is not None else None
        self._token_window = SlidingWindow(TOKENS_PER_MINUTE) if limit is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it: 401 without a good token, 429 above the limit."""
        app = self._app
        if scope["type"] == "http":
            path: str = scope["path"]
            self._stats.count(path)
            if path.startswith(_API_PREFIX):
                await asyncio.sleep(self._options.latency_seconds)
                app = self._refusal(path, Headers(scope=scope)) or app
        await app(scope, receive, send)

    def _refusal(self, path: str, headers: Headers) -> Response | None:
        if "user-agent" not in headers:
            return HTMLResponse("<h1>403 Forbidden</h1><p>No User-Agent.</p>", 403)
        window = self._token_window if path == TOKEN_PATH else self._api_window
        if window is not None and not window.admits():
            return too_many_requests().response()
        now = self._options.clock().astimezone(UTC)
        if path != TOKEN_PATH and not self._tokens.accepts(headers.get("authorization"), now):
            return unauthorized("The access token is missing, wrong or expired.").response()
        return None
