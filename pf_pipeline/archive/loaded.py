"""What of each day is in the CRM: a small file a day, written once it is there.

``staged/<asset>/date=YYYY-MM-DD/loaded.json``. It names the sources of the day that were loaded,
such as sweeps, and the CRM. Without it, or with that of another CRM, nothing counts as loaded:
removing the files makes everything load again.
"""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from pf_pipeline.archive.files import flush_folder, make_folder, write_atomically

LOADED_NAME = "loaded.json"


class LoadedSources:
    """What one asset has brought into the CRM, by day.

    Args:
        data_dir: The data folder.
        asset: The asset's name, which names the folder.
    """

    def __init__(self, data_dir: Path, asset: str) -> None:
        self._root = data_dir / "staged" / asset

    def path(self, day: date) -> Path:
        """Where the day's file stands."""
        return self._root / f"date={day.isoformat()}" / LOADED_NAME

    def note(self, day: date, sources: Iterable[str], crm: str) -> None:
        """Note what of a day is in the CRM; to be called after it is.

        Args:
            day: The UTC day.
            sources: The names of all that was loaded.
            crm: Which CRM, without any password.
        """
        path = self.path(day)
        make_folder(path.parent)
        content = {"crm": crm, "sources": sorted(sources)}
        write_atomically(path, json.dumps(content).encode())
        flush_folder(path.parent)

    def read(self, day: date, crm: str) -> frozenset[str] | None:
        """The names of what of a day is in a CRM; None if nothing says that anything is."""
        try:
            content = json.loads(self.path(day).read_bytes())
            return frozenset(map(str, content["sources"])) if content["crm"] == crm else None
        except (OSError, ValueError, LookupError, TypeError):
            return None
