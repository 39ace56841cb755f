"""The manifest of a sweep: what was read, when, and where its pages are stored.

A sweep exists for readers once its manifest stands; pages without one are leftovers of a sweep
that did not end.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pf_pipeline.archive.windows import Window

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1

AskedFor = Literal["window", "ids"]
"""What a pass asked for: every lead of a window, or single leads by id."""


@dataclass(frozen=True)
class StoredPage:
    """One page of a sweep.

    Attributes:
        number: The page number that was asked for.
        file: The page's file, relative to the day's folder. A page that was byte for byte the
            same in an earlier sweep of the day stands in that sweep's folder, once. The name
            stays when the day is packed.
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
        asked_for: Every lead of the window, or single leads by id: then no window is covered.
        complete: Whether the pass saw all that the portal has of what was asked for.
        rounds: How often the pass walked through the pages.
        pages_read: Pages read in the pass, whether they held leads of the day or not.
        distinct: Distinct records that the pass saw; missing where nobody counted.
        portal_total: How many leads the portal said there are in the pass; missing if it did not.
        pages: The pages that hold records of the day.
    """

    day: date
    start: datetime
    end: datetime
    base_url: str
    dialect: str
    finished_at: datetime
    asked_for: AskedFor
    complete: bool
    rounds: int
    pages_read: int
    distinct: int | None
    portal_total: int | None
    pages: tuple[StoredPage, ...]

    @property
    def records_of_day(self) -> int:
        """Records of the day that this sweep received."""
        return sum(page.records_of_day for page in self.pages)

    def to_bytes(self) -> bytes:
        """The manifest as the bytes of its file."""
        content = {"version": FORMAT_VERSION, **asdict(self)}
        # Compact, because a polled day has hundreds.
        return json.dumps(content, separators=(",", ":"), default=encode).encode()

    @property
    def covers(self) -> Window | None:
        """The window of which every lead was seen; none if the sweep is not such a one."""
        is_covered = self.complete and self.asked_for == "window"
        return Window(self.start, self.end) if is_covered else None

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read a manifest's file.

        Raises:
            FileNotFoundError: There is none.
            ValueError: The file is no manifest of this version; names it.
        """
        return cls.from_bytes(path.read_bytes(), path)

    @classmethod
    def from_bytes(cls, text: bytes, path: Path) -> "Manifest":
        """Read a manifest, wherever it was found.

        Args:
            text: Its bytes.
            path: Where it was found, for the error.

        Raises:
            ValueError: It is no manifest of this version; names the path.
        """
        try:
            content: dict[str, Any] = json.loads(text)
            if content.pop("version") == FORMAT_VERSION:
                return cls._of(content)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no manifest: {error}.") from error
        raise ValueError(f"{path} is no manifest of version {FORMAT_VERSION}.")

    @classmethod
    def _of(cls, content: dict[str, Any]) -> "Manifest":
        pages = tuple(
            StoredPage(**page | {"requested_at": read_instant(page["requested_at"])})
            for page in content.pop("pages")
        )
        if content["asked_for"] not in get_args(AskedFor):
            raise ValueError("it does not say what was asked for")
        instants = {name: read_instant(content[name]) for name in ("start", "end", "finished_at")}
        return cls(**content | instants | {"day": date.fromisoformat(content["day"])}, pages=pages)


def encode(value: object) -> str:
    """Instants (in UTC) and days as JSON texts.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in the archive.")


def read_instant(text: str) -> datetime:
    """An instant that :func:`encode` wrote, UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
