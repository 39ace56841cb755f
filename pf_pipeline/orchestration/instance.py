"""Where Dagster keeps its runs: one place for the UI, the daemon and the command line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock

from pf_pipeline.archive.files import write_atomically

INSTANCE_FILE = "dagster.yaml"
LOCK_FILE = ".pf-pipeline.lock"
PROJECT = Path(__file__).parents[2]


def dagster_home(data_dir: Path) -> Path:
    """``DAGSTER_HOME``, or ``dagster`` in the data folder, with the project's settings in it."""
    home = Path(os.environ.get("DAGSTER_HOME") or data_dir / "dagster").absolute()
    home.mkdir(parents=True, exist_ok=True)
    ours, theirs = PROJECT / INSTANCE_FILE, home / INSTANCE_FILE
    if ours.exists() and "DAGSTER_HOME" not in os.environ:
        content = ours.read_bytes()
        if not theirs.exists() or theirs.read_bytes() != content:
            write_atomically(theirs, content)
    return home


@contextmanager
def open_instance(data_dir: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a data folder, its databases made where they are missing.

    One process at a time makes them: of two that meet in an empty folder, one would find the
    other's half-made tables, and fail.
    """
    home = dagster_home(data_dir)
    with FileLock(home / LOCK_FILE):
        instance = dg.DagsterInstance.from_config(str(home))
    with instance:
        yield instance


def prepare_instance(data_dir: Path) -> Path:
    """Make the instance's databases before Dagster's own processes open them all at once.

    Returns:
        ``DAGSTER_HOME``.
    """
    with open_instance(data_dir):
        return dagster_home(data_dir)
