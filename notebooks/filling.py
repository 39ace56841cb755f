"""Notebooks are Python scripts here; this makes Jupyter's files of them, with their outputs."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

FOLDER = Path(__file__).parent
SCRIPTS = tuple(sorted(FOLDER.glob("[0-9]*.py")))
SECONDS_A_CELL = 120


def executed(
    script: Path, environment: Mapping[str, str], *, first: str = ""
) -> nbformat.NotebookNode:
    """Run a notebook's script in a kernel of its own.

    Args:
        script: One of :data:`SCRIPTS`.
        environment: ``PF_*`` variables that say where the CRM is.
        first: Code to run before its first cell, which leaves no trace in it.

    Returns:
        The notebook with what its cells show.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    notebook = jupytext.read(script)
    if first:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    with tempfile.TemporaryDirectory(prefix="pf-") as sockets:
        client = NotebookClient(
            notebook,
            timeout=SECONDS_A_CELL,
            resources={"metadata": {"path": str(FOLDER)}},
            config=_connected_by_files(sockets) if os.name == "posix" else None,
        )
        client.execute(env={**os.environ, **environment})
    if first:
        del notebook.cells[0]
    return notebook


def _connected_by_files(folder: str) -> Config:
    """No port is opened for the kernel, and nobody can listen in."""
    return Config({"ConnectionFileMixin": {"transport": "ipc", "ip": f"{folder}/kernel"}})


def pair_of(script: Path) -> Path:
    """Jupyter's file of a script, which saves into the script whatever is changed in it."""
    return script.with_suffix(".ipynb")


def write_pair(script: Path, notebook: nbformat.NotebookNode) -> None:
    """Write Jupyter's file of a script, outputs and all; git ignores it."""
    nbformat.write(notebook, pair_of(script))
