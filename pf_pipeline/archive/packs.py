"""Packs: the finished sweeps of a day in one file, ``pack=<stamp of its last sweep>.tar.xz``.

Anybody can open one: ``tar xf`` gives ``sweep=<stamp>/manifest.json`` and the pages as received,
``sweep=<stamp>/page-0001.json``. Manifests come first, so that they are read without the pages;
pages that are nearly the same stand side by side, which is why they compress so well.
"""

import hashlib
import heapq
import lzma
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

from pf_pipeline.archive.files import flush_folder, write_atomically
from pf_pipeline.archive.manifests import MANIFEST_NAME

PACK_PREFIX, PACK_SUFFIX = "pack=", ".tar.xz"
COMPRESSION = 6
READ_AHEAD = 1 << 20
PAGE_SUFFIX = ".gz"
"""What the name of a loose page has in addition, because it is compressed by itself."""

Page = tuple[str, bytes]
"""A page's file, as its manifest names it, and its body as received."""


def pack_name(last_sweep: str) -> str:
    """The file name of a pack whose last sweep is ``sweep=<stamp>``."""
    return f"{PACK_PREFIX}{last_sweep.partition('=')[2]}{PACK_SUFFIX}"


def write_pack(path: Path, manifests: Mapping[str, bytes], pages: Iterable[Page]) -> None:
    """Write a pack, read it back, and only then put it in place.

    Args:
        path: Where it shall stand.
        manifests: By sweep, such as ``sweep=20251219T120000.000000Z``.
        pages: In the order of :func:`side_by_side`.

    Raises:
        ValueError: What was written does not read back as it was; nothing was put in place.
    """
    buffer = BytesIO()
    written: list[tuple[str, str]] = []
    with (
        lzma.open(buffer, "wb", preset=COMPRESSION) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for name, content in _members(manifests, pages):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, BytesIO(content))
            written.append((name, _digest(content)))

    def check(temporary: Path) -> None:
        if [(name, _digest(content)) for name, content in _read(temporary)] != written:
            raise ValueError(f"The pack {path} does not read back as it was written.")

    write_atomically(path, buffer.getvalue(), check=check)
    flush_folder(path.parent)


def packed_manifests(path: Path) -> dict[str, bytes]:
    """The manifests of a pack by sweep, without unpacking its pages.

    Raises:
        FileNotFoundError: There is no such pack, or no more.
        ValueError: It is damaged; names it.
    """
    found: dict[str, bytes] = {}
    for name, content in _read(path):
        sweep, _, file = name.rpartition("/")
        if file != MANIFEST_NAME:
            break
        found[sweep] = content
    return found


def packed_pages(path: Path) -> Iterator[Page]:
    """The pages of a pack, in the order of :func:`side_by_side`.

    Raises:
        FileNotFoundError: There is no such pack, or no more.
        ValueError: It is damaged; names it.
    """
    for name, content in _read(path):
        if not name.endswith(f"/{MANIFEST_NAME}"):
            yield name + PAGE_SUFFIX, content


def merge_pages(*sources: Iterable[Page]) -> Iterator[Page]:
    """Pages of several sources, each ordered, as one ordered source; the first wins."""
    latest: str | None = None
    for file, body in heapq.merge(*sources, key=lambda page: side_by_side(page[0])):
        if file != latest:
            yield file, body
        latest = file


def side_by_side(file: str) -> tuple[str, str]:
    """Sorts the versions of one page next to each other, oldest first."""
    sweep, _, name = file.rpartition("/")
    return name, sweep


def _members(manifests: Mapping[str, bytes], pages: Iterable[Page]) -> Iterator[tuple[str, bytes]]:
    for sweep, content in sorted(manifests.items()):
        yield f"{sweep}/{MANIFEST_NAME}", content
    for file, body in pages:
        yield file.removesuffix(PAGE_SUFFIX), body


def _read(path: Path) -> Iterator[tuple[str, bytes]]:
    with lzma.open(path) as file:
        try:
            with tarfile.open(fileobj=file, mode="r|") as tar:
                for entry in tar:
                    content = tar.extractfile(entry)
                    if content is not None:
                        yield entry.name, content.read()
            # The tar may seem to end early; the checksums at the end of the file tell.
            while file.read(READ_AHEAD):
                pass
        except (OSError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
            raise ValueError(f"The pack {path} cannot be read: {error}.") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
