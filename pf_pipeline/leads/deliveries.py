"""Webhook deliveries: what tells one from another."""

import hashlib

from pf_pipeline.leads.json_texts import as_text, read_json

LONGEST_EVENT_ID = 200
"""Longer than any id that names an event; beyond it, only the body's digest is used."""


def delivery_id(body: bytes) -> str:
    """Name a delivery by its content: equal bodies, and no others, have the same name.

    The portal signs no instant, so a delivery that comes again is known by this alone (contract,
    webhooks). The digest stands beside the event's id: a body that differs is never taken for one
    that is stored already, whatever id it carries.

    Returns:
        ``<event id>:<SHA-256>``, or the digest alone of a body that is no envelope.
    """
    digest = hashlib.sha256(body).hexdigest()
    event_id = _event_id(body)
    return digest if event_id is None else f"{event_id}:{digest}"


def _event_id(body: bytes) -> str | None:
    """The envelope's own id; the ``id`` of a guide's lead is the lead's."""
    try:
        value = read_json(body)
    except ValueError:
        return None
    if not isinstance(value, dict) or not ("entity" in value or "payload" in value):
        return None
    event_id = as_text(value.get("id"))
    return event_id if event_id is None or len(event_id) <= LONGEST_EVENT_ID else None
