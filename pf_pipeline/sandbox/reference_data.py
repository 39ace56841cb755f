"""The CRM's own properties and agents, as rows and as the CSV files that ship with the project.

Belongs here: the columns of the two files and writing them. What is in them comes from ``people``
and ``listings``. After a change there, write the files again::

    python -m pf_pipeline.sandbox.reference_data data/reference
"""

import csv
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from pf_pipeline.sandbox.listings import LISTINGS
from pf_pipeline.sandbox.people import CRM_AGENTS

Row = dict[str, str]
"""One line of a CSV file, by column; an empty text is an unknown value."""


def property_rows() -> list[Row]:
    """The CRM's properties: what the portal advertises but the CRM deleted is not among them."""
    return [
        {
            "internal_ref": listing.reference,
            "agent_id": listing.owner.agent_id or "",
            "title": listing.title,
            "community": listing.community,
            "city": listing.city,
            "bedrooms": _text(listing.bedrooms),
            "price_aed": _text(listing.price_aed),
        }
        for listing in LISTINGS
        if listing.in_crm
    ]


def agent_rows() -> list[Row]:
    """The CRM's agents; the portal ids of an agent who was never linked are empty."""
    return [
        {
            "agent_id": agent.agent_id or "",
            "name": agent.name,
            "email": agent.email,
            "portal_user_id": _text(agent.portal_user_id) if agent.linked else "",
            "portal_profile_id": _text(agent.portal_profile_id) if agent.linked else "",
            "active": "true" if agent.active else "false",
        }
        for agent in CRM_AGENTS
    ]


def write_reference_data(folder: Path) -> None:
    """Write ``properties.csv`` and ``agents.csv`` (UTF-8, LF) into a folder, made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("properties.csv", property_rows()), ("agents.csv", agent_rows())):
        (folder / name).write_bytes(_csv(rows))


def is_sandbox_data(path: Path) -> bool:
    """Whether a file holds just what the sandbox's properties or agents are, whatever its name."""
    try:
        content = path.read_bytes()
    except OSError:
        return False  # who reads it says why it cannot be read
    return content in (_csv(property_rows()), _csv(agent_rows()))


def main(arguments: Sequence[str]) -> int:
    """Write the files into the folder that is the only argument; returns the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m pf_pipeline.sandbox.reference_data DIR\n")
        return 2
    write_reference_data(Path(arguments[0]))
    return 0


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _csv(rows: list[Row]) -> bytes:
    text = StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
