"""Who may ask, and how often: bearer tokens and rate limits (section 2 of the reference).

Belongs here: minting and checking tokens, and counting requests within a minute.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from time import monotonic
from typing import Final

from pf_pipeline.sandbox.options import SandboxOptions

TOKEN_LIFETIME: Final = timedelta(minutes=30)
"""How long a minted token is good for (contract, ``expiresIn`` 1800)."""

_WINDOW_SECONDS: Final = 60.0
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}


class Tokens:
    """Mints and checks bearer tokens: JSON Web Tokens, as the contract says."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._serial = count(1)

    def mint(self, now: datetime) -> str:
        """A new token, good from now on for ``TOKEN_LIFETIME``."""
        claims = {
            "sub": self._options.api_key,
            "exp": (now + TOKEN_LIFETIME).timestamp(),
            "jti": next(self._serial),
        }
        unsigned = f"{_encoded(_HEADER)}.{_encoded(claims)}"
        return f"{unsigned}.{self._signature(unsigned)}"

    def accepts(self, authorization: str | None, now: datetime) -> bool:
        """Whether an ``Authorization`` header carries a token that is good at an instant."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        if hmac.compare_digest(token.encode(), self._options.api_token.encode()):
            return True
        unsigned, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(unsigned).encode()):
            return False
        claims = json.loads(urlsafe_b64decode(unsigned.partition(".")[2] + "=="))
        return bool(now.timestamp() < claims["exp"])

    def _signature(self, unsigned: str) -> str:
        secret = self._options.api_secret.encode()
        digest = hmac.new(secret, unsigned.encode(), sha256).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _encoded(part: Mapping[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


class SlidingWindow:
    """Admits a number of requests within any 60 seconds."""

    def __init__(self, limit: int, seconds: Callable[[], float] = monotonic) -> None:
        """Count against a limit.

        Args:
            limit: How many requests are admitted within any 60 seconds.
            seconds: A clock that never goes back, in seconds.
        """
        self._limit = limit
        self._seconds = seconds
        self._admitted: deque[float] = deque()

    def admits(self) -> bool:
        """Whether one more request fits now; counts it if so."""
        now = self._seconds()
        while self._admitted and now - self._admitted[0] >= _WINDOW_SECONDS:
            self._admitted.popleft()
        if len(self._admitted) >= self._limit:
            return False
        self._admitted.append(now)
        return True
