"""The sandbox's web application: a stand-in for the Property Finder leads API.

Belongs here: the endpoints and their addresses. What passes before an endpoint is reached (tokens,
limits) is in ``traffic``; what goes wrong on purpose, in ``misbehaving``; what a request for leads
means, in ``lead_query``.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pf_pipeline.sandbox.access import TOKEN_LIFETIME, Tokens
from pf_pipeline.sandbox.days import Days
from pf_pipeline.sandbox.deliveries import Deliveries
from pf_pipeline.sandbox.dialects import atlas_pagination, guide_pagination
from pf_pipeline.sandbox.directory import listing_records, user_records
from pf_pipeline.sandbox.lead_query import read_flag, read_lead_query, read_number
from pf_pipeline.sandbox.misbehaving import Misbehaving
from pf_pipeline.sandbox.options import SandboxOptions
from pf_pipeline.sandbox.pauses import Pauses
from pf_pipeline.sandbox.problems import (
    ProblemError,
    answer_not_found,
    answer_problem,
    invalid,
    not_found,
    unauthorized,
)
from pf_pipeline.sandbox.recordings import recording_wav
from pf_pipeline.sandbox.subscriptions import (
    WEBHOOKS_PATH,
    Subscriptions,
    subscription_requests,
)
from pf_pipeline.sandbox.timeline import Timeline
from pf_pipeline.sandbox.traffic import LEADS_PATH, TOKEN_PATH, Gate, Stats

ENTRIES_PER_PAGE: Final = 100
"""The default and the most that a page of users or listings may hold (contract, ``perPage``)."""

_RECORDING_ID: Final = re.compile(r"call_lead_\d+")


def create_app(options: SandboxOptions) -> Starlette:
    """Make the application of one sandbox; its figures are in ``app.state.stats``.

    Who serves it begins ``app.state.deliveries``, for those who are subscribed from the beginning.
    Who stops it ends them and ``app.state.pauses`` first, lest it finish what others wait for.
    """
    stats = Stats()
    tokens = Tokens(options)
    days = Days(options)
    subscriptions = Subscriptions()
    if options.webhook_url is not None:
        for body in subscription_requests(options.webhook_url, options.webhook_secret):
            subscriptions.add(body, options.clock().astimezone(UTC))
    deliveries = Deliveries(options, days, subscriptions, stats.webhooks)
    portal = _Portal(options, tokens, stats, days)
    webhooks = _Webhooks(options, subscriptions, deliveries)
    pauses = Pauses()
    middleware = [Middleware(Gate, options=options, tokens=tokens, stats=stats, pauses=pauses)]
    if options.faults != "none":
        middleware.append(Middleware(Misbehaving, options=options, stats=stats, pauses=pauses))
    app = Starlette(
        routes=[
            Route(TOKEN_PATH, portal.token, methods=["POST"]),
            Route(LEADS_PATH, portal.leads, methods=["GET"]),
            Route("/v1/users", portal.users, methods=["GET"]),
            Route("/v1/listings", portal.listings, methods=["GET"]),
            Route(WEBHOOKS_PATH, webhooks.subscribe, methods=["POST"]),
            Route(WEBHOOKS_PATH, webhooks.subscribed, methods=["GET"]),
            Route(WEBHOOKS_PATH + "/{event_id}", webhooks.unsubscribe, methods=["DELETE"]),
            Route("/recordings/{recording_id}.wav", portal.recording, methods=["GET"]),
            Route("/respond/{response_token}", portal.respond, methods=["GET", "POST"]),
            Route("/sandbox/stats", portal.stats, methods=["GET"]),
            Route("/sandbox/health", portal.health, methods=["GET"]),
        ],
        middleware=middleware,
        exception_handlers={ProblemError: answer_problem, HTTPException: answer_not_found},
    )
    app.state.stats = stats
    app.state.pauses = pauses
    app.state.deliveries = deliveries
    return app


class _Portal:
    """The endpoints of one sandbox."""

    def __init__(self, options: SandboxOptions, tokens: Tokens, stats: Stats, days: Days) -> None:
        self._options = options
        self._tokens = tokens
        self._stats = stats
        self._timeline = Timeline(options, days)

    async def token(self, request: Request) -> Response:
        """``POST /v1/auth/token``: a key and its secret against a token."""
        try:
            body = json.loads(await request.body())
        except ValueError:
            raise invalid("/body", "The body must be JSON.") from None
        given = body if isinstance(body, dict) else {}
        for name in ("apiKey", "apiSecret"):
            if not isinstance(given.get(name), str):
                raise invalid(f"/body/{name}", f"{name} must be a text.")
        pair = (given["apiKey"], given["apiSecret"])
        if pair != (self._options.api_key, self._options.api_secret):
            raise unauthorized("The API key or its secret is wrong.")
        return JSONResponse(
            {
                "accessToken": self._tokens.mint(self._now()),
                "tokenType": "Bearer",
                "expiresIn": int(TOKEN_LIFETIME.total_seconds()),
            }
        )

    async def leads(self, request: Request) -> Response:
        """``GET /v1/leads``: one page, in the dialect of the request."""
        now = self._now()
        query = read_lead_query(request.query_params, self._options, now)
        base_url = self._options.public_url or _address(request)
        page = self._timeline.page(query, now, base_url)
        pagination: dict[str, Any] = (
            guide_pagination(page.total, page.count, query.per_page, query.page)
            if query.dialect == "guide"
            else atlas_pagination(page.total, query.per_page, query.page)
        )
        envelope = b'{"data":%b,"pagination":%b}' % (page.data, json.dumps(pagination).encode())
        return Response(envelope, media_type="application/json")

    async def users(self, request: Request) -> Response:
        """``GET /v1/users``."""
        return _page_of("data", user_records(), request)

    async def listings(self, request: Request) -> Response:
        """``GET /v1/listings``: published ones; ``draft`` and ``archived`` add the others."""
        records = listing_records(
            draft=read_flag(request.query_params, "draft"),
            archived=read_flag(request.query_params, "archived"),
        )
        return _page_of("results", records, request)

    async def recording(self, request: Request) -> Response:
        """``GET /recordings/{id}.wav``: a sound that plays, for the id of any call."""
        recording_id = request.path_params["recording_id"]
        if not _RECORDING_ID.fullmatch(recording_id):
            raise not_found(request.url.path)
        return Response(recording_wav(recording_id), media_type="audio/wav")

    async def respond(self, _request: Request) -> Response:
        """A ``responseLink``: at the real portal a request marks the lead as replied."""
        self._stats.response_link_hits += 1
        return JSONResponse({"status": "replied"})

    async def stats(self, _request: Request) -> Response:
        """What this sandbox was asked so far."""
        return JSONResponse(self._stats.snapshot())

    async def health(self, _request: Request) -> Response:
        """Whether the sandbox answers."""
        return JSONResponse({"status": "ok"})

    def _now(self) -> datetime:
        return self._options.clock().astimezone(UTC)


class _Webhooks:
    """The endpoints of subscriptions."""

    def __init__(
        self, options: SandboxOptions, subscriptions: Subscriptions, deliveries: Deliveries
    ) -> None:
        self._options = options
        self._subscriptions = subscriptions
        self._deliveries = deliveries

    async def subscribe(self, request: Request) -> Response:
        """``POST /v1/webhooks``: events are posted from now on."""
        now = self._options.clock().astimezone(UTC)
        subscription = self._subscriptions.add(await request.body(), now)
        self._deliveries.begin(self._options.public_url or _address(request))
        return JSONResponse(subscription.as_answer(), 201)

    async def subscribed(self, _request: Request) -> Response:
        """``GET /v1/webhooks``: all of them, without their secrets."""
        return JSONResponse({"data": [one.as_answer() for one in self._subscriptions]})

    async def unsubscribe(self, request: Request) -> Response:
        """``DELETE /v1/webhooks/{eventId}``: nothing is posted for it any more."""
        self._subscriptions.remove(request.path_params["event_id"])
        return Response(status_code=204)


def _address(request: Request) -> str:
    """The sandbox's address as the client wrote it; much faster than ``request.base_url``."""
    host = request.headers.get("host")
    if host is None:
        return str(request.base_url).rstrip("/")
    return f"{request.scope['scheme']}://{host}"


def _page_of(name: str, records: list[dict[str, Any]], request: Request) -> Response:
    """One page of records under a name, with the contract's pagination."""
    parameters = request.query_params
    page = read_number(parameters, "page", default=1)
    per_page = read_number(parameters, "perPage", default=ENTRIES_PER_PAGE, most=ENTRIES_PER_PAGE)
    first = (page - 1) * per_page
    return JSONResponse(
        {
            name: records[first : first + per_page],
            "pagination": atlas_pagination(len(records), per_page, page),
        }
    )
