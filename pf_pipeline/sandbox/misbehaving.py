"""Carries faults out: the sandbox's answers, spoiled on the way to the client.

Belongs here: what each kind of fault does to an answer. Which one comes when is decided in
``faults``; what a page with wrong data looks like, in ``page_faults``.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pf_pipeline.sandbox.connections import reset_connection
from pf_pipeline.sandbox.faults import HARMLESS, WRONG_DATA, Fault, FaultKind, planned_faults
from pf_pipeline.sandbox.options import SandboxOptions
from pf_pipeline.sandbox.page_faults import Body, gone_wrong, page_number, with_nulls
from pf_pipeline.sandbox.pauses import Pauses
from pf_pipeline.sandbox.problems import (
    ProblemError,
    ProblemType,
    too_many_requests,
    unauthorized,
)
from pf_pipeline.sandbox.token_troubles import History, TokenTroubles
from pf_pipeline.sandbox.traffic import API_PREFIX, SPOILED, TOKEN_PATH, Stats

_DRIPS: Final = 10
_SECONDS_BEFORE_RESET: Final = 0.02
"""Long enough for the first half of an answer to leave, so that the client is cut off midway."""
_PAGE_PARAMETER: Final = re.compile(rb"(?<![^&])page=\d+")
_SERVER_ERRORS: Final[Sequence[tuple[int, ProblemType, str]]] = (
    (500, "INTERNAL", "Internal Server Error"),
    (502, "BAD_GATEWAY", "Bad Gateway"),
    (503, "INTERNAL", "Service Unavailable"),
    (504, "TIMEOUT", "Gateway Timeout"),
)


@dataclass(slots=True)
class _Answer:
    """An answer of the application behind, held back."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def capture(self, message: Message) -> None:
        """Take a message instead of the client."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")

    def start(self, length: int | None = None, content_type: bytes | None = None) -> Message:
        """The answer's first message, with another length or type where given."""
        changed = {b"content-length": str(len(self.body) if length is None else length).encode()}
        if content_type is not None:
            changed[b"content-type"] = content_type
        headers = [pair for pair in self.headers if pair[0] not in changed]
        return {
            "type": "http.response.start",
            "status": self.status,
            "headers": headers + list(changed.items()),
        }


class Misbehaving:
    """ASGI middleware that lets requests to the API go wrong, by plan."""

    def __init__(
        self, app: ASGIApp, *, options: SandboxOptions, stats: Stats, pauses: Pauses
    ) -> None:
        self._app = app
        self._options = options
        self._stats = stats
        self._pauses = pauses
        self._troubles = TokenTroubles(options)
        self._histories: dict[str, History] = {}
        self._tokens_minted = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request as usual, or as the plan for this attempt says."""
        fault = None
        if scope["type"] == "http" and scope["path"].startswith(API_PREFIX):
            fault = self._fault(scope)
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._misbehave(fault, scope, receive, send)

    def _fault(self, scope: Scope) -> Fault | None:
        request = self._identity(scope)
        history = self._histories.setdefault(request, History())
        fault = self._planned(request, history.attempts)
        if scope["path"] != TOKEN_PATH:
            kind = self._troubles.refuse(_token(scope), history)
            fault = fault if kind is None else Fault(kind)
        fails = fault is not None and fault.kind not in HARMLESS
        history.attempts += 1
        history.failures_in_a_row = history.failures_in_a_row + 1 if fails else 0
        if scope["path"] == TOKEN_PATH and not fails:
            self._tokens_minted += 1
        return fault

    def _planned(self, request: str, attempt: int) -> Fault | None:
        plan = planned_faults(self._options.faults, self._options.seed, request)
        return plan[attempt] if attempt < len(plan) else None

    def _identity(self, scope: Scope) -> str:
        """What makes a request the same as another; each token is a request of its own."""
        if scope["path"] == TOKEN_PATH:
            return f"{TOKEN_PATH}#{self._tokens_minted}"
        return f"{scope['path']}?{scope['query_string'].decode('latin-1')}"

    async def _misbehave(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind is FaultKind.RESET_BEFORE_ANSWER:
            self._stats.count_fault(fault.kind)
            await _reset(scope, receive)
            return
        refusal = _refusal(fault)
        if refusal is not None:
            self._stats.count_fault(fault.kind)
            scope[SPOILED] = True
            await refusal(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        if answer.status != 200:  # noqa: PLR2004 - nothing to spoil
            await self._drip(answer, send, seconds=0)
        elif fault.kind in WRONG_DATA or fault.kind is FaultKind.NULLS:
            await self._send_changed(fault, answer, scope, receive, send)
        else:
            self._stats.count_fault(fault.kind)
            scope[SPOILED] = fault.kind not in HARMLESS
            await self._send_badly(fault, answer, scope, receive, send)

    async def _send_changed(
        self, fault: Fault, answer: _Answer, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send a page whose content is odd; what is no page goes out as it is."""
        body: Body = json.loads(answer.body)
        changed: tuple[FaultKind, Body] | None = None
        if fault.kind is FaultKind.NULLS and page_number(body):
            nulled = with_nulls(body)
            changed = None if nulled is None else (fault.kind, nulled)
        elif page_number(body):
            previous = await self._previous_page(fault, page_number(body), scope, receive)
            changed = gone_wrong(fault, body, previous)
        if changed is not None:
            kind, body = changed
            self._stats.count_fault(kind)
            scope[SPOILED] = kind not in HARMLESS
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            answer = replace(answer, body=text.encode())
        await self._drip(answer, send, seconds=0)

    async def _previous_page(
        self, fault: Fault, number: int, scope: Scope, receive: Receive
    ) -> Body | None:
        if fault.kind is not FaultKind.REPEATED_LEADS or number == 1:
            return None
        query = _PAGE_PARAMETER.sub(b"page=%d" % (number - 1), scope["query_string"])
        answer = await self._answer({**scope, "query_string": query}, receive)
        body: Body = json.loads(answer.body)
        return body

    async def _send_badly(
        self, fault: Fault, answer: _Answer, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send an answer whose content is right in a way that is not."""
        cut = min(max(1, int(fault.draw * len(answer.body))), len(answer.body) - 1)
        match fault.kind:
            case FaultKind.TRUNCATED_JSON:
                await self._drip(replace(answer, body=answer.body[:cut]), send, seconds=0)
            case FaultKind.LABELLED_AS_TEXT:
                await send(answer.start(content_type=b"text/plain; charset=utf-8"))
                await send({"type": "http.response.body", "body": answer.body})
            case FaultKind.SLOW_DRIP:
                await self._drip(answer, send, seconds=self._options.drip_seconds)
            case _:
                await send(answer.start())
                first = {"body": answer.body[:cut], "more_body": True}
                await send({"type": "http.response.body", **first})
                await self._pauses.pause(_SECONDS_BEFORE_RESET)
                await _reset(scope, receive)

    async def _drip(self, answer: _Answer, send: Send, *, seconds: float) -> None:
        """Send an answer, spread over some time."""
        await send(answer.start())
        size = max(1, -(-len(answer.body) // _DRIPS)) if seconds else len(answer.body)
        while len(answer.body) > size:
            part, answer.body = answer.body[:size], answer.body[size:]
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await self._pauses.pause(seconds / _DRIPS)
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        answer = _Answer()
        await self._app(scope, receive, answer.capture)
        return answer


async def _reset(scope: Scope, receive: Receive) -> None:
    """Reset the connection, and wait until the server has noticed."""
    reset_connection(scope)
    while (await receive())["type"] != "http.disconnect":
        pass


def _token(scope: Scope) -> str:
    authorization: bytes = next(
        (value for name, value in scope["headers"] if name == b"authorization"), b""
    )
    return authorization.decode("latin-1").partition(" ")[2]


def _refusal(fault: Fault) -> Response | None:
    """The answer that replaces the usual one, for the kinds that have one."""
    status, problem_type, title = _SERVER_ERRORS[int(fault.draw * len(_SERVER_ERRORS))]
    refusal: Response | None = None
    match fault.kind:
        case FaultKind.TOKEN_REFUSED_WHEN_FRESH | FaultKind.TOKEN_EXPIRED_EARLY:
            refusal = unauthorized("The access token is wrong or expired.").response()
        case FaultKind.FORBIDDEN_BY_CDN:
            refusal = HTMLResponse(_html("403 Forbidden"), 403)
        case FaultKind.TOO_MANY:
            refusal = too_many_requests().response()
        case FaultKind.TOO_MANY_WITH_RETRY_AFTER:
            refusal = too_many_requests().response()
            refusal.headers["Retry-After"] = str(round(fault.draw))
        case FaultKind.SERVER_ERROR:
            refusal = ProblemError(status, problem_type, title, f"{title}.").response()
        case FaultKind.SERVER_ERROR_IN_HTML:
            refusal = HTMLResponse(_html(f"{status} {title}"), status)
        case FaultKind.HTML_PAGE:
            refusal = HTMLResponse(_html("We will be back soon"))
    return refusal


def _html(heading: str) -> str:
    return f"<!doctype html><title>{heading}</title><h1>{heading}</h1>"
