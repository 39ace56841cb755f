"""How one request travels: connections, proxy, certificates, and limits on time and size.

What an answer means belongs to ``answers``; asking again belongs to ``retries``.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests import exceptions as http
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from pf_pipeline import __version__
from pf_pipeline.portal.deadline import DeadlineAdapter
from pf_pipeline.portal.errors import (
    PermanentPortalError,
    PortalDataError,
    PortalError,
    TransientPortalError,
)
from pf_pipeline.portal.rate_limit import RequestBudget
from pf_pipeline.portal.stopping import Stop

Query = Mapping[str, str] | Sequence[tuple[str, str]]

USER_AGENT = f"pf-pipeline/{__version__} python-requests/{requests.__version__}"
"""Sent with every request: the portal's CDN refuses those without (contract: errors)."""

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of one answer, decoded; a page of 50 leads is about 30 KiB."""

_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
}
_CONNECT_SECONDS = 10.0
_CHUNK = 256 * 1024


def utc_now() -> datetime:
    """This instant, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the portal, whatever it means.

    Attributes:
        where: Host and path that were asked, for messages: no query, no secrets.
        status: The HTTP status.
        headers: The headers; names in any case.
        body: Exactly as received, after content-decoding.
        requested_at: When the request was sent, UTC.
    """

    where: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    requested_at: datetime


class Transport:
    """Sends single requests to one host; threads may share it.

    The environment (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``) is read once, here.
    Requests go straight to the adapter of ``requests``: a ``Session`` would look at the
    environment again for each, replace the token by one from ``.netrc``, and read a redirect's
    body whatever its size.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float = 30.0,
        budget: RequestBudget | None = None,
        connections: int = 1,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Prepare connections; none is opened yet.

        Args:
            base_url: The portal, without a path.
            timeout_seconds: How long one answer may take, from the request to its last byte.
            budget: Asked before each request; None does not limit.
            connections: How many are kept open between requests.
            clock: The time, aware UTC.
        """
        self._base_url = base_url.rstrip("/")
        self._timeout = (min(_CONNECT_SECONDS, timeout_seconds), timeout_seconds)
        self._budget = budget
        self._clock = clock
        self._adapter = DeadlineAdapter(connections=connections)
        with requests.Session() as session:
            environment = session.merge_environment_settings(self._base_url, {}, None, None, None)
        bundle = environment["verify"]
        self._verify = True if bundle is None else bundle
        self._proxies = {} if _is_loopback(self._base_url) else environment["proxies"]

    def get(self, path: str, query: Query, *, token: str, stop: Stop | None = None) -> Answer:
        """Send one GET with a bearer token.

        Raises:
            PortalError: No whole answer came; which class says what to do next.
            StoppedError: It was stopped before it was sent.
        """
        request = requests.Request("GET", self._url(path), params=query)
        request.headers["Authorization"] = f"Bearer {token}"
        return self._send(path, request, stop)

    def post(self, path: str, payload: Mapping[str, str]) -> Answer:
        """Send one POST with a JSON body and no token.

        Raises:
            PortalError: No whole answer came; which class says what to do next.
        """
        return self._send(path, requests.Request("POST", self._url(path), json=payload))

    def call(
        self,
        method: str,
        path: str,
        payload: Mapping[str, str] | None,
        *,
        token: str,
        stop: Stop | None = None,
    ) -> Answer:
        """Send one request of any method with a bearer token, and a JSON body where there is one.

        Raises:
            PortalError: No whole answer came; which class says what to do next.
            StoppedError: It was stopped before it was sent.
        """
        request = requests.Request(method, self._url(path), json=payload)
        request.headers["Authorization"] = f"Bearer {token}"
        return self._send(path, request, stop)

    def close(self) -> None:
        """Close the connections and the budget."""
        self._adapter.close()
        if self._budget is not None:
            self._budget.close()

    def where(self, path: str) -> str:
        """Host and path for a message, without anything that could be secret."""
        return host_of(self._base_url) + path

    def _url(self, path: str) -> str:
        if not path.startswith("/"):
            # An address out of a lead (its responseLink, say) must never be asked for: law 6.
            raise ValueError("The portal is asked for a path such as /v1/leads, not an address.")
        return self._base_url + path

    def _send(self, path: str, request: requests.Request, stop: Stop | None = None) -> Answer:
        request.headers |= _HEADERS
        if self._budget is not None:
            self._budget.acquire(stop)
        where, requested_at = self.where(path), self._clock()
        try:
            with self._adapter.send(
                request.prepare(),
                stream=True,
                timeout=self._timeout,
                verify=self._verify,
                proxies=self._proxies,
            ) as response:
                body = _read(response, where)
        except (OSError, HTTPError) as error:
            failure = _explain(error, where, self._timeout[1])
        else:
            return Answer(where, response.status_code, response.headers, body, requested_at)
        # Outside the handler: the error of requests holds the request and with it the token.
        raise failure


def _read(response: requests.Response, where: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise PortalDataError(
                f"The answer of {where} is larger than {LARGEST_ANSWER // 2**20} MiB, "
                "which no page of leads is: check PF_API_BASE_URL."
            )
    return bytes(body)


def _explain(error: Exception, where: str, timeout_seconds: float) -> PortalError:
    """The portal error for an error of the network; quotes nothing that could hold a secret."""
    causes = list(_causes(error))

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if caused_by(ssl.SSLCertVerificationError):
        return PermanentPortalError(
            f"The certificate of {where} is not trusted: "
            "check PF_API_BASE_URL, or name your company's certificates in REQUESTS_CA_BUNDLE."
        )
    if not isinstance(error, (http.RequestException, HTTPError)) or isinstance(error, ValueError):
        return PermanentPortalError(
            f"The request to {where} cannot be made ({type(error).__name__}): "
            "check PF_API_BASE_URL, HTTPS_PROXY and REQUESTS_CA_BUNDLE."
        )
    if caused_by(http.ReadTimeout, ReadTimeoutError):
        return TransientPortalError(
            f"{where} did not answer in full within {timeout_seconds:g} s: try again later."
        )
    if caused_by(http.ChunkedEncodingError, http.ContentDecodingError):
        return PortalDataError(
            f"The answer of {where} broke off or is damaged, and nothing of it was kept: "
            "try again later."
        )
    if caused_by(NewConnectionError, http.ConnectTimeout, http.ProxyError):
        return TransientPortalError(
            f"{where} cannot be reached: "
            "check the network, PF_API_BASE_URL and HTTPS_PROXY, or try again later."
        )
    return TransientPortalError(
        f"{where} closed the connection before it answered: try again later."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and the errors inside it: requests and urllib3 wrap them several times."""
    yield error
    for inner in (*error.args, getattr(error, "reason", None)):
        if isinstance(inner, BaseException):
            yield from _causes(inner)


def host_of(url: str) -> str:
    """Host and port of an address, without the user and password that it may hold."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
