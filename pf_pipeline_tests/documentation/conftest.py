"""A copy of the project in which a reader would try the pages, with the demo run in it once."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
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
    """A project in which the demo has run."""
    folder = tmp_path_factory.mktemp("project")
    for name in NEEDED:
        shutil.copy(PROJECT / name, folder)
    for name in FOLDERS:
        shutil.copytree(PROJECT / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    with pytest.MonkeyPatch.context() as patch:
        for variable in [*os.environ]:
            if variable.startswith(("PF_", "DAGSTER_")):
                patch.delenv(variable)
        patch.setenv("COLUMNS", "80")
        patch.chdir(folder)
        result = CliRunner().invoke(app, ["demo"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return Demo(folder, result.output)


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
