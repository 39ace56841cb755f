"""The folder of one day: its sweeps, loose or packed, read alike.

Sweeps may be finished, packed and unpacked while somebody reads: what is missing where it was is
looked for once more.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from functools import lru_cache
from pathlib import Path

from pf_pipeline.archive.files import flush_folder, make_folder, write_atomically
from pf_pipeline.archive.manifests import MANIFEST_NAME, Manifest
from pf_pipeline.archive.packs import (
    PACK_PREFIX,
    PACK_SUFFIX,
    Page,
    packed_manifests,
    packed_pages,
)

SWEEP_PREFIX = "sweep="
GZIP_LEVEL = 6


class DayFolder:
    """One day of the raw archive.

    Args:
        path: Its folder, which need not stand.
        day: The UTC day.
    """

    def __init__(self, path: Path, day: date) -> None:
        self.path = path
        self.day = day

    # ---- reading

    def manifests(self) -> dict[str, Manifest]:
        """The finished sweeps by folder name, oldest first.

        Raises:
            ValueError: A manifest or a pack is damaged; names the file.
        """
        while True:
            before = self._state()
            with suppress(FileNotFoundError):
                found = self._packed_manifests(self.packs())
                for sweep in self._names(SWEEP_PREFIX):
                    if sweep not in found:
                        with suppress(FileNotFoundError):
                            found[sweep] = Manifest.read(self.manifest_path(sweep))
                if self._state() == before:
                    return dict(sorted(found.items()))

    def sweeps(self) -> frozenset[str]:
        """The names of the finished sweeps, which is much cheaper than :meth:`manifests`.

        Raises:
            ValueError: A pack is damaged; names the file.
        """
        while True:
            before = self._state()
            with suppress(FileNotFoundError):
                packed = [
                    _packed_sweeps(self.path / name, inode, changed)
                    for name, inode, changed in before
                ]
                found = frozenset(self.loose_sweeps()).union(*packed)
                if self._state() == before:
                    return found

    def bodies(self, digests: Mapping[str, str]) -> Iterator[Page]:
        """Pages as received, in any order.

        Args:
            digests: The SHA-256 of each page by its file, as manifests name it.

        Raises:
            ValueError: A page cannot be read, or is not what was received; names the file.
        """
        missing = dict(digests)
        while missing:
            before = self._state()
            for file, sha256 in list(missing.items()):
                with suppress(FileNotFoundError):
                    body = self.loose_body(file, sha256)
                    del missing[file]
                    yield file, body
            with suppress(FileNotFoundError):
                yield from self._take_packed(missing)
            if missing and self._state() == before:
                path = self.path / next(iter(missing))
                raise ValueError(f"The stored page {path} cannot be read: it is missing.")

    def readable(self, digests: Mapping[str, str]) -> dict[str, bytes]:
        """Those pages that can be read and are what was received; the others are left out.

        Args:
            digests: The SHA-256 of each page by its file.
        """
        found: dict[str, bytes] = {}
        for file, sha256 in digests.items():
            with suppress(FileNotFoundError, ValueError):
                found[file] = self.loose_body(file, sha256)
        missing = {file: digests[file] for file in digests.keys() - found.keys()}
        with suppress(FileNotFoundError, ValueError):
            found.update(self._take_packed(missing))
        return found

    def loose_sweeps(self) -> list[str]:
        """Sweeps with a manifest that stand as files of their own, oldest first."""
        return [sweep for sweep in self._names(SWEEP_PREFIX) if self.manifest_path(sweep).is_file()]

    def loose_manifest(self, sweep: str) -> Manifest | None:
        """A loose sweep's manifest; None if there is none that can be read."""
        try:
            return Manifest.read(self.manifest_path(sweep))
        except (OSError, ValueError):
            return None

    def is_empty(self) -> bool:
        """Whether there is neither a sweep nor a pack."""
        return not (self._names(SWEEP_PREFIX) or self._names(PACK_PREFIX))

    # ---- writing; who calls must hold the lock of the pass, or of packing

    def store_page(self, file: str, body: bytes) -> None:
        """Store a page under a name; its folder is flushed only by :meth:`store_manifest`."""
        path = self.path / file
        make_folder(path.parent)
        write_atomically(path, gzip.compress(body, GZIP_LEVEL, mtime=0))

    def store_manifest(self, sweep: str, manifest: bytes) -> None:
        """Make a sweep count, once all its pages stand."""
        folder = self.path / sweep
        make_folder(folder)
        flush_folder(folder)
        write_atomically(folder / MANIFEST_NAME, manifest)
        flush_folder(folder)
        flush_folder(self.path)

    def clear(self, sweep: str, *, keep: Iterable[str] = ()) -> None:
        """Remove files of a sweep that nobody names, and then its folder if it is empty."""
        kept = {*keep, f"{sweep}/{MANIFEST_NAME}"}
        for name in listed(self.path / sweep):
            if f"{sweep}/{name}" not in kept:
                (self.path / sweep / name).unlink(missing_ok=True)
        for folder in (self.path / sweep, self.path):
            with suppress(OSError):
                folder.rmdir()

    # ---- what packing needs as well

    def packs(self) -> list[Path]:
        """The day's packs: one, but for moments, or none."""
        return [self.path / name for name in self._names(PACK_PREFIX) if name.endswith(PACK_SUFFIX)]

    def manifest_path(self, sweep: str) -> Path:
        """Where a loose sweep's manifest stands."""
        return self.path / sweep / MANIFEST_NAME

    def loose_body(self, file: str, sha256: str) -> bytes:
        """A loose page as received.

        Raises:
            FileNotFoundError: It is not loose, or no more.
            ValueError: It is damaged; names the file.
        """
        path = self.path / file
        try:
            body = gzip.decompress(path.read_bytes())
        except FileNotFoundError:
            raise
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"The stored page {path} cannot be read: {error}.") from error
        self.check(file, body, sha256)
        return body

    def check(self, file: str, body: bytes, sha256: str) -> None:
        """Compare a page with its digest.

        Raises:
            ValueError: It is not what was received; names the file.
        """
        if hashlib.sha256(body).hexdigest() != sha256:
            raise ValueError(
                f"The stored page {self.path / file} is not what was received: digests differ."
            )

    def _packed_manifests(self, packs: Iterable[Path]) -> dict[str, Manifest]:
        return {
            sweep: Manifest.from_bytes(content, pack / sweep)
            for pack in packs
            for sweep, content in packed_manifests(pack).items()
        }

    def _take_packed(self, missing: dict[str, str]) -> Iterator[Page]:
        for pack in self.packs():
            for file, body in packed_pages(pack) if missing else ():
                if file in missing:
                    self.check(file, body, missing.pop(file))
                    yield file, body

    def _state(self) -> set[tuple[str, int, int]]:
        """Tells whether packs came, went or changed."""
        found = set()
        for pack in self.packs():
            with suppress(FileNotFoundError):
                status = pack.stat()
                found.add((pack.name, status.st_ino, status.st_mtime_ns))
        return found

    def _names(self, prefix: str) -> list[str]:
        return [name for name in listed(self.path) if name.startswith(prefix)]


@lru_cache(maxsize=4_096)
def _packed_sweeps(pack: Path, _inode: int, _changed: int) -> frozenset[str]:
    """The sweeps in a pack. Remembered, because packs never change but are replaced."""
    return frozenset(packed_manifests(pack))


def listed(folder: Path) -> list[str]:
    """The names in a folder, sorted; none if there is no such folder."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - several times cheaper than paths
    except (FileNotFoundError, NotADirectoryError):
        return []
