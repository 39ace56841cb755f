"""From the settings' values to a client that works."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pf_pipeline.portal.client import PortalClient
from pf_pipeline.portal.dialects import Dialect
from pf_pipeline.portal.errors import PortalSettingsError
from pf_pipeline.portal.rate_limit import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, RequestBudget
from pf_pipeline.portal.state import private_folder
from pf_pipeline.portal.token_cache import TokenCache
from pf_pipeline.portal.tokens import MintedToken, StaticToken, TokenSource
from pf_pipeline.portal.transport import host_of, utc_now


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
    parallel: int = 8,
    clock: Callable[[], datetime] = utc_now,
) -> PortalClient:
    """A client with what the settings give; a ready token wins over key and secret.

    Args:
        base_url: The portal, without a path.
        key: The API key, exchanged with its secret for a token.
        secret: The API key's secret.
        token: A ready bearer token instead.
        dialect: Which query parameters are sent.
        state_dir: The folder of the request budgets and the token, the same for every process of
            the machine; only this user may look into it.
        requests_per_minute: The budget for everything but tokens.
        timeout_seconds: How long one answer may take.
        attempts: How often a request is tried in all.
        parallel: How many pages of a walk are fetched at the same time.
        clock: The time, aware UTC.

    Raises:
        PortalSettingsError: There are no credentials.
        PermanentPortalError: ``state_dir`` cannot be used.
    """
    if not token and not (key and secret):
        raise PortalSettingsError(
            f"There are no credentials for {host_of(base_url)}: "
            "set PF_API_TOKEN, or PF_API_KEY and PF_API_SECRET."
        )

    private_folder(state_dir)

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
            cache=TokenCache(state_dir, base_url, key or "", secret or ""),
            timeout_seconds=timeout_seconds,
        )
    return PortalClient(
        base_url,
        token_source,
        dialect=dialect,
        budget=budget("requests", requests_per_minute),
        timeout_seconds=timeout_seconds,
        attempts=attempts,
        parallel=parallel,
        clock=clock,
    )
