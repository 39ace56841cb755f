"""Packing a day and unpacking it: nothing is removed before its copy was read back and compared.

Killed at any instant, the day reads the same: until the pack stands nothing was removed, and from
then on a sweep that stands twice is read once.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pf_pipeline.archive.days import DayFolder, listed
from pf_pipeline.archive.files import flush_folder
from pf_pipeline.archive.manifests import Manifest
from pf_pipeline.archive.packs import (
    Page,
    merge_pages,
    pack_name,
    packed_manifests,
    packed_pages,
    side_by_side,
    write_pack,
)


@dataclass(frozen=True)
class Packed:
    """What packing a day changed.

    Attributes:
        files_before: Files of the day's finished sweeps, and earlier packs.
        bytes_before: Their sizes together.
        files_after: Files that hold the same now: one.
        bytes_after: Its size.
    """

    files_before: int
    bytes_before: int
    files_after: int
    bytes_after: int


def pack_day(folder: DayFolder, sweeps: Iterable[str]) -> Packed | None:
    """Bring sweeps, and whatever packs the day has, into one pack.

    Args:
        folder: The day; nobody else may pack or unpack it meanwhile.
        sweeps: Loose sweeps whose passes have ended.

    Returns:
        What changed; None if everything was packed already.

    Raises:
        ValueError: A page, a manifest or a pack is damaged: then nothing was removed.
    """
    packs = folder.packs()
    manifests = {sweep: text for pack in packs for sweep, text in packed_manifests(pack).items()}
    loose = {sweep: folder.manifest_path(sweep).read_bytes() for sweep in sweeps}
    is_new = bool(loose.keys() - manifests.keys()) or len(packs) > 1
    manifests = loose | manifests
    digests = _digests(folder, manifests)
    before = [*packs, *_files(folder, loose, digests)]
    sizes = [path.stat().st_size for path in before]
    path = folder.path / pack_name(max(manifests)) if is_new else None
    if path is not None:
        write_pack(path, manifests, _ordered(folder, packs, digests))
        for pack in packs:
            if pack != path:
                pack.unlink()
    _remove(folder, manifests, digests)
    return Packed(len(before), sum(sizes), 1, path.stat().st_size) if path else None


def unpack_day(folder: DayFolder) -> int:
    """Bring a day's packs back as the files that they were made of.

    Returns:
        How many files were restored.

    Raises:
        ValueError: A pack is damaged: it stays.
    """
    restored = 0
    for pack in folder.packs():
        manifests = packed_manifests(pack)
        digests = _digests(folder, manifests)
        for file, body in packed_pages(pack):
            folder.check(file, body, digests[file])
            folder.store_page(file, body)
            restored += 1
        for sweep, text in manifests.items():
            folder.store_manifest(sweep, text)
            restored += 1
        pack.unlink()
        flush_folder(folder.path)
    return restored


def _digests(folder: DayFolder, manifests: Mapping[str, bytes]) -> dict[str, str]:
    """The digest of each page that stands in one of these sweeps, by its file."""
    return {
        page.file: page.sha256
        for sweep, text in manifests.items()
        for page in Manifest.from_bytes(text, folder.manifest_path(sweep)).pages
        if page.file.partition("/")[0] in manifests
    }


def _ordered(folder: DayFolder, packs: list[Path], digests: Mapping[str, str]) -> Iterator[Page]:
    """All pages with a digest, compared with it, in the order in which a pack holds them."""
    missing = set(digests)
    for file, body in merge_pages(*map(packed_pages, packs), _loose(folder, digests)):
        folder.check(file, body, digests[file])
        missing.discard(file)
        yield file, body
    for file in missing:
        raise ValueError(f"The stored page {folder.path / file} cannot be read: it is missing.")


def _loose(folder: DayFolder, digests: Mapping[str, str]) -> Iterator[Page]:
    for file in sorted(digests, key=side_by_side):
        with suppress(FileNotFoundError):
            body = folder.loose_body(file, digests[file])
            yield file, body


def _files(folder: DayFolder, sweeps: Iterable[str], digests: Mapping[str, str]) -> list[Path]:
    """Loose files of sweeps: pages before manifests, by which what is left over is found."""
    chosen = set(sweeps)
    pages = [folder.path / file for file in digests if file.partition("/")[0] in chosen]
    manifests = [folder.manifest_path(sweep) for sweep in sorted(chosen)]
    return [path for path in [*pages, *manifests] if path.exists()]


def _remove(folder: DayFolder, sweeps: Iterable[str], digests: Mapping[str, str]) -> None:
    """Remove what the day's pack holds, what an interrupted unpacking left, and half files."""
    chosen = list(sweeps)
    for path in _files(folder, chosen, digests):
        path.unlink()
    for place in (folder.path, *(folder.path / sweep for sweep in chosen)):
        for name in listed(place):
            if name.startswith(".") and name.endswith(".tmp"):
                (place / name).unlink(missing_ok=True)
    for sweep in chosen:
        with suppress(OSError):  # something that no manifest names stays where it is
            (folder.path / sweep).rmdir()
