"""What can be chosen about a sandbox.

Belongs here: the options and their defaults. How they are obeyed is up to the other modules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from pf_pipeline.sandbox.dialects import Dialect

EARLIEST_DAY: Final = date(2025, 12, 1)
"""Where the sandbox's history begins, unless the options say otherwise."""


def utc_now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How a sandbox behaves.

    Attributes:
        seed: Which invented world; the same seed always gives the same leads.
        leads_per_day: Exactly how many leads each UTC day has.
        first_day: The first day with leads; ``None`` means ``EARLIEST_DAY``.
        last_day: The last day with leads; ``None`` means that new ones keep coming.
        dialect: Which shape answers have; ``None`` decides by each request's parameters.
        api_key: Accepted, with the secret, by the token endpoint.
        api_secret: The key's secret.
        api_token: A bearer token that never expires.
        latency_seconds: How long each request to the API waits before it is answered.
        requests_per_minute: Above this the API answers 429; ``None`` means no limit. With a limit
            tokens are limited too, to 60 a minute (contract, rate limits).
        history_days: An atlas ``createdAtFrom`` older than this is refused, as the real portal
            does after three months; ``None`` means never.
        public_url: Where recording and response links point, without a trailing slash, so that
            they outlive a sandbox on a passing port; ``None`` means to the host of each request.
        clock: Gives the present as an aware instant; nothing later is served.
    """

    seed: int = 1
    leads_per_day: int = 60
    first_day: date | None = None
    last_day: date | None = None
    dialect: Dialect | None = None
    api_key: str = "sandbox-key"
    api_secret: str = "sandbox-secret"  # noqa: S105 - published with the sandbox, opens nothing
    api_token: str = "sandbox-token"  # noqa: S105 - published with the sandbox, opens nothing
    latency_seconds: float = 0.0
    requests_per_minute: int | None = None
    history_days: int | None = None
    public_url: str | None = None
    clock: Callable[[], datetime] = utc_now
