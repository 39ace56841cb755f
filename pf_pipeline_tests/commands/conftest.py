"""Runs ``pf-pipeline`` as its users do: a process, an environment, an exit status."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pf_pipeline_tests.conftest import PROJECT

SECONDS = 120.0


class Ended:
    """A command that has ended."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.status = process.returncode
        self.out = process.stdout
        self.error = process.stderr

    @property
    def sentence(self) -> str:
        """What stderr says, which must be one line and no traceback."""
        lines = self.error.strip().splitlines()
        assert len(lines) == 1, self.error
        assert "Traceback" not in self.error + self.out
        return lines[0]


RunCommand = Callable[..., Ended]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a command sees: nothing of this machine's own settings."""
    return environment_for(tmp_path / "data")


def environment_for(data_dir: Path) -> dict[str, str]:
    """The variables of a command that works in a data folder."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PF_")}
    return ours | {
        "PF_DATA_DIR": str(data_dir),
        "PF_PROPERTIES": str(PROJECT / "data/reference/properties.csv"),
        "PF_AGENTS": str(PROJECT / "data/reference/agents.csv"),
        "PF_API_TOKEN": "sandbox-token",
        "PF_REQUEST_ATTEMPTS": "1",
        "COLUMNS": "200",
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> RunCommand:
    """Run ``pf-pipeline`` with arguments; keywords are further settings."""

    def command(*arguments: str, **settings: str) -> Ended:
        return run_command(arguments, environment | settings, tmp_path)

    return command


def run_command(arguments: Sequence[str], environment: dict[str, str], folder: Path) -> Ended:
    """Run ``pf-pipeline`` in a folder, to its end."""
    return Ended(
        subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "pf_pipeline.cli", *arguments],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    )
