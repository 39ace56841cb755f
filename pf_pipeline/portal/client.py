"""The client of the leads API: pages of leads, and JSON of any other endpoint.

It puts the room's pieces together and decides what a refused token means. What the leads hold is
not looked at here: records are handed on as they came.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Self

from pf_pipeline.portal.answers import lead_records, read_json, refuse_failure
from pf_pipeline.portal.dialects import LEADS_PATH, Dialect, leads_query
from pf_pipeline.portal.errors import PermanentPortalError, PortalDataError, PortalSettingsError
from pf_pipeline.portal.pagination import Pagination, read_pagination
from pf_pipeline.portal.rate_limit import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, RequestBudget
from pf_pipeline.portal.retries import Retries
from pf_pipeline.portal.tokens import MintedToken, StaticToken, TokenSource
from pf_pipeline.portal.transport import Answer, Query, Transport, host_of, utc_now

_MOST_PAGES = 10_000  # half a million leads in one search: a portal that never ends a walk


@dataclass(frozen=True, slots=True)
class LeadsPage:
    """One page of leads, as received and parsed.

    Attributes:
        number: The page that was asked for, from 1.
        body: Exactly as received, after content-decoding.
        requested_at: When the request was sent, UTC: the page is at least this fresh.
        records: The items under ``data``; each may be any JSON value.
        pagination: What the page says about its place in the whole.
    """

    number: int
    body: bytes = field(repr=False)  # leads are personal data: not for logs
    requested_at: datetime
    records: list[object] = field(repr=False)
    pagination: Pagination

    @property
    def total(self) -> int | None:
        """How many leads the portal says there are on all pages together."""
        return self.pagination.total


class PortalClient:
    """Reads from one Property Finder account; threads may share it.

    Failures that may pass are tried again, with back-off, before they are raised.
    """

    def __init__(
        self,
        base_url: str,
        token_source: TokenSource,
        *,
        dialect: Dialect = "guide",
        budget: RequestBudget | None = None,
        timeout_seconds: float = 30.0,
        attempts: int = 6,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        Args:
            base_url: The portal, without a path.
            token_source: Gives the bearer token; closed with the client.
            dialect: Which query parameters are sent.
            budget: The request budget; closed with the client. None does not limit.
            timeout_seconds: How long one answer may take.
            attempts: How often a request is tried in all.
            clock: The time, aware UTC.
            sleep: Waits that many seconds before another attempt.
        """
        self._transport = Transport(
            base_url, timeout_seconds=timeout_seconds, budget=budget, clock=clock
        )
        self._tokens = token_source
        self._dialect: Dialect = dialect
        self._retries = Retries(attempts, sleep=sleep)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lead_pages(
        self, start: datetime, end: datetime, channel: str | None = None
    ) -> Iterator[LeadsPage]:
        """Walk all pages of the leads created in ``[start, end)``, one request at a time.

        Every page that was received is given, an empty one too; the walk ends with it. The
        portal may add leads from outside the bounds: see ``leads_query``.

        Args:
            start: The first instant, aware.
            end: The instant after the last, aware.
            channel: Only this channel, or every channel.

        Raises:
            PortalError: A page could not be read; which class says what to do next.
            ValueError: An instant has no time zone.
        """
        for number in range(1, _MOST_PAGES + 1):
            page = self.page(number, start, end, channel)
            yield page
            if not page.pagination.has_next:
                return
        raise PortalDataError(
            f"{self._transport.where(LEADS_PATH)} still promises more after {_MOST_PAGES} pages: "
            "ask for a shorter span of time."
        )

    def page(
        self, number: int, start: datetime, end: datetime, channel: str | None = None
    ) -> LeadsPage:
        """One page of the leads created in ``[start, end)``; arguments as in ``lead_pages``.

        Raises:
            PortalError: The page could not be read; which class says what to do next.
            ValueError: An instant has no time zone.
        """
        query = leads_query(self._dialect, start, end, number=number, channel=channel)

        def read() -> LeadsPage:
            answer = self._get(LEADS_PATH, query)
            payload = read_json(answer)
            records = lead_records(answer, payload)
            pagination = read_pagination(payload, asked=number, received=len(records))
            return LeadsPage(number, answer.body, answer.requested_at, records, pagination)

        return self._retries(read)

    def sign_in(self) -> None:
        """Have a token ready, as any request would; says early whether key and secret work.

        Raises:
            PortalError: There is none; which class says what to do next.
        """
        self._retries(self._tokens.bearer)

    def get_json(self, path: str, params: Query | None = None) -> object:
        """The parsed answer of any other endpoint, such as ``/v1/users``.

        Args:
            path: The path on the portal, from its first slash.
            params: The query.

        Raises:
            PortalError: There is no such answer; which class says what to do next.
            ValueError: The path is an address: those inside leads must never be asked for.
        """
        return self._retries(lambda: read_json(self._get(path, params or ())))

    def close(self) -> None:
        """Close connections and budgets; the client cannot be used afterwards."""
        self._transport.close()
        self._tokens.close()

    def _get(self, path: str, query: Query) -> Answer:
        """One attempt; a refused token is replaced once, because fresh ones are refused at times.

        See the contract, authentication: a second 401 means that the key is revoked or expired.
        """
        token = self._tokens.bearer()
        answer = self._transport.get(path, query, token=token)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.refused(token)
            refused, token = token, self._tokens.bearer()
            if token != refused:
                answer = self._transport.get(path, query, token=token)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.refused(token)
            raise PermanentPortalError(
                f"{answer.where} refused the token (HTTP 401): "
                f"it is wrong, expired or revoked, so renew {self._tokens.settings}."
            )
        refuse_failure(answer, secrets=(token,))
        return answer


def connect(  # noqa: PLR0913
    base_url: str,
    *,
    key: str | None,
    secret: str | None,
    token: str | None,
    dialect: Dialect,
    state_dir: Path,
    requests_per_minute: int = REQUESTS_PER_MINUTE,
    timeout_seconds: float = 30.0,
    attempts: int = 6,
    clock: Callable[[], datetime] = utc_now,
) -> PortalClient:
    """A client with what the settings give; a ready token wins over key and secret.

    Args:
        base_url: The portal, without a path.
        key: The API key, exchanged with its secret for a token.
        secret: The API key's secret.
        token: A ready bearer token instead.
        dialect: Which query parameters are sent.
        state_dir: The folder of the request budgets, the same for every process of the machine.
        requests_per_minute: The budget for everything but tokens.
        timeout_seconds: How long one answer may take.
        attempts: How often a request is tried in all.
        clock: The time, aware UTC.

    Raises:
        PortalSettingsError: There are no credentials.
        PermanentPortalError: The budgets cannot be opened.
    """
    if not token and not (key and secret):
        raise PortalSettingsError(
            f"There are no credentials for {host_of(base_url)}: "
            "set PF_API_TOKEN, or PF_API_KEY and PF_API_SECRET."
        )

    def budget(kind: str, per_minute: int) -> RequestBudget:
        # A name for each host: work against a sandbox takes nothing from production.
        return RequestBudget(
            state_dir / "request-budget.sqlite", f"{host_of(base_url)} {kind}", per_minute
        )

    token_source: TokenSource
    if token:
        token_source = StaticToken(token)
    else:
        token_source = MintedToken(
            base_url,
            key or "",
            secret or "",
            budget=budget("tokens", TOKENS_PER_MINUTE),
            timeout_seconds=timeout_seconds,
        )
    return PortalClient(
        base_url,
        token_source,
        dialect=dialect,
        budget=budget("requests", requests_per_minute),
        timeout_seconds=timeout_seconds,
        attempts=attempts,
        clock=clock,
    )
