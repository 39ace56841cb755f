"""A copy of the project in which a reader would try the pages, with the demo run in it once."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from pf_pipeline.cli import app
from pf_pipeline.sandbox import RunningSandbox
from pf_pipeline_tests.documentation.pages import PROJECT
from pf_pipeline_tests.documentation.running import Shell

NEEDED = (".env.example", "Makefile", "dagster.yaml", "workspace.yaml", "pyproject.toml")
FOLDERS = ("data/reference", "requirements", "scripts")


@dataclass(frozen=True)
class Demo:
    """What ``make demo`` left behind."""

    folder: Path
    output: str

    @property
    def crm(self) -> Path:
        return self.folder / "data" / "crm.duckdb"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A project in which the demo has run, once for all workers of the session."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, output = base / "documentation", base / "documentation.txt"
    with FileLock(f"{folder}.lock"):
        if not output.exists():
            folder.mkdir()
            output.write_text(run_demo_in(folder), encoding="utf-8")
    return Demo(folder, output.read_text(encoding="utf-8"))


def run_demo_in(folder: Path) -> str:
    """Copy into a folder what the pages need of the project, and run the demo there."""
    for name in NEEDED:
        shutil.copy(PROJECT / name, folder)
    for name in FOLDERS:
        shutil.copytree(PROJECT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    with pytest.MonkeyPatch.context() as patch:
        for variable in [*os.environ]:
            if variable.startswith(("PF_", "DAGSTER_")):
                patch.delenv(variable)
        patch.setenv("COLUMNS", "80")
        patch.chdir(folder)
        result = CliRunner().invoke(app, ["demo"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


OpenShell = Callable[..., Shell]


@pytest.fixture
def open_shell(
    demo: Demo, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> OpenShell:
    """A shell in a copy of that project, whose portal is a sandbox, whatever ``.env`` says."""

    def open_one(*, with_settings: bool, with_live_leads: bool) -> Shell:
        folder = tmp_path / "project"
        shutil.copytree(demo.folder, folder, symlinks=True)
        if with_settings:
            shutil.copy(folder / ".env.example", folder / ".env")
        if with_live_leads:
            shutil.copytree(demo.folder / "data", folder / "data" / "live")
        monkeypatch.chdir(folder)
        for name, value in {
            "COLUMNS": "80",
            "PF_API_BASE_URL": sandbox.base_url,
            "PF_API_KEY": "sandbox-key",
            "PF_API_SECRET": "sandbox-secret",
            "PF_REQUESTS_PER_MINUTE": "60000",
            "PF_REQUEST_ATTEMPTS": "2",
        }.items():
            monkeypatch.setenv(name, value)
        return Shell(folder, demo.output)

    return open_one
