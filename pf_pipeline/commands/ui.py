"""``pf-pipeline ui``: the Dagster UI and daemon, with a sandbox portal behind them.

The sandbox's leads come in by webhook while the UI is open: the receiver runs as well.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import requests
from rich.console import Console

from pf_pipeline.commands.reference_data import bring_reference_data
from pf_pipeline.commands.sandbox_settings import sandbox_environment, sandbox_settings
from pf_pipeline.commands.webhook_settings import LONGEST_SECRET
from pf_pipeline.orchestration.instance import PROJECT, prepare_instance
from pf_pipeline.orchestration.origin import check_origin
from pf_pipeline.receiver import WEBHOOK_PATH
from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline.settings import load_settings

READY_SECONDS = 120.0
STOP_SECONDS = 15.0
KILL_SECONDS = 5.0
POLL_SECONDS = 0.25
LIVE_LEADS_A_MINUTE = 6


class UiError(Exception):
    """The UI could not be started, or ended by itself; the message says why."""


def run_ui(
    console: Console, *, host: str, port: int, sandbox_port: int | None, webhook_port: int
) -> None:
    """Serve the UI until interrupted.

    Args:
        console: Where to say what is going on.
        host: Where the UI listens.
        port: Where the UI listens.
        sandbox_port: Where the sandbox listens; without one the settings' portal is used.
        webhook_port: Where the receiver listens, to which the sandbox posts its new leads. The
            real portal's deliveries are for ``pf-pipeline webhook``, which outlives a UI.

    Raises:
        UiError: A port is taken, or one of the processes ended.
        SettingsError: The settings are wrong.
    """
    for wanted in (port, *(() if sandbox_port is None else (sandbox_port, webhook_port))):
        _require_free(host, wanted)
    environment = dict(os.environ)
    if sandbox_port is None:
        settings = load_settings()
    else:
        base_url, options = f"http://127.0.0.1:{sandbox_port}", SandboxOptions()
        environment |= sandbox_environment(base_url, options)
        environment["PF_WEBHOOK_SECRET"] = secrets.token_hex(LONGEST_SECRET // 2)
        settings = sandbox_settings(base_url, options)
    check_origin(settings)
    if sandbox_port is not None:
        bring_reference_data(settings)  # the first deliveries come before anybody runs anything
    # Not in DAGSTER_HOME: Dagster deletes a folder "logs" there.
    logs = settings.data_dir / "logs"
    environment |= {"DAGSTER_HOME": str(prepare_instance(settings.data_dir))}
    commands = _commands(host, port, sandbox_port, webhook_port)
    address = f"http://{host}:{port}"
    with _stopping_on_signals(), _processes(commands, environment, logs) as started:
        try:
            console.print(
                f"Starting the Dagster UI (it may take half a minute); logs are in {logs} ...",
                highlight=False,
                soft_wrap=True,
            )
            _wait_until_ready(address, started, logs)
            if not _has_definitions(address):
                console.print(
                    "The UI will be empty: the definitions could not be loaded; see "
                    f"{_log(logs, 'webserver')}.",
                    style="red",
                    soft_wrap=True,
                )
            _welcome(console, address, sandbox_port, webhook_port)
            while True:
                _require_running(started, logs)
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            with suppress(OSError):  # the terminal may be gone
                console.print("Stopping ...")


def _welcome(console: Console, address: str, sandbox_port: int | None, webhook_port: int) -> None:
    console.print(f"[bold]The Dagster UI is at {address}[/] (Ctrl-C stops it).")
    if sandbox_port is not None:
        console.print(f"The sandbox portal http://127.0.0.1:{sandbox_port} is behind it.")
        console.print(
            f"Its new leads, {LIVE_LEADS_A_MINUTE} a minute, arrive by webhook at "
            f"http://127.0.0.1:{webhook_port}: see the events of the asset crm_leads."
        )
    console.print("To load leads: Jobs > leads_job > Materialize all, and choose days.")


def _commands(
    host: str, port: int, sandbox_port: int | None, webhook_port: int
) -> dict[str, list[str]]:
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
    pf_pipeline = [sys.executable, "-m", "pf_pipeline.cli"]
    receiver = [*pf_pipeline, "webhook", "--host", "127.0.0.1", "--port", str(webhook_port)]
    sandbox = [
        *pf_pipeline, "sandbox", "--port", str(sandbox_port), "--live", str(LIVE_LEADS_A_MINUTE),
        "--webhook", f"http://127.0.0.1:{webhook_port}{WEBHOOK_PATH}",
    ]  # fmt: skip
    return {"receiver": receiver, "sandbox": sandbox, **commands}


LOADED = """{
  workspaceOrError {
    ... on Workspace { locationEntries { locationOrLoadError { __typename } } }
  }
}"""

Processes = dict[str, subprocess.Popen[bytes]]


@contextmanager
def _processes(
    commands: dict[str, list[str]], environment: dict[str, str], logs: Path
) -> Iterator[Processes]:
    """Each command as a process of its own group, ended at last with everything it started."""
    started: Processes = {}
    try:
        for name, command in commands.items():
            started[name] = _start(command, environment, _log(logs, name))
        yield started
    finally:
        _stop(started.values())


def _start(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, _interruptible():
        return subprocess.Popen(  # noqa: S603 - our own commands
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _stop(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Ask all groups at once to end; then, or at a second Ctrl-C, kill what is left of them.

    A daemon ends before the code servers and runs that it started: the groups count, not only
    their leaders.
    """
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        with suppress(KeyboardInterrupt):
            for process in processes:
                _signal(process, number)
            deadline = time.monotonic() + patience
            while any(map(_is_alive, processes)) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)


def _is_alive(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    return _signal(process, 0)


def _signal(process: subprocess.Popen[bytes], number: int) -> bool:
    """Signal the whole group of a process; says whether anybody was there."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of the ended
        return False
    return True


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let processes that are started here be interrupted, whether or not this one can be.

    What a script runs in the background cannot, nor can what it starts; and then Dagster's
    processes ignore SIGTERM as well, and would have to be killed.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """SIGTERM, or a closed terminal, ends the command like Ctrl-C: no process is left behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt)}
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:  # nohup
        before[hang_up] = signal.signal(hang_up, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_ready(address: str, started: Processes, logs: Path) -> None:
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


def _has_definitions(address: str) -> bool:
    """Whether the UI has anything to show."""
    try:
        answer = requests.post(f"{address}/graphql", json={"query": LOADED}, timeout=30).json()
    except requests.RequestException:
        return True  # whatever this is, the next look at the processes tells
    entries = answer["data"]["workspaceOrError"]["locationEntries"]
    return all(entry["locationOrLoadError"]["__typename"] != "PythonError" for entry in entries)


def _require_running(started: Processes, logs: Path) -> None:
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
