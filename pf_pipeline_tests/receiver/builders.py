"""Deliveries like the portal's, signed."""

import hmac
import json
from datetime import UTC, datetime, timedelta

SECRET = "a-secret-of-32-characters-or-so!"
EARLIER_SECRET = "the-secret-before-it"
START = datetime(2026, 1, 1, tzinfo=UTC)


def envelope(number: int, *, lead: str | None = None, kind: str = "lead.created") -> bytes:
    """An atlas event, each number another one, of a lead of its own unless told otherwise."""
    instant = START + timedelta(seconds=number)
    return json.dumps(
        {
            "id": f"evt-{number}",
            "type": kind,
            "timestamp": instant.isoformat().replace("+00:00", "Z"),
            "entity": {"id": lead or f"lead-{number}", "type": "lead"},
            "payload": {
                "channel": "whatsapp",
                "status": "sent",
                "sender": {"name": "A", "contacts": [{"type": "phone", "value": "+971501234567"}]},
            },
        }
    ).encode()


def guide_lead(number: int) -> dict[str, object]:
    """A lead in the guide's form."""
    return {
        "id": f"guide-{number}",
        "name": "A",
        "phone": "+971501234567",
        "channel": "call",
        "createdAt": START.isoformat().replace("+00:00", "Z"),
    }


def sign(body: bytes, secret: str = SECRET) -> str:
    """The signature that the portal would send."""
    return hmac.digest(secret.encode(), body, "sha256").hex()
