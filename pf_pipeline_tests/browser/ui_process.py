"""The real ``pf-pipeline ui``, as a person starts and ends it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pf_pipeline_tests.browser.instance import Instance
from pf_pipeline_tests.browser.waiting import wait_for

READY_SECONDS = 150
END_SECONDS = 90
"""The command gives its processes 20 s; a machine that is busy with other tests needs more."""


@dataclass
class RunningUi:
    """A started ``pf-pipeline ui``.

    Attributes:
        process: The command.
        port: Where the UI answers.
        data_dir: Its ``PF_DATA_DIR``.
        output: What it has said, standard error included.
        groups: The process groups that it has started, by the name of what leads them.
    """

    process: subprocess.Popen[bytes]
    port: int
    data_dir: Path
    output: Path
    groups: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def instance(self) -> Instance:
        return Instance(self.address)

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_until_it_serves(self) -> None:
        def says_so() -> bool:
            assert self.process.poll() is None, self.said
            return "The Dagster UI is at" in self.said

        wait_for(says_so, READY_SECONDS, "the UI")
        self.groups = _children(self.process.pid)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the command and wait for it; gives its exit status."""
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)

    def left_behind(self) -> list[str]:
        """The command lines of the processes that outlived the command."""
        return [
            process.command
            for process in _processes()
            if process.group in self.groups.values() and not process.is_over
        ]


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    group: int
    is_over: bool
    command: str


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; all held at once, so that they differ."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@contextmanager
def started_ui(
    folder: Path, *, ports: Sequence[int], in_background: bool = False
) -> Iterator[RunningUi]:
    """Start the command; whatever happens, nothing that it started outlives the block.

    Args:
        folder: Where it works.
        ports: Where the UI, the sandbox and the receiver shall answer.
        in_background: As a script starts it with ``&``: interrupts are ignored.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "output.txt"
    settings = {"PF_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "pf_pipeline.cli", "ui"]
    names = ("--port", "--sandbox-port", "--webhook-port")
    options = [part for name, port in zip(names, ports, strict=True) for part in (name, str(port))]
    if in_background:
        command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    with output.open("wb") as stream, _in_a_terminal():
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*command, *options],
            cwd=folder,
            env=_environment() | settings,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    ui = RunningUi(process, ports[0], folder / "data", output)
    try:
        yield ui
    finally:
        if process.poll() is None:
            ui.groups |= _children(process.pid)
            ui.end()


@contextmanager
def _in_a_terminal() -> Iterator[None]:
    """Let what is started notice that its terminal is closed, also where nohup runs the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _environment() -> dict[str, str]:
    """Without a developer's settings: their portal and their leads are not for tests."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PF_", "DAGSTER_"))
    }


def _children(pid: int) -> dict[str, int]:
    """The process groups of a process's children, by the name of what leads them."""
    names = {
        "dagster-webserver": "webserver",
        "dagster-daemon": "daemon",
        " sandbox": "sandbox",
        " webhook": "receiver",
    }
    return {
        name: process.group
        for process in _processes()
        if process.parent == pid
        for part, name in names.items()
        if part in process.command
    }


def _processes() -> list[_Process]:
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,pgid=,stat=,args="],  # noqa: S607 - the system's own
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (line.split(maxsplit=4) for line in listed.stdout.splitlines())
    return [
        _Process(int(pid), int(parent), int(group), state.startswith("Z"), " ".join(command))
        for pid, parent, group, state, *command in rows
    ]
