"""The webhook receiver: verifies, stores durably, acknowledges, and loads afterwards.

A delivery is answered with 202 once its commit is flushed, and only then. Everything else happens
after the answer, from the inbox.
"""

from pf_pipeline.receiver.app import WEBHOOK_PATH
from pf_pipeline.receiver.loading import LoadedBatch
from pf_pipeline.receiver.logs import write_logs
from pf_pipeline.receiver.server import ReceiverError, address_of, listening, secrets, serve

__all__ = [
    "WEBHOOK_PATH",
    "LoadedBatch",
    "ReceiverError",
    "address_of",
    "listening",
    "secrets",
    "serve",
    "write_logs",
]
