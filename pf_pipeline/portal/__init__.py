"""The Property Finder leads API over HTTP: tokens, rate limit, retries, pages, both dialects.

What the portal sends is handed on as it came; reading a lead belongs to the room ``leads``. This
room uses no other: settings are passed in.
"""

from pf_pipeline.portal.client import LeadsPage, PortalClient, connect
from pf_pipeline.portal.dialects import LEADS_PATH, PER_PAGE, Dialect
from pf_pipeline.portal.errors import (
    PermanentPortalError,
    PortalDataError,
    PortalError,
    PortalSettingsError,
    TransientPortalError,
)
from pf_pipeline.portal.pagination import Pagination
from pf_pipeline.portal.rate_limit import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, RequestBudget
from pf_pipeline.portal.tokens import MintedToken, StaticToken, TokenSource

__all__ = [
    "LEADS_PATH",
    "PER_PAGE",
    "REQUESTS_PER_MINUTE",
    "TOKENS_PER_MINUTE",
    "Dialect",
    "LeadsPage",
    "MintedToken",
    "Pagination",
    "PermanentPortalError",
    "PortalClient",
    "PortalDataError",
    "PortalError",
    "PortalSettingsError",
    "RequestBudget",
    "StaticToken",
    "TokenSource",
    "TransientPortalError",
    "connect",
]
