"""Staged Parquet: what the pipeline made of a day's raw pages; always rebuildable from them.

``staged/<dataset>/date=YYYY-MM-DD/<name>.parquet``, each file replaced as a whole. Each says which
*sources* of the day, such as sweeps, it was made of.
"""

from collections.abc import Iterable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from pf_pipeline.archive.files import flush_folder, make_folder, write_atomically
from pf_pipeline.leads.frames import frame_of, table_of

SOURCES = "sources"
"""The key of the file's metadata under which the names of its sources stand, a line each."""


class Staged(NamedTuple):
    """A staged file, read at one instant.

    Attributes:
        frame: Its rows.
        sources: The names of what it was made of.
    """

    frame: pd.DataFrame
    sources: frozenset[str]


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

    def write(self, day: date, frame: pd.DataFrame, sources: Iterable[str] = ()) -> Path:
        """Replace the day's file; equal frames of equal sources give equal bytes.

        Args:
            day: The UTC day.
            frame: Its rows.
            sources: The names of what it was made of.
        """
        path = self.path(day)
        make_folder(path.parent)
        buffer = BytesIO()
        # How a frame was put together would show in the file's pages.
        table = table_of(frame).combine_chunks()
        with pq.ParquetWriter(buffer, table.schema, compression="zstd") as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({SOURCES: "\n".join(sorted(sources))})
        write_atomically(path, buffer.getvalue())
        flush_folder(path.parent)
        return path

    def read(self, day: date, columns: list[str] | None = None) -> pd.DataFrame:
        """Read the day's file, or some of its columns.

        Raises:
            FileNotFoundError: The day has not been staged; the message says by which asset.
        """
        return self.read_with_sources(day, columns).frame

    def read_with_sources(self, day: date, columns: list[str] | None = None) -> Staged:
        """Read the day's file, or some of its columns, and what it was made of.

        Raises:
            FileNotFoundError: As :meth:`read`.
        """
        # Opened once: by its path, Arrow opens a file twice, and it may be replaced in between.
        with pq.ParquetFile(self._existing(day)) as file:
            return Staged(frame_of(file.read(columns=columns)), _sources_of(file.metadata))

    def sources(self, day: date) -> frozenset[str]:
        """The names of what the day's file was made of; none if it does not say so.

        Raises:
            FileNotFoundError: As :meth:`read`.
        """
        return _sources_of(pq.read_metadata(self._existing(day)))

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


def _sources_of(metadata: pq.FileMetaData) -> frozenset[str]:
    names = (metadata.metadata or {}).get(SOURCES.encode(), b"")
    return frozenset(names.decode().splitlines())
