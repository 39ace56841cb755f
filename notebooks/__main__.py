"""Opens the notebooks in JupyterLab: ``python -m notebooks``, or ``make notebooks``.

On four weeks of make-believe leads, with the sandbox behind them so that recordings play; with
``--own-leads`` on the CRM that the settings name. All notebooks are run first, so that what opens
is filled.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nbclient.exceptions import CellExecutionError

from notebooks.demo_crm import build_demo_crm
from notebooks.filling import FOLDER, SCRIPTS, executed, pair_of, write_pair
from pf_pipeline.commands.sandbox_settings import SANDBOX_PORT
from pf_pipeline.crm.connection import database_path
from pf_pipeline.sandbox import SandboxOptions, running_sandbox
from pf_pipeline.settings import Settings, SettingsError, load_settings


def main() -> int:
    """Prepare the notebooks and serve them until interrupted; gives the exit status."""
    parser = argparse.ArgumentParser(prog="notebooks", description="Opens the notebooks.")
    parser.add_argument("--own-leads", action="store_true", help="the CRM of your settings")
    parser.add_argument("--no-browser", action="store_true", help="only say the address")
    parser.add_argument("--port", type=int, default=8888, help="where JupyterLab listens")
    options = parser.parse_args()
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    crm = database_path(settings.crm_location) if options.own_leads else demo_crm(settings)
    environment = environment_for(settings, crm.resolve())
    with suppress(KeyboardInterrupt), _recordings_that_play():
        for script in SCRIPTS:
            _fill(script, environment)
        return _serve(environment, options.port, no_browser=options.no_browser)
    return 0


def demo_crm(settings: Settings) -> Path:
    """The CRM of make-believe leads, made if it is not there."""
    path = settings.data_dir / "notebooks" / "crm.duckdb"
    if not path.exists():
        _say(f"Making four weeks of leads in {path} ...")
        build_demo_crm(path)
    return path


def environment_for(settings: Settings, crm: Path) -> dict[str, str]:
    """What tells a notebook where the CRM is, whatever folder it runs in."""
    return {
        "PF_CRM_URL": f"duckdb:///{crm}",
        "PF_DATA_DIR": str(settings.data_dir.resolve()),
        "PF_DISPLAY_TIMEZONE": settings.display_timezone,
        "PF_LOCK_TIMEOUT_SECONDS": str(settings.lock_timeout_seconds),
    }


def _fill(script: Path, environment: dict[str, str]) -> None:
    _say(f"Running {script.stem} ...")
    try:
        write_pair(script, executed(script, environment))
    except CellExecutionError as error:
        last_line = str(error).strip().splitlines()[-1]
        sys.stderr.write(f"{script.stem} stopped: {last_line}\n")


@contextmanager
def _recordings_that_play() -> Iterator[None]:
    """A sandbox where the recordings' links point, unless one runs there already."""
    try:
        with running_sandbox(SandboxOptions(), SANDBOX_PORT):
            yield
    except OSError:
        yield


def _serve(environment: dict[str, str], port: int, *, no_browser: bool) -> int:
    first = pair_of(SCRIPTS[0]).name
    command = [
        *(sys.executable, "-m", "jupyterlab", f"--notebook-dir={FOLDER}", f"--port={port}"),
        f"--LabApp.default_url=/lab/tree/{first}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *(["--no-browser"] if no_browser else []),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    # Neither for updates nor for news is anybody asked on the network.
    settings = {"JUPYTER_CONFIG_PATH": str(FOLDER / "jupyter")}
    return subprocess.run(  # noqa: S603 - Jupyter of this environment
        command, env={**os.environ, **environment, **settings}, check=False
    ).returncode


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
