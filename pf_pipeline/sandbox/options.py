"""What can be chosen about a sandbox.

Belongs here: the options and their defaults. How they are obeyed is up to the other modules.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final, Literal

from pf_pipeline.sandbox.dialects import Dialect
from pf_pipeline.sandbox.faults import FaultLevel

EARLIEST_DAY: Final = date(2025, 12, 1)
"""Where the sandbox's history begins, unless the options say otherwise."""


Order = Literal["newest", "oldest"]
"""Which leads the first page holds."""


WebhookForm = Literal["atlas", "guide"]
"""How webhook bodies look: the contract's envelope, or the guide's sample lead."""


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
        history_days: How long leads are kept, as the real portal keeps them for three months:
            older ones are not served, and an older atlas ``createdAtFrom`` is refused. ``None``
            means for ever.
        leads_scope: Whether the key has the scope ``leads:read``; without it leads answer 403.
        order: Which leads come first; the portal's own order is not documented.
        late_share: The share of leads that surface only up to 170 minutes after their creation.
        leads_change: Whether leads change after their creation: statuses move over hours to their
            last one, some messages are handed over to their agent, and recordings appear after
            minutes to 2 days.
        live_per_minute: How many more leads each minute brings while the sandbox runs, whatever
            ``last_day`` says.
        faults: What goes wrong; decided by the seed for each attempt of a request.
        drip_seconds: How long an answer takes that a fault lets trickle.
        public_url: Where recording and response links point, without a trailing slash, so that
            they outlive a sandbox on a passing port; ``None`` means to the host of each request.
        webhook_form: How webhook bodies look.
        webhook_url: Subscribed to all events of leads from the beginning; on this machine.
        webhook_secret: Signs what is posted there; ``None`` means that it is not signed.
        webhook_timeout_seconds: How long a receiver may take to answer (contract, webhooks).
        webhook_retry_seconds: How long a delivery that failed waits at most before it is attempted
            again; twice as long after each further failure.
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
    leads_scope: bool = True
    order: Order = "newest"
    late_share: float = 0.0
    leads_change: bool = False
    live_per_minute: int = 0
    faults: FaultLevel = "none"
    drip_seconds: float = 0.2
    public_url: str | None = None
    webhook_form: WebhookForm = "atlas"
    webhook_url: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    webhook_timeout_seconds: float = 5.0
    webhook_retry_seconds: float = 1.0
    clock: Callable[[], datetime] = utc_now
