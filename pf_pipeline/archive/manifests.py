"""The manifest of a sweep: what was read, when, and where its pages are stored.

A sweep exists for readers once its manifest stands; pages without one are leftovers of a sweep
that did not end.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class StoredPage:
    """One page of a sweep.

    Attributes:
        number: The page number that was asked for.
        file: The page's file, relative to the day's folder. A page that was byte for byte the
            same in an earlier sweep of the day stands in that sweep's folder, once.
        sha256: Digest of the page as received, in hex.
        size: Bytes as received.
        records_of_day: Records on the page that belong to the day.
        requested_at: When the page was asked for, UTC: its contents are at least this fresh.
    """

    number: int
    file: str
    sha256: str
    size: int
    records_of_day: int
    requested_at: datetime


@dataclass(frozen=True)
class Manifest:
    """One pass over one day.

    Attributes:
        day: The UTC day.
        start: Leads created from here on were asked for.
        end: Leads created before here were asked for; pinned when the sweep began.
        base_url: The portal.
        dialect: The query parameters used.
        finished_at: When the last page had been stored, UTC.
        pages_read: Pages read in the pass, whether they held leads of the day or not.
        portal_total: How many leads the portal said there are in the pass; missing if it did not.
        pages: The pages that hold records of the day.
    """

    day: date
    start: datetime
    end: datetime
    base_url: str
    dialect: str
    finished_at: datetime
    pages_read: int
    portal_total: int | None
    pages: tuple[StoredPage, ...]

    @property
    def records_of_day(self) -> int:
        """Records of the day that this sweep received."""
        return sum(page.records_of_day for page in self.pages)

    def to_bytes(self) -> bytes:
        """The manifest as the bytes of its file."""
        content = {"version": FORMAT_VERSION, **asdict(self)}
        return json.dumps(content, indent=1, default=_encode).encode()

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read a manifest's file.

        Raises:
            ValueError: The file is no manifest of this version; names it.
        """
        try:
            content: dict[str, Any] = json.loads(path.read_bytes())
            if content.pop("version") == FORMAT_VERSION:
                return cls._of(content)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no manifest: {error}.") from error
        raise ValueError(f"{path} is no manifest of version {FORMAT_VERSION}.")

    @classmethod
    def _of(cls, content: dict[str, Any]) -> "Manifest":
        pages = tuple(
            StoredPage(**page | {"requested_at": _instant(page["requested_at"])})
            for page in content.pop("pages")
        )
        instants = {name: _instant(content[name]) for name in ("start", "end", "finished_at")}
        return cls(**content | instants | {"day": date.fromisoformat(content["day"])}, pages=pages)


def _encode(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a manifest.")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
