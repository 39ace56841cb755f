"""The client of the leads API: leads, users and listings, page by page, and single requests.

It decides what a refused token means, and what a page that lacks records means. What the records
hold is not looked at here: they are handed on as they came.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Self

from pf_pipeline.portal.answers import listed_records, read_json, refuse_failure
from pf_pipeline.portal.dialects import LEADS_PATH, PER_PAGE, Dialect, clamped_start, leads_query
from pf_pipeline.portal.errors import PermanentPortalError, PortalDataError
from pf_pipeline.portal.pages import LeadsPage
from pf_pipeline.portal.pagination import read_pagination
from pf_pipeline.portal.rate_limit import RequestBudget
from pf_pipeline.portal.retries import Retries
from pf_pipeline.portal.stopping import Stop
from pf_pipeline.portal.tokens import TokenSource
from pf_pipeline.portal.transport import Answer, Query, Transport, utc_now
from pf_pipeline.portal.walk import KnownPage, LeadsWalk, WalkOutcome

MOST_IDS = 50
"""Lead ids in one request: as many as a page has room for."""

ENTRIES_PER_PAGE = 100
"""Users or listings a page: the most that is allowed (contract: other endpoints)."""

_ASKED_AGAIN = 2  # how often a page is asked for again because records are missing


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked for, anew for each attempt, and where the answer has its records."""

    path: str
    query: Callable[[], Query]
    name: str = "data"
    per_page: int = PER_PAGE


@dataclass(frozen=True, slots=True)
class Entries:
    """All records of an endpoint other than leads.

    Attributes:
        records: Each once, in the order of the pages.
        bodies: The pages exactly as received.
        outcome: Whether these are all.
    """

    records: list[object] = field(repr=False)
    bodies: list[bytes] = field(repr=False)
    outcome: WalkOutcome


class PortalClient:
    """Reads from one Property Finder account; threads may share it.

    Failures that may pass are tried again, with back-off, before they are raised.
    """

    def __init__(  # noqa: PLR0913
        self,
        base_url: str,
        token_source: TokenSource,
        *,
        dialect: Dialect = "guide",
        budget: RequestBudget | None = None,
        timeout_seconds: float = 30.0,
        attempts: int = 6,
        parallel: int = 8,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        Args:
            base_url: The portal, without a path.
            token_source: Gives the bearer token; closed with the client.
            dialect: Which query parameters are sent.
            budget: The request budget; closed with the client. None does not limit.
            timeout_seconds: How long one answer may take.
            attempts: How often a request is tried in all.
            parallel: How many pages of a walk are fetched at the same time.
            clock: The time, aware UTC.
            sleep: Waits that many seconds before another attempt; other than None only in tests.
        """
        self._transport = Transport(
            base_url,
            timeout_seconds=timeout_seconds,
            budget=budget,
            connections=parallel,
            clock=clock,
        )
        self._tokens = token_source
        self._dialect: Dialect = dialect
        self._retries = Retries(attempts, sleep=sleep)
        self._asked_again = min(_ASKED_AGAIN, attempts - 1)
        self._parallel = parallel
        self._clock = clock
        self._stop = Stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def walk(
        self,
        start: datetime,
        end: datetime,
        *,
        channel: str | None = None,
        known: Sequence[KnownPage] = (),
    ) -> LeadsWalk:
        """All pages of the leads created in ``[start, end)``, fetched by several threads.

        The portal may add leads from outside the bounds: see ``leads_query``. In atlas a start
        beyond the portal's horizon is moved: see ``clamped_start``.

        Args:
            start: The first instant, aware.
            end: The instant after the last, aware.
            channel: Only this channel, or every channel.
            known: Pages of the same bounds that an interrupted attempt has stored.

        Raises:
            ValueError: An instant has no time zone.
        """
        first = clamped_start(self._dialect, start, self._clock())
        stop = Stop(self._stop)

        def fetch(number: int) -> LeadsPage:
            return self._leads(number, first, end, channel, stop)

        return LeadsWalk(fetch, parallel=self._parallel, known=known, stop=stop)

    def walk_ids(self, lead_ids: Iterable[str]) -> Iterator[LeadsPage]:
        """The leads of these ids, whenever they were created; only atlas can be asked so.

        One page for up to 50 ids, numbered in the order of the requests. The portal leaves out
        what it does not know, and may add what was not asked for.

        Raises:
            PortalError: A page could not be read; which class says what to do next.
        """
        paging = [("page", "1"), ("perPage", str(PER_PAGE))]
        ids = list(dict.fromkeys(lead_ids))
        for number, first in enumerate(range(0, len(ids), MOST_IDS), start=1):
            query = paging + [("id", lead_id) for lead_id in ids[first : first + MOST_IDS]]
            page = self._page(_Question(LEADS_PATH, partial(tuple, query)), 1, self._stop)
            yield replace(page, number=number)

    def entries(self, path: str, name: str, params: Mapping[str, str] | None = None) -> Entries:
        """All pages of an endpoint such as ``/v1/users``, 100 records a page.

        Args:
            path: The path on the portal, from its first slash.
            name: Where the records stand in an answer: ``data``, for listings ``results``.
            params: What else is asked for, such as ``{"draft": "true", "archived": "true"}``.

        Raises:
            PortalError: A page could not be read; which class says what to do next.
            ValueError: The path is an address: those inside leads must never be asked for.
        """
        stop = Stop(self._stop)

        def fetch(number: int) -> LeadsPage:
            paging = {"page": str(number), "perPage": str(ENTRIES_PER_PAGE)}
            query = {**(params or {}), **paging}
            question = _Question(path, lambda: query, name, ENTRIES_PER_PAGE)
            return self._page(question, number, stop)

        walk = LeadsWalk(fetch, parallel=self._parallel, stop=stop)
        pages = list(walk)
        return Entries(_distinct(pages), [page.body for page in pages], walk.outcome)

    def page(
        self, number: int, start: datetime, end: datetime, channel: str | None = None
    ) -> LeadsPage:
        """One page of the leads created in ``[start, end)``; arguments as in ``walk``.

        Raises:
            PortalError: The page could not be read; which class says what to do next.
            ValueError: An instant has no time zone.
        """
        return self._leads(number, start, end, channel, self._stop)

    def call(
        self,
        method: str,
        path: str,
        payload: Mapping[str, str] | None = None,
        *,
        secrets: Collection[str] = (),
    ) -> Answer:
        """One request to an endpoint that has no pages; repeated while its failures may pass.

        Args:
            method: Such as ``GET`` or ``DELETE``.
            path: The path on the portal, from its first slash.
            payload: Sent as JSON.
            secrets: What of it must not be quoted, should the portal repeat it.

        Returns:
            An answer that is a success (2xx).

        Raises:
            PortalError: There was none; which class says what to do next.
            ValueError: The path is an address: those inside leads must never be asked for.
        """

        def send(token: str) -> Answer:
            return self._transport.call(method, path, payload, token=token, stop=self._stop)

        return self._retries(lambda: self._authorized(send, secrets), self._stop)

    def sign_in(self) -> None:
        """Have a token ready, as any request would; says early whether key and secret work.

        Raises:
            PortalError: There is none; which class says what to do next.
        """
        self._retries(self._tokens.bearer, self._stop)

    def close(self) -> None:
        """End all waits, close connections and budgets; the client cannot be used afterwards."""
        self._stop.set()
        self._transport.close()
        self._tokens.close()

    def _leads(
        self, number: int, start: datetime, end: datetime, channel: str | None, stop: Stop
    ) -> LeadsPage:
        def query() -> Query:
            now = self._clock()
            return leads_query(self._dialect, start, end, number=number, now=now, channel=channel)

        return self._page(_Question(LEADS_PATH, query), number, stop)

    def _page(self, question: _Question, number: int, stop: Stop) -> LeadsPage:
        """One page, asked for again while it fails or lacks records.

        A page that lacks records every time is given as it is: better some leads, and a walk that
        says that it is incomplete, than none.
        """
        lacking = 0

        def read() -> LeadsPage:
            nonlocal lacking
            answer = self._get(question.path, question.query(), stop)
            payload = read_json(answer)
            records = listed_records(answer, payload, question.name)
            pagination = read_pagination(
                payload, asked=number, received=len(records), per_page=question.per_page
            )
            page = LeadsPage(number, answer.body, answer.requested_at, records, pagination)
            lacking += page.lacks_records
            if page.lacks_records and lacking <= self._asked_again:
                raise PortalDataError(
                    f"{answer.where} sent fewer records on page {number} than its own total "
                    "promises: try again later."
                )
            return page

        return self._retries(read, stop)

    def _get(self, path: str, query: Query, stop: Stop) -> Answer:
        return self._authorized(
            lambda token: self._transport.get(path, query, token=token, stop=stop)
        )

    def _authorized(self, send: Callable[[str], Answer], secrets: Collection[str] = ()) -> Answer:
        """One attempt; a refused token is replaced, because fresh ones are refused at times.

        See the contract, authentication: a fresh token may be refused once; the second fresh one
        that is refused means that the key is revoked or expired. A token that was used for a while
        may have expired, and says nothing about the key.
        """
        token = self._tokens.bearer()
        others = 1 if self._tokens.is_fresh(token) else 2
        answer = send(token)
        while answer.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.refused(token)
            refused, token = token, self._tokens.bearer() if others else token
            if token == refused:
                raise PermanentPortalError(
                    f"{answer.where} refused the token (HTTP 401): "
                    f"it is wrong, expired or revoked, so renew {self._tokens.settings}."
                )
            others -= 1
            answer = send(token)
        refuse_failure(answer, secrets=(token, *secrets))
        return answer


def _distinct(pages: Iterable[LeadsPage]) -> list[object]:
    """Each record once; those without an ``id`` as often as they came."""
    records: dict[object, object] = {}
    for page in pages:
        for position, record in enumerate(page.records):
            found = record.get("id") if isinstance(record, dict) else None
            named = isinstance(found, str | int)
            records[found if named else (page.number, position)] = record
    return list(records.values())
