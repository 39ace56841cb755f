"""Where Dagster keeps its runs: one place for the UI, the daemon and the command line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from pf_pipeline.archive.files import write_atomically

INSTANCE_FILE = "dagster.yaml"
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
    """The Dagster instance of a data folder."""
    with dg.DagsterInstance.from_config(str(dagster_home(data_dir))) as instance:
        yield instance
