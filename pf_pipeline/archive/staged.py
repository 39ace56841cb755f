"""Staged Parquet: what the pipeline made of a day's raw pages; always rebuildable from them.

``staged/<dataset>/date=YYYY-MM-DD/<name>.parquet``, each file replaced as a whole.
"""

from datetime import date
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from pf_pipeline.archive.files import flush_folder, make_folder, write_atomically
from pf_pipeline.leads.frames import frame_of, table_of


class StagedFiles:
    """One kind of staged file, by day.

    Args:
        data_dir: The data folder.
        dataset: The asset's name, which names the folder.
        name: The file's name without its ending.
    """

    def __init__(self, data_dir: Path, dataset: str, name: str) -> None:
        self._root = data_dir / "staged" / dataset
        self._name = f"{name}.parquet"

    def path(self, day: date) -> Path:
        """Where the day's file stands."""
        return self._root / f"date={day.isoformat()}" / self._name

    def write(self, day: date, frame: pd.DataFrame) -> Path:
        """Replace the day's file; equal frames give equal bytes."""
        path = self.path(day)
        make_folder(path.parent)
        buffer = BytesIO()
        # How a frame was put together would show in the file's pages.
        pq.write_table(table_of(frame).combine_chunks(), buffer, compression="zstd")
        write_atomically(path, buffer.getvalue())
        flush_folder(path.parent)
        return path

    def read(self, day: date, columns: list[str] | None = None) -> pd.DataFrame:
        """Read the day's file, or some of its columns.

        Raises:
            FileNotFoundError: The day has not been staged; the message says by which asset.
        """
        # Opened once: by its path, Arrow opens a file twice, and it may be replaced in between.
        with pq.ParquetFile(self._existing(day)) as file:
            return frame_of(file.read(columns=columns))

    def rows(self, day: date) -> int:
        """How many rows the day's file has.

        Raises:
            FileNotFoundError: As :meth:`read`.
        """
        return int(pq.read_metadata(self._existing(day)).num_rows)

    def _existing(self, day: date) -> Path:
        path = self.path(day)
        if not path.exists():
            raise FileNotFoundError(
                f"There is no {path}: materialize {self._root.name} for {day} first."
            )
        return path
