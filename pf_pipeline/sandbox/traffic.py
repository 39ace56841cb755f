"""What every request passes on its way in: counting, limits, tokens, latency.

Belongs here: what is common to all endpoints. What an endpoint answers is in ``app``.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC
from typing import Final, TypedDict

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pf_pipeline.sandbox.access import SlidingWindow, Tokens
from pf_pipeline.sandbox.deliveries import WebhookFigures, WebhookStats
from pf_pipeline.sandbox.faults import FaultKind
from pf_pipeline.sandbox.options import SandboxOptions
from pf_pipeline.sandbox.pauses import Pauses
from pf_pipeline.sandbox.problems import forbidden, too_many_requests, unauthorized
from pf_pipeline.sandbox.subscriptions import WEBHOOKS_PATH

TOKEN_PATH: Final = "/v1/auth/token"  # noqa: S105 - an address, not a token
LEADS_PATH: Final = "/v1/leads"
API_PREFIX: Final = "/v1/"
SPOILED: Final = "sandbox.spoiled"
"""In the scope of a request: true when a fault takes the worth of its answer."""
TOKENS_PER_MINUTE: Final = 60
"""The contract's limit for the token endpoint."""

_OWN_PREFIX: Final = "/sandbox/"


class StatsSnapshot(TypedDict):
    """What ``GET /sandbox/stats`` answers.

    Attributes:
        requests: How many requests each path had, refused ones included; recordings and response
            links are counted under their folder; the sandbox's own endpoints are not counted.
        response_link_hits: How often a ``responseLink`` was requested: should stay 0.
        leads_pages: How many pages of leads were answered well.
        statuses: How many answers had each status, of the requests above.
        limited: How many 429 a client provoked by exceeding a limit, rather than a fault sent.
        faults: How many faults of each kind occurred.
        webhooks: What became of webhook events.
    """

    requests: dict[str, int]
    response_link_hits: int
    leads_pages: int
    statuses: dict[str, int]
    limited: int
    faults: dict[str, int]
    webhooks: WebhookFigures


@dataclass(slots=True)
class Stats:
    """Counts what a sandbox was asked; see ``StatsSnapshot`` for the meanings."""

    requests: Counter[str] = field(default_factory=Counter)
    response_link_hits: int = 0
    leads_pages: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    limited: int = 0
    faults: Counter[FaultKind] = field(default_factory=Counter)
    webhooks: WebhookStats = field(default_factory=WebhookStats)

    def count(self, path: str) -> None:
        """Count a request."""
        folder = "/" + path.lstrip("/").partition("/")[0]
        self.requests[path if path.startswith(API_PREFIX) else folder] += 1

    def count_answer(self, path: str, status: int, *, spoiled: bool) -> None:
        """Count the beginning of an answer."""
        self.statuses[status] += 1
        if path == LEADS_PATH and status == 200 and not spoiled:  # noqa: PLR2004 - a page
            self.leads_pages += 1

    def count_fault(self, kind: FaultKind) -> None:
        """Count a fault."""
        self.faults[kind] += 1

    def snapshot(self) -> StatsSnapshot:
        """The figures of this moment."""
        return {
            "requests": dict(self.requests),
            "response_link_hits": self.response_link_hits,
            "leads_pages": self.leads_pages,
            "statuses": {str(status): times for status, times in dict(self.statuses).items()},
            "limited": self.limited,
            "faults": {kind.value: times for kind, times in dict(self.faults).items()},
            "webhooks": self.webhooks.snapshot(),
        }


class Gate:
    """ASGI middleware that lets requests in, or answers in the endpoint's stead."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        options: SandboxOptions,
        tokens: Tokens,
        stats: Stats,
        pauses: Pauses,
    ) -> None:
        self._app = app
        self._options = options
        self._tokens = tokens
        self._stats = stats
        self._pauses = pauses
        limit = options.requests_per_minute
        self._api_window = SlidingWindow(limit) if limit is not None else None
        self._token_window = SlidingWindow(TOKENS_PER_MINUTE) if limit is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it: 401 without a good token, 429 above the limit."""
        if scope["type"] != "http" or scope["path"].startswith(_OWN_PREFIX):
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        self._stats.count(path)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                spoiled = scope.get(SPOILED, False)
                self._stats.count_answer(path, message["status"], spoiled=spoiled)
            await send(message)

        app = self._app
        if path.startswith(API_PREFIX):
            if self._options.latency_seconds:
                await self._pauses.pause(self._options.latency_seconds)
            app = self._refusal(path, Headers(scope=scope)) or app
        await app(scope, receive, counted)

    def _refusal(self, path: str, headers: Headers) -> Response | None:
        if "user-agent" not in headers:
            return HTMLResponse("<h1>403 Forbidden</h1><p>No User-Agent.</p>", 403)
        window = self._token_window if path == TOKEN_PATH else self._api_window
        if window is not None and not window.admits():
            self._stats.limited += 1
            return too_many_requests().response()
        now = self._options.clock().astimezone(UTC)
        if path != TOKEN_PATH and not self._tokens.accepts(headers.get("authorization"), now):
            return unauthorized("The access token is missing, wrong or expired.").response()
        of_leads = path == LEADS_PATH or path.startswith(WEBHOOKS_PATH)
        if of_leads and not self._options.leads_scope:
            return forbidden("leads:read").response()
        return None
