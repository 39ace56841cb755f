"""How ``pf-pipeline ui`` ends when something is in its way."""

import os
import signal
import socket
from pathlib import Path

import pytest

from pf_pipeline_tests.browser.ui_process import free_ports, started_ui

pytestmark = pytest.mark.xdist_group("browser")


def test_a_taken_port_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    port, sandbox_port = free_ports(2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        with started_ui(tmp_path, ports=(port, sandbox_port, taken)) as ui:
            assert ui.process.wait(60) == 1
    assert ui.said.strip() == (
        f"The port {taken} is taken: end what uses it, or choose another (pf-pipeline ui --help)."
    )


def test_when_a_part_dies_the_rest_is_ended_and_the_log_is_named(tmp_path: Path) -> None:
    with started_ui(tmp_path, ports=free_ports(3)) as ui:
        ui.wait_until_it_serves()
        os.kill(ui.groups["daemon"], signal.SIGKILL)
        assert ui.process.wait(60) == 1
    log = ui.data_dir / "logs" / "daemon.log"
    assert ui.said.splitlines()[-1] == f"The daemon ended by itself; see {log}."
    assert ui.left_behind() == []


@pytest.mark.parametrize(
    ("number", "in_background"), [(signal.SIGHUP, False), (signal.SIGTERM, True)]
)
def test_a_closed_terminal_or_a_kill_ends_everything(
    tmp_path: Path, number: signal.Signals, *, in_background: bool
) -> None:
    with started_ui(tmp_path, ports=free_ports(3), in_background=in_background) as ui:
        ui.wait_until_it_serves()
        assert ui.end(number) == 0
    assert ui.left_behind() == []
