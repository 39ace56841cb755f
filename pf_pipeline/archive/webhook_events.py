"""The raw archive of webhook deliveries: bodies exactly as received, in batches that add up.

``raw/webhook_events/date=YYYY-MM-DD/batch=<UTC stamp>-<digest>.jsonl.gz``, by the UTC day on which
a delivery arrived. A batch is one file, whole or not there: a line that says what it is, then a
line a delivery. Once a day is over, or has many batches, these are brought into one file,
``pack=...``, which names the batches that it holds. The same delivery may stand in two files; it is
read once.
"""

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock

from pf_pipeline.archive.days import GZIP_LEVEL, listed
from pf_pipeline.archive.files import (
    OWNER_ONLY_FILE,
    flush_folder,
    make_folder,
    write_atomically,
)
from pf_pipeline.archive.snapshots import STAMP
from pf_pipeline.leads.deliveries import Delivery

DAY_PREFIX, BATCH_PREFIX, PACK_PREFIX = "date=", "batch=", "pack="
SUFFIX = ".jsonl.gz"
FORMAT_VERSION = 1
DIGEST_LENGTH = 12
CROWDED_BATCHES = 72
"""A quarter of a day of polls, each of which archives what came since the one before."""


class RawWebhookEvents:
    """The raw archive of webhook deliveries under one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "raw" / "webhook_events"

    def add(self, day: date, deliveries: Sequence[Delivery]) -> str | None:
        """Keep deliveries of a day as one more batch.

        The same deliveries again make the same file again, so that who was interrupted before
        noting that they are archived may repeat it.

        Args:
            day: The UTC day on which they arrived.
            deliveries: In the order of their numbers.

        Returns:
            The batch's name; None without deliveries.
        """
        if not deliveries:
            return None
        lines = [_line(delivery) for delivery in deliveries]
        digest = hashlib.sha256(b"".join(lines)).hexdigest()[:DIGEST_LENGTH]
        name = f"{BATCH_PREFIX}{deliveries[0].received_at.astimezone(UTC):{STAMP}}-{digest}"
        with self._locked():
            self._write(day, name, [name], lines)
        return name

    def batches(self, day: date) -> frozenset[str]:
        """The names of the day's batches; packing does not change them.

        Raises:
            ValueError: A file is damaged; names it.
        """
        while True:
            with suppress(FileNotFoundError):  # packed meanwhile: look again
                return frozenset(
                    name for path in self._files(day) for name in self._batches_in(path)
                )

    def deliveries(self, day: date, batches: frozenset[str] | None = None) -> list[Delivery]:
        """The day's deliveries, each once, in the order in which they arrived.

        Args:
            day: The UTC day.
            batches: Only what stands in these; everything if None.

        Raises:
            ValueError: A file is damaged; names it.
        """
        found = self._found(day)
        return [delivery for delivery, batch in found if batches is None or batch in batches]

    def days(self) -> list[date]:
        """All days of which something is archived, in order."""
        names = [name for name in listed(self._root) if name.startswith(DAY_PREFIX)]
        days = [date.fromisoformat(name.removeprefix(DAY_PREFIX)) for name in names]
        return [day for day in days if self._files(day)]

    def is_crowded(self, day: date) -> bool:
        """Whether a day has so many files that it should be packed before it is over."""
        return len(self._files(day)) >= CROWDED_BATCHES

    def pack(self, day: date) -> int:
        """Bring the day's batches into one file, which is read back before any original goes.

        Returns:
            How many files became one; 0 if there was nothing to do.

        Raises:
            ValueError: A file is damaged: then nothing was removed.
        """
        with self._locked():
            files = self._files(day)
            if len(files) < 2:  # noqa: PLR2004 - one file is packed enough
                return 0
            batches = sorted(self.batches(day))
            lines = [_line(delivery, batch) for delivery, batch in self._found(day)]
            name = PACK_PREFIX + max(batches).removeprefix(BATCH_PREFIX)
            path = self._write(day, name, batches, lines)
            for file in files:
                if file != path:
                    file.unlink()
            flush_folder(path.parent)
        return len(files)

    def _write(self, day: date, name: str, batches: Sequence[str], lines: Sequence[bytes]) -> Path:
        path = self._folder(day) / f"{name}{SUFFIX}"
        make_folder(path.parent)
        header = {"version": FORMAT_VERSION, "deliveries": len(lines), "batches": list(batches)}
        content = _encoded(header) + b"".join(lines)

        def check(temporary: Path) -> None:
            if gzip.decompress(temporary.read_bytes()) != content:
                raise ValueError(f"The file {path} does not read back as it was written.")

        write_atomically(path, gzip.compress(content, GZIP_LEVEL, mtime=0), check=check)
        flush_folder(path.parent)
        return path

    def _found(self, day: date) -> list[tuple[Delivery, str]]:
        """The day's deliveries in order, each with the first batch in which it stands."""
        while True:
            with suppress(FileNotFoundError):  # packed meanwhile: look again
                found: dict[str, tuple[Delivery, str]] = {}
                for path in self._files(day):
                    for content in islice(self._lines(path), 1, None):
                        delivery = _delivery(content)
                        batch = content.get("batch", path.name.removesuffix(SUFFIX))
                        known = found.setdefault(delivery.delivery_id, (delivery, batch))
                        if batch < known[1]:
                            found[delivery.delivery_id] = delivery, batch
                return sorted(found.values(), key=lambda one: (one[0].received_at, one[0].number))

    def _batches_in(self, path: Path) -> list[str]:
        if path.name.startswith(BATCH_PREFIX):
            return [path.name.removesuffix(SUFFIX)]
        batches: list[str] = next(self._lines(path))["batches"]
        return batches

    def _lines(self, path: Path) -> Iterator[dict[str, Any]]:
        """The header, and then the deliveries."""
        try:
            first, *lines = gzip.decompress(path.read_bytes()).splitlines()
            header = json.loads(first)
            is_whole = header["version"] == FORMAT_VERSION and header["deliveries"] == len(lines)
            contents = [json.loads(line) for line in lines]
        except FileNotFoundError:
            raise
        except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError) as error:
            raise ValueError(f"The webhook archive {path} cannot be read: {error}.") from error
        if not is_whole:
            raise ValueError(
                f"The webhook archive {path} cannot be read: it is of another version, or lacks "
                "deliveries."
            )
        yield header
        yield from contents

    def _files(self, day: date) -> list[Path]:
        folder = self._folder(day)
        return [folder / name for name in listed(folder) if name.endswith(SUFFIX)]

    def _folder(self, day: date) -> Path:
        return self._root / f"{DAY_PREFIX}{day.isoformat()}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one may write or pack at a time; others wait."""
        make_folder(self._root)
        with FileLock(self._root / ".writing.lock", mode=OWNER_ONLY_FILE):
            yield


def _line(delivery: Delivery, batch: str | None = None) -> bytes:
    content: dict[str, Any] = {} if batch is None else {"batch": batch}
    content |= {
        "delivery_id": delivery.delivery_id,
        "number": delivery.number,
        "received_at": delivery.received_at.astimezone(UTC).isoformat(),
    }
    try:
        return _encoded(content | {"body": delivery.body.decode("utf-8")})
    except UnicodeError:
        return _encoded(content | {"body_base64": base64.b64encode(delivery.body).decode()})


def _encoded(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _delivery(content: dict[str, Any]) -> Delivery:
    text = content.get("body")
    return Delivery(
        content["number"],
        content["delivery_id"],
        datetime.fromisoformat(content["received_at"]).astimezone(UTC),
        base64.b64decode(content["body_base64"]) if text is None else text.encode("utf-8"),
    )
