"""The Property Finder leads API over HTTP: tokens, rate limit, retries, pages, both dialects.

What the portal sends is handed on as it came; reading a lead belongs to the room ``leads``. This
room uses no other: settings are passed in.
"""

from pf_pipeline.portal.client import Entries, PortalClient
from pf_pipeline.portal.connection import connect
from pf_pipeline.portal.dialects import HORIZON, LEADS_PATH, PER_PAGE, Dialect, clamped_start
from pf_pipeline.portal.errors import (
    PermanentPortalError,
    PortalDataError,
    PortalError,
    PortalSettingsError,
    StoppedError,
    TransientPortalError,
)
from pf_pipeline.portal.pages import LeadsPage
from pf_pipeline.portal.pagination import Pagination
from pf_pipeline.portal.rate_limit import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, RequestBudget
from pf_pipeline.portal.state import private_folder
from pf_pipeline.portal.token_cache import TokenCache
from pf_pipeline.portal.tokens import MintedToken, StaticToken, TokenSource
from pf_pipeline.portal.walk import KnownPage, LeadsWalk, WalkOutcome
from pf_pipeline.portal.webhooks import LEAD_EVENTS, Subscription, Subscriptions, same_address

__all__ = [
    "HORIZON",
    "LEADS_PATH",
    "LEAD_EVENTS",
    "PER_PAGE",
    "REQUESTS_PER_MINUTE",
    "TOKENS_PER_MINUTE",
    "Dialect",
    "Entries",
    "KnownPage",
    "LeadsPage",
    "LeadsWalk",
    "MintedToken",
    "Pagination",
    "PermanentPortalError",
    "PortalClient",
    "PortalDataError",
    "PortalError",
    "PortalSettingsError",
    "RequestBudget",
    "StaticToken",
    "StoppedError",
    "Subscription",
    "Subscriptions",
    "TokenCache",
    "TokenSource",
    "TransientPortalError",
    "WalkOutcome",
    "clamped_start",
    "connect",
    "private_folder",
    "same_address",
]
