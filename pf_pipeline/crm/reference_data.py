"""The brokerage's own listings and people, read from CSV or Parquet files."""

import re
from pathlib import Path

import pandas as pd

from pf_pipeline.crm.errors import ReferenceDataError

KEEP_CRM_TABLES = "crm"
"""The value of ``PF_PROPERTIES`` or ``PF_AGENTS`` that keeps what the CRM tables hold."""

PROPERTY_COLUMNS = ("internal_ref", "agent_id")
AGENT_COLUMNS = ("agent_id", "name", "email", "portal_user_id", "portal_profile_id", "active")
SEPARATORS = (",", ";", "\t")
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1f]")
TRUE_WORDS = frozenset({"true", "t", "yes", "y", "1", "active", ""})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "0", "inactive"})


def read_properties(path: Path) -> pd.DataFrame:
    """Read the listings.

    Returns:
        Texts; ``internal_ref`` and ``agent_id`` first, further columns as they stand in the file.
        Rows without a reference are left out.

    Raises:
        ReferenceDataError: The file is missing, unreadable, or lacks a column.
    """
    frame = _read(path, "PF_PROPERTIES", PROPERTY_COLUMNS)
    return frame[frame["internal_ref"].notna()].reset_index(drop=True)


def read_agents(path: Path) -> pd.DataFrame:
    """Read the people.

    Returns:
        Texts, and ``active`` as a truth value (an empty cell counts as active); the design's
        columns first, further ones as they stand in the file. Rows without an id are left out.

    Raises:
        ReferenceDataError: The file is missing, unreadable, lacks a column, or says neither yes
            nor no under ``active``.
    """
    frame = _read(path, "PF_AGENTS", AGENT_COLUMNS)
    words = frame["active"].fillna("").str.lower()
    unclear = ~words.isin(TRUE_WORDS | FALSE_WORDS)
    if unclear.any():
        raise ReferenceDataError(
            f"The agents file {path} says '{frame['active'][unclear].iloc[0]}' under 'active' in "
            f"data row {unclear.to_numpy().argmax() + 1}: write true or false."
        )
    frame["active"] = words.isin(TRUE_WORDS)
    return frame[frame["agent_id"].notna()].reset_index(drop=True)


def _read(path: Path, setting: str, required: tuple[str, ...]) -> pd.DataFrame:
    frame = _load(path, setting)
    frame.columns = [str(column).strip() for column in frame.columns]
    missing = [column for column in required if column not in frame.columns]
    if missing:
        raise ReferenceDataError(
            f"The file {path} ({setting}) has no column {' or '.join(missing)}: it has "
            f"{', '.join(frame.columns)}."
        )
    repeated = frame.columns[frame.columns.str.lower().duplicated()]
    if not repeated.empty:
        raise ReferenceDataError(
            f"The file {path} ({setting}) has two columns called {repeated[0]}: rename one."
        )
    texts = pd.DataFrame({column: _as_texts(frame[column]) for column in frame.columns})
    return texts[[*required, *(column for column in texts.columns if column not in required)]]


def _load(path: Path, setting: str) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return _read_csv(path)
    except FileNotFoundError:
        raise ReferenceDataError(
            f"There is no file {path}: set {setting} to your CSV or Parquet file, or to 'crm'."
        ) from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise ReferenceDataError(f"The file {path} ({setting}) cannot be read: {reason}.") from None


def _read_csv(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    if CONTROL_CHARACTERS.search(header):
        raise ValueError("it is no text file")
    separator = max(SEPARATORS, key=header.count)
    frame = pd.read_csv(
        path, dtype="str", encoding="utf-8-sig", sep=separator, keep_default_na=False
    )
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        # pandas took the first column for row names, and every cell for its neighbour's.
        raise ValueError("its rows have more cells than its header")
    return frame


def _as_texts(column: pd.Series) -> pd.Series:
    """Trimmed texts; empty ones missing; ``1234.0`` from a spreadsheet is ``1234`` again."""
    texts = column.astype("str").str.strip().str.replace(r"^(\d+)\.0$", r"\1", regex=True)
    return texts.where(texts != "")
