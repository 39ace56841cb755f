"""Values that no documentation mentions: the portal may add a status or a channel any day.

Belongs here: the unknown values, how rare they are, and putting them into a lead.
"""

from dataclasses import replace
from random import Random
from typing import Any, Final

from pf_pipeline.sandbox.lead import SandboxLead

_SHARE: Final = 1 / 300
_MESSAGE_SHARE: Final = 1 / 160
"""Every other lead is a message, and only those have a channel that may be another."""


def with_novelties(rng: Random, lead: SandboxLead) -> SandboxLead:
    """A lead as it was or, about once in 300 each, with an unknown status, channel and so on."""
    channel, status, entity_type, contact = (rng.random() for _ in range(4))
    changes: dict[str, Any] = {}
    if lead.call is None and channel < _MESSAGE_SHARE:
        changes["channel"] = "telegram"
    if lead.call is None and status < _MESSAGE_SHARE:
        changes["status"] = "archived"
    if entity_type < _SHARE:
        changes["entity_type"] = "community"
    if contact < _SHARE:
        changes["unknown_contact"] = ("botim", f"seeker-{lead.lead_id.rpartition('_')[2]}")
    return replace(lead, **changes) if changes else lead
