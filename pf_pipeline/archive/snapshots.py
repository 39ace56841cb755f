"""Raw snapshots: what the portal says as a whole, such as its users, each time that it changed.

``raw/<name>/snapshot=<UTC stamp>/page-0001.json.gz ... manifest.json``, pages exactly as received.
The manifest is written last; a snapshot without one does not exist.
"""

import gzip
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pf_pipeline.archive.days import GZIP_LEVEL, listed
from pf_pipeline.archive.files import flush_folder, make_folder, write_atomically
from pf_pipeline.archive.manifests import MANIFEST_NAME

SNAPSHOT_PREFIX = "snapshot="
STAMP = "%Y%m%dT%H%M%S.%fZ"


class RawSnapshots:
    """The snapshots of one thing under one data folder.

    Args:
        data_dir: The data folder.
        name: What they are snapshots of, which names the folder.
    """

    def __init__(self, data_dir: Path, name: str) -> None:
        self._root = data_dir / "raw" / name

    def store(self, pages: Sequence[bytes], *, base_url: str, read_at: datetime) -> Path | None:
        """Keep the pages, unless the latest snapshot has just the same ones.

        Args:
            pages: As received, in order.
            base_url: The portal.
            read_at: When they were read, aware.

        Returns:
            The new snapshot's folder.
        """
        digests = [hashlib.sha256(page).hexdigest() for page in pages]
        latest = self._latest()
        if latest is not None and _manifest(latest)["sha256"] == digests:
            return None
        folder = self._root / f"{SNAPSHOT_PREFIX}{read_at.astimezone(UTC).strftime(STAMP)}"
        make_folder(folder)
        for number, page in enumerate(pages, start=1):
            content = gzip.compress(page, GZIP_LEVEL, mtime=0)
            write_atomically(_page_path(folder, number), content)
        flush_folder(folder)
        manifest = {"base_url": base_url, "read_at": read_at.isoformat(), "sha256": digests}
        write_atomically(folder / MANIFEST_NAME, json.dumps(manifest, indent=1).encode())
        flush_folder(folder)
        flush_folder(self._root)
        return folder

    def latest(self) -> list[bytes] | None:
        """The pages of the latest snapshot as received; None if there is none."""
        folder = self._latest()
        if folder is None:
            return None
        numbers = range(1, len(_manifest(folder)["sha256"]) + 1)
        return [gzip.decompress(_page_path(folder, number).read_bytes()) for number in numbers]

    def _latest(self) -> Path | None:
        folders = [
            self._root / name for name in listed(self._root) if name.startswith(SNAPSHOT_PREFIX)
        ]
        whole = [folder for folder in folders if (folder / MANIFEST_NAME).is_file()]
        return whole[-1] if whole else None


def _manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / MANIFEST_NAME).read_bytes())
    return content


def _page_path(folder: Path, number: int) -> Path:
    return folder / f"page-{number:04d}.json.gz"
