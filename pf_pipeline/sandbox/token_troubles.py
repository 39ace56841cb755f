"""Tokens that are refused although they look good (section 2 of the reference).

Belongs here: counting the uses of each token and of what befell each request, and refusing by
them. Which token gives trouble, and when, is decided in ``faults``.
"""

from dataclasses import dataclass

from pf_pipeline.sandbox.faults import (
    MOST_FAILURES_IN_A_ROW,
    FaultKind,
    is_refused_when_fresh,
    uses_until_expiry,
)
from pf_pipeline.sandbox.options import SandboxOptions


@dataclass(slots=True)
class History:
    """What befell a request so far.

    Attributes:
        attempts: How often it came.
        failures_in_a_row: How many of the last attempts failed.
        refused_with: The token with which the last attempt was refused, if it was.
    """

    attempts: int = 0
    failures_in_a_row: int = 0
    refused_with: str | None = None


@dataclass(slots=True)
class _Token:
    expires_after: int
    refused_when_fresh: bool
    uses: int = 0


class TokenTroubles:
    """Refuses good tokens, within bounds.

    A client that replaces a refused token is never refused twice in a row for one request, even if
    another thread or process shares its tokens and used the new one up meanwhile. An expired token
    that is presented again by the request that was refused with it stays refused.
    """

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._tokens: dict[str, _Token] = {}

    def refuse(self, token: str, history: History) -> FaultKind | None:
        """Count a use of a token, and say why it is refused, if it is.

        Args:
            token: A token that is good by its signature and its date.
            history: That of the request; remembers a refusal.
        """
        if token == self._options.api_token:
            # Who was given a ready token cannot mint another.
            return None
        kind = self._trouble(token)
        earlier, history.refused_with = history.refused_with, None
        if kind is None or (earlier is not None and earlier != token):
            return None
        most = MOST_FAILURES_IN_A_ROW[self._options.faults]
        if earlier is None and history.failures_in_a_row >= most:
            return None
        history.refused_with = token
        return kind

    def _trouble(self, token: str) -> FaultKind | None:
        known = self._tokens.get(token) or self._first_seen(token)
        known.uses += 1
        if known.refused_when_fresh and known.uses == 1:
            return FaultKind.TOKEN_REFUSED_WHEN_FRESH
        return FaultKind.TOKEN_EXPIRED_EARLY if known.uses > known.expires_after else None

    def _first_seen(self, token: str) -> _Token:
        serial = len(self._tokens) + 1
        level, seed = self._options.faults, self._options.seed
        self._tokens[token] = _Token(
            uses_until_expiry(level, seed, serial), is_refused_when_fresh(level, serial)
        )
        return self._tokens[token]
