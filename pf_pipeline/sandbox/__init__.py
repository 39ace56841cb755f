"""A local Property Finder: a faithful stand-in for the portal's leads API, in both dialects.

Belongs here: everything that stands in for the portal, so that the pipeline can be tried, tested
and measured without credentials. This room knows no other room of the pipeline.
"""

from pf_pipeline.sandbox.app import create_app
from pf_pipeline.sandbox.leads_of_day import leads_of_day
from pf_pipeline.sandbox.options import SandboxOptions
from pf_pipeline.sandbox.reference_data import is_sandbox_data
from pf_pipeline.sandbox.server import RunningSandbox, running_sandbox, serve
from pf_pipeline.sandbox.subscriptions import is_callback
from pf_pipeline.sandbox.webhooks import WebhookEvent, delivery_headers, sign, webhook_events

__all__ = [
    "RunningSandbox",
    "SandboxOptions",
    "WebhookEvent",
    "create_app",
    "delivery_headers",
    "is_callback",
    "is_sandbox_data",
    "leads_of_day",
    "running_sandbox",
    "serve",
    "sign",
    "webhook_events",
]
