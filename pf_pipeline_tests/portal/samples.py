"""Answers of the portal as the guide and the contract show them."""

from datetime import UTC, datetime

START = datetime(2025, 12, 19, tzinfo=UTC)
END = datetime(2025, 12, 20, tzinfo=UTC)

GUIDE_LEAD = {
    "id": "lead_987654",
    "name": "John Doe",
    "email": "johndoe@example.com",
    "phone": "+971501234567",
    "message": "I am interested in this apartment, please call me.",
    "channel": "whatsapp",
    "createdAt": "2025-12-19T10:30:00Z",
    "listing": {
        "id": 554433,
        "reference": "APT-DOWNTOWN-101",
        "title": "Luxury 2BR in Downtown",
    },
    "assignedTo": {"id": 1234, "name": "Agent Sarah"},
}

GUIDE_ANSWER = {
    "data": [GUIDE_LEAD],
    "pagination": {"total": 1, "count": 1, "perPage": 50, "currentPage": 1, "totalPages": 1},
}


def guide_page(number: int, of: int, count: int = 1) -> dict[str, object]:
    return {
        "data": [{"id": f"lead_{number}_{i}"} for i in range(count)],
        "pagination": {
            "total": of * count,
            "count": count,
            "perPage": max(1, count),
            "currentPage": number,
            "totalPages": of,
        },
    }


def atlas_page(number: int, of: int) -> dict[str, object]:
    return {
        "data": [{"id": f"call_lead_{number}"}],
        "pagination": {
            "page": number,
            "perPage": 1,
            "total": of,
            "totalPages": of,
            "nextPage": number + 1 if number < of else None,
            "prevPage": number - 1 or None,
        },
    }
