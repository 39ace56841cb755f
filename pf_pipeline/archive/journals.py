"""The journal of a pass: what it asks for and what it has stored, so that it can be resumed.

``raw/passes/<UTC stamp>.jsonl``: a header, a line for each stored page, and, once the pass has seen
all it will see, its outcome. A page counts as stored once its line stands. Lines are not flushed
one by one: one that a power cut took only means that the page is asked for again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from io import FileIO
from pathlib import Path
from typing import Any

from pf_pipeline.archive.files import flush_folder, open_for_owner, write_all, write_atomically
from pf_pipeline.archive.manifests import AskedFor, StoredPage, encode, read_instant
from pf_pipeline.archive.windows import Window


@dataclass(frozen=True)
class Question:
    """What a pass asks the portal for.

    Attributes:
        days: The UTC days that the pass serves; records of other days are not stored.
        window: Leads created in these bounds; the upper one is pinned when the pass begins.
        base_url: The portal.
        dialect: The query parameters used.
        asked_for: Every lead of the window, or single leads by id.
    """

    days: tuple[date, ...]
    window: Window
    base_url: str
    dialect: str
    asked_for: AskedFor

    def is_about_the_same(self, other: "Question") -> bool:
        """Whether both ask the same portal for the same days in the same way."""
        mine = (self.days, self.base_url, self.dialect, self.asked_for)
        return mine == (other.days, other.base_url, other.dialect, other.asked_for)

    def is_the_same(self, other: "Question") -> bool:
        """Whether one can go on where the other was interrupted; the pinned ends may differ."""
        return self.is_about_the_same(other) and self.window.start == other.window.start


@dataclass(frozen=True)
class JournaledPage:
    """A page that was stored.

    Attributes:
        total: How many leads the portal said there are in the pass.
        by_day: The page under each of its days; at least one.
    """

    total: int | None
    by_day: Mapping[date, StoredPage]

    @property
    def stored(self) -> StoredPage:
        """The page under one of its days; but for the file it is the same under all."""
        return next(iter(self.by_day.values()))


@dataclass(frozen=True)
class Outcome:
    """How a pass ended; the attributes are those of a manifest."""

    complete: bool
    distinct: int | None
    portal_total: int | None
    rounds: int
    pages_read: int
    finished_at: datetime


@dataclass
class Journal:
    """The journal of one pass. Only who holds the pass's lock may change it.

    Attributes:
        path: Its file.
        question: What the pass asks for.
        started_at: When it began, UTC.
        pages: What it stored.
        outcome: How it ended; None while it has not. Manifests may be missing all the same.
    """

    path: Path
    question: Question
    started_at: datetime
    pages: list[JournaledPage] = field(default_factory=list)
    outcome: Outcome | None = None
    _file: FileIO | None = field(default=None, repr=False)

    @property
    def sweep(self) -> str:
        """The name of the pass's folder under each of its days."""
        return f"sweep={self.path.stem}"

    @classmethod
    def read(cls, path: Path) -> "Journal | None":
        """Read what can be read of a journal; None where there is none, or none that is whole.

        Lines that are torn or damaged count as not written.
        """
        try:
            header, *lines = path.read_bytes().split(b"\n")
            journal = _journal_of(path, json.loads(header))
        except (OSError, ValueError, LookupError, TypeError):
            return None
        for line in lines:
            _read_line(journal, line)
        return journal

    def write(self) -> None:
        """Write the journal anew: at the beginning, and without torn lines before it goes on."""
        lines = [_header_line(self), *map(_page_line, self.pages)]
        if self.outcome is not None:
            lines.append(_outcome_line(self.outcome))
        write_atomically(self.path, b"".join(lines))
        flush_folder(self.path.parent)

    def add(self, page: JournaledPage) -> None:
        """Note that a page has been stored."""
        self.pages.append(page)
        self._append(_page_line(page))

    def end(self, outcome: Outcome) -> None:
        """Note how the pass ended: from now on anybody may write its manifests."""
        self.outcome = outcome
        self._append(_outcome_line(outcome))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Remove the journal: its pass needs none any more."""
        self.close()
        self.path.unlink(missing_ok=True)
        flush_folder(self.path.parent)

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._file = open_for_owner(self.path, "ab")
        write_all(self._file, line)


def _read_line(journal: Journal, line: bytes) -> None:
    try:
        content = json.loads(line)
        if "outcome" in content:
            journal.outcome = _outcome_of(content["outcome"])
        else:
            journal.pages.append(_page_of(content))
    except (ValueError, LookupError, TypeError, AttributeError):
        return


def _line(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), default=encode).encode() + b"\n"


def _header_line(journal: Journal) -> bytes:
    question = journal.question
    return _line(
        {
            "days": question.days,
            "start": question.window.start,
            "end": question.window.end,
            "base_url": question.base_url,
            "dialect": question.dialect,
            "asked_for": question.asked_for,
            "started_at": journal.started_at,
        }
    )


def _journal_of(path: Path, header: dict[str, Any]) -> Journal:
    question = Question(
        days=tuple(date.fromisoformat(day) for day in header["days"]),
        window=Window(read_instant(header["start"]), read_instant(header["end"])),
        base_url=header["base_url"],
        dialect=header["dialect"],
        asked_for=header["asked_for"],
    )
    return Journal(path, question, read_instant(header["started_at"]))


def _page_line(page: JournaledPage) -> bytes:
    stored = page.stored
    return _line(
        {
            "number": stored.number,
            "sha256": stored.sha256,
            "size": stored.size,
            "requested_at": stored.requested_at,
            "total": page.total,
            "days": {
                day.isoformat(): {"file": of_day.file, "records": of_day.records_of_day}
                for day, of_day in page.by_day.items()
            },
        }
    )


def _page_of(content: dict[str, Any]) -> JournaledPage:
    requested_at = read_instant(content["requested_at"])
    by_day = {
        date.fromisoformat(day): StoredPage(
            number=content["number"],
            file=of_day["file"],
            sha256=content["sha256"],
            size=content["size"],
            records_of_day=of_day["records"],
            requested_at=requested_at,
        )
        for day, of_day in content["days"].items()
    }
    if not by_day:
        raise ValueError("a stored page stands under a day")
    return JournaledPage(content["total"], by_day)


def _outcome_line(outcome: Outcome) -> bytes:
    return _line({"outcome": asdict(outcome)})


def _outcome_of(content: dict[str, Any]) -> Outcome:
    return Outcome(**content | {"finished_at": read_instant(content["finished_at"])})
