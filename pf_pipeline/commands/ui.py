"""``pf-pipeline ui``: the Dagster UI and daemon, with a sandbox portal behind them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import requests
from rich.console import Console

from pf_pipeline.commands.sandbox_settings import sandbox_environment, sandbox_settings
from pf_pipeline.orchestration.instance import PROJECT, dagster_home
from pf_pipeline.orchestration.origin import check_origin
from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline.settings import load_settings

READY_SECONDS = 120.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.25


class UiError(Exception):
    """The UI could not be started, or ended by itself; the message says why."""


def run_ui(console: Console, *, host: str, port: int, sandbox_port: int | None) -> None:
    """Serve the UI until interrupted.

    Args:
        console: Where to say what is going on.
        host: Where the UI listens.
        port: Where the UI listens.
        sandbox_port: Where the sandbox listens; without one the settings' portal is used.

    Raises:
        UiError: A port is taken, or one of the processes ended.
        SettingsError: The settings are wrong.
    """
    for wanted in filter(None, (port, sandbox_port)):
        _require_free(host, wanted)
    environment = dict(os.environ)
    if sandbox_port is None:
        settings = load_settings()
    else:
        base_url, options = f"http://127.0.0.1:{sandbox_port}", SandboxOptions()
        environment |= sandbox_environment(base_url, options)
        settings = sandbox_settings(base_url, options)
    check_origin(settings)
    # Not in DAGSTER_HOME: Dagster deletes a folder "logs" there.
    logs = settings.data_dir / "logs"
    environment |= {"DAGSTER_HOME": str(dagster_home(settings.data_dir))}
    with _stopping_on_signals(), ExitStack() as processes:
        started = {
            name: processes.enter_context(_process(name, command, environment, logs))
            for name, command in _commands(host, port, sandbox_port).items()
        }
        address = f"http://{host}:{port}"
        console.print(f"Starting the Dagster UI; logs are in {logs} ...")
        _wait_until_ready(address, started, logs)
        console.print(f"[bold]The Dagster UI is at {address}[/] (Ctrl-C stops it)")
        if sandbox_port is not None:
            console.print(f"A sandbox portal answers at http://127.0.0.1:{sandbox_port}.")
        try:
            while True:
                _require_running(started, logs)
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            console.print("Stopping ...")


def _commands(host: str, port: int, sandbox_port: int | None) -> dict[str, list[str]]:
    here = Path(sys.executable).parent
    workspace = ["-w", str(PROJECT / "workspace.yaml")]
    commands = {
        "webserver": [
            str(here / "dagster-webserver"), *workspace, "--host", host, "--port", str(port)
        ],
        "daemon": [str(here / "dagster-daemon"), "run", *workspace],
    }  # fmt: skip
    if sandbox_port is None:
        return commands
    sandbox = [sys.executable, "-m", "pf_pipeline.cli", "sandbox", "--port", str(sandbox_port)]
    return {"sandbox": sandbox, **commands}


@contextmanager
def _process(
    name: str, command: list[str], environment: dict[str, str], logs: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own group, its output in a log file, ended with everything it started."""
    log = _log(logs, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """SIGTERM ends the command like Ctrl-C, so that no process is left behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait_until_ready(
    address: str, started: dict[str, subprocess.Popen[bytes]], logs: Path
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        _require_running(started, logs)
        try:
            if requests.get(f"{address}/server_info", timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(POLL_SECONDS)
    raise UiError(
        f"The UI did not answer within {READY_SECONDS:.0f} s; see {_log(logs, 'webserver')}."
    )


def _require_running(started: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    for name, process in started.items():
        if process.poll() is not None:
            raise UiError(f"The {name} ended by itself; see {_log(logs, name)}.")


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise UiError(
                f"The port {port} is taken: end what uses it, or choose another "
                "(pf-pipeline ui --help)."
            ) from None


def _log(logs: Path, name: str) -> Path:
    return logs / f"{name}.log"
