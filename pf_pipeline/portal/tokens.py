"""Where the bearer token comes from: given as it is, or minted from an API key.

Asking for leads again after a refused token belongs to ``client``.
"""

import math
import re
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from pf_pipeline.portal.answers import read_json, refuse_failure
from pf_pipeline.portal.errors import (
    PermanentPortalError,
    PortalDataError,
    PortalSettingsError,
)
from pf_pipeline.portal.rate_limit import RequestBudget
from pf_pipeline.portal.token_cache import TokenCache
from pf_pipeline.portal.transport import Answer, Transport

TOKEN_PATH = "/v1/auth/token"  # noqa: S105
"""Where a key and its secret are exchanged for a token (contract: authentication)."""

_LONGEST_LIFE = 1800.0  # the contract's 30 minutes, whatever an answer promises
_USED_SHARE = 0.9  # of a token's life; the rest covers requests under way
_FRESH_SECONDS = 60.0
_SENDABLE = re.compile(r"[\x21-\x7e]+")


class TokenSource(Protocol):
    """Gives the token that requests are sent with."""

    @property
    def settings(self) -> str:
        """The settings that the token comes from, for messages."""

    def bearer(self) -> str:
        """A token that is believed to be valid.

        Raises:
            PortalError: There is none; which class says what to do next.
        """

    def is_fresh(self, token: str) -> bool:
        """Whether this token is so new that it cannot have expired, or cannot be replaced."""

    def refused(self, token: str) -> None:
        """The portal answered 401 to this token: never give it again, if there can be another."""

    def close(self) -> None:
        """Give back connections and files."""


class StaticToken:
    """A ready token from the settings, which nothing here can renew."""

    settings = "PF_API_TOKEN"

    def __init__(self, token: str) -> None:
        """Keep the token.

        Raises:
            PortalSettingsError: No HTTP header can carry it.
        """
        self._token = token.strip()
        if not _SENDABLE.fullmatch(self._token):
            raise PortalSettingsError(
                "The setting PF_API_TOKEN is not a token (it is empty or holds spaces, line "
                "breaks or letters outside ASCII): copy it again."
            )

    def bearer(self) -> str:
        """The token."""
        return self._token

    def is_fresh(self, token: str) -> bool:  # noqa: ARG002
        """Nothing can replace it."""
        return True

    def refused(self, token: str) -> None:
        """Keep the token: the caller sees that it is still the refused one, and stops."""

    def close(self) -> None:
        """Nothing is held."""


class MintedToken:
    """A token asked for with key and secret, renewed before it expires; threads may share it.

    The portal gives a token for 30 minutes and no way to refresh it (contract: authentication).
    """

    settings = "PF_API_KEY and PF_API_SECRET"

    def __init__(
        self,
        base_url: str,
        key: str,
        secret: str,
        *,
        budget: RequestBudget | None = None,
        cache: TokenCache | None = None,
        timeout_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the key; the first token is minted when it is needed.

        Args:
            base_url: The portal, without a path.
            key: The API key.
            secret: Its secret.
            budget: The budget of the token endpoint; None does not limit.
            cache: Where processes share one token; None keeps it to this one.
            timeout_seconds: How long the answer may take.
            clock: Seconds that never go back, such as time.monotonic.
        """
        self._transport = Transport(base_url, timeout_seconds=timeout_seconds, budget=budget)
        self._credentials = {"apiKey": key, "apiSecret": secret}
        self._cache = cache
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._asked_at = self._renew_at = -math.inf

    def bearer(self) -> str:
        """The current token, or a new one when there is none or its life is nearly over.

        One request, without retries: the caller repeats its whole operation.

        Raises:
            TransientPortalError: The token endpoint does not work now.
            PermanentPortalError: The key or the secret is wrong.
            PortalDataError: The answer holds no token.
        """
        with self._lock:
            token = self._token
            if token is None or self._clock() >= self._renew_at:
                token = self._mint() if self._cache is None else self._share(self._cache)
            return token

    def is_fresh(self, token: str) -> bool:
        """Whether it was asked for within the last minute, by whatever process."""
        with self._lock:
            return self._token == token and self._clock() - self._asked_at < _FRESH_SECONDS

    def refused(self, token: str) -> None:
        """Drop this token, unless another thread or process has replaced it already."""
        with self._lock:
            if self._token == token:
                self._token = None
                if self._cache is not None:
                    self._cache.drop(token)

    def close(self) -> None:
        """Close the connection to the token endpoint and its budget."""
        self._transport.close()

    def _share(self, cache: TokenCache) -> str:
        """The token of another process, or a new one for all."""
        with cache.held():
            cached = cache.read()
            if cached is not None and _SENDABLE.fullmatch(cached.token):
                usable = min(cached.lifetime, _LONGEST_LIFE * _USED_SHARE)
                if cached.age < usable:
                    return self._keep(cached.token, self._clock() - cached.age, usable)
            token = self._mint()
            age = self._clock() - self._asked_at
            cache.write(token, age=age, lifetime=self._renew_at - self._asked_at)
            return token

    def _mint(self) -> str:
        self._token = None
        asked_at = self._clock()
        answer = self._transport.post(TOKEN_PATH, self._credentials)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise PermanentPortalError(
                f"{answer.where} refused the API key (HTTP 401): "
                f"it is wrong, expired or revoked, so check {self.settings}."
            )
        refuse_failure(answer, secrets=tuple(self._credentials.values()))
        token, lifetime = _read_token(answer)
        # min() comes second, so that NaN, which compares with nothing, ends as the contract's life.
        return self._keep(token, asked_at, max(0.0, min(_LONGEST_LIFE, lifetime)) * _USED_SHARE)

    def _keep(self, token: str, asked_at: float, usable_seconds: float) -> str:
        self._token = token
        self._asked_at, self._renew_at = asked_at, asked_at + usable_seconds
        return token


def _read_token(answer: Answer) -> tuple[str, float]:
    """The token of an answer and the seconds that it lives, as promised."""
    payload = read_json(answer)
    fields = payload if isinstance(payload, dict) else {}
    token, lifetime = fields.get("accessToken"), fields.get("expiresIn")
    if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
        raise PortalDataError(
            f"{answer.where} sent no usable token under 'accessToken': try again later."
        )
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)):
        lifetime = _LONGEST_LIFE
    return token, lifetime
