import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest
import requests

from pf_pipeline.sandbox import SandboxOptions, create_app, running_sandbox
from pf_pipeline.sandbox.faults import FaultKind, planned_faults

SERVE = "from pf_pipeline.sandbox import *; serve(SandboxOptions(), '127.0.0.1', 0)"


def test_a_stopped_sandbox_is_gone_quickly() -> None:
    threads = threading.enumerate()
    with running_sandbox(SandboxOptions()) as sandbox:
        address = urlsplit(sandbox.base_url)
        started_stopping = monotonic()
    assert monotonic() - started_stopping < 2
    assert threading.enumerate() == threads
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(address.hostname), address.port or 0), timeout=1)


def test_a_sandbox_stops_although_a_client_stays_connected() -> None:
    with requests.Session() as session:
        with running_sandbox(SandboxOptions()) as sandbox:
            session.get(f"{sandbox.base_url}/sandbox/health", timeout=10)
            started_stopping = monotonic()
        assert monotonic() - started_stopping < 2


def test_a_failing_block_stops_the_sandbox_too() -> None:
    threads = threading.enumerate()
    with pytest.raises(ZeroDivisionError), running_sandbox(SandboxOptions()):
        raise ZeroDivisionError
    assert threading.enumerate() == threads


def test_a_chosen_port_is_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with running_sandbox(SandboxOptions(), port) as sandbox:
        assert sandbox.base_url == f"http://127.0.0.1:{port}"


def test_a_taken_port_is_an_error() -> None:
    with (
        running_sandbox(SandboxOptions()) as sandbox,
        pytest.raises(OSError, match="in use"),
        running_sandbox(SandboxOptions(), urlsplit(sandbox.base_url).port or 0),
    ):
        pass


def test_latency_slows_every_request_to_the_api() -> None:
    options = SandboxOptions(latency_seconds=0.1)
    with running_sandbox(options) as sandbox:
        started = monotonic()
        requests.get(f"{sandbox.base_url}/v1/users", timeout=10)
    assert monotonic() - started >= 0.1


SLOW_DRIP = next(
    request
    for request in (f"/v1/leads?search={n}" for n in count())
    if [fault.kind for fault in planned_faults("hostile", 1, request)] == [FaultKind.SLOW_DRIP]
)


@pytest.mark.parametrize(
    ("options", "request_"),
    [
        ("latency_seconds=60", "/v1/users"),
        ("faults='hostile', drip_seconds=60", SLOW_DRIP),
    ],
)
def test_a_stop_ends_all_waiting_quietly(options: str, request_: str) -> None:
    command = [sys.executable, "-W", "error", "-c", SERVE.replace("()", f"({options})")]
    with subprocess.Popen(  # noqa: S603 - the command is written above
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"PF_API_BASE_URL=(\S+)", process.stdout.readline())
        assert found is not None
        base_url = found[1]
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(
                requests.get,
                base_url + request_,
                headers={"Authorization": "Bearer sandbox-token"},
                timeout=50,
            )
            for _ in range(500):
                if requests.get(f"{base_url}/sandbox/stats", timeout=10).json()["requests"]:
                    break
                sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=20)
            assert waiting.result().json()["pagination"]["total"] > 0
    assert process.returncode == 0
    assert complaints == ""


def test_two_applications_share_no_figures() -> None:
    first, second = create_app(SandboxOptions()), create_app(SandboxOptions())
    first.state.stats.count("/v1/leads")
    assert second.state.stats.snapshot()["requests"] == {}


def test_serve_says_how_to_use_it_and_ends_quietly_when_interrupted() -> None:
    command = [sys.executable, "-W", "error", "-c", SERVE]
    with subprocess.Popen(  # noqa: S603 - the command is written above
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        message = process.stdout.readline()
        settings = dict(re.findall(r"(PF_API_\w+)=([^\s)]+)", message))
        answer = requests.get(
            f"{settings['PF_API_BASE_URL']}/v1/users",
            headers={"Authorization": f"Bearer {settings['PF_API_TOKEN']}"},
            timeout=10,
        )
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
    assert answer.status_code == 200
    assert settings.keys() >= {"PF_API_KEY", "PF_API_SECRET"}
    assert process.returncode == 0
    assert complaints == ""
