"""A receiver whose disk, clients or loader fail it, or that is told to stop."""

import os
import resource
import signal
import socket
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from filelock import FileLock

from pf_pipeline.receiver import WEBHOOK_PATH
from pf_pipeline_tests.receiver.builders import envelope, sign
from pf_pipeline_tests.receiver.running import (
    Receiver,
    log_lines,
    running_receiver,
    wait_until,
)
from pf_pipeline_tests.tables import crm_rows

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def bodies_in_inbox(receiver: Receiver) -> list[bytes]:
    return [found.body for found in receiver.inbox.after(0, 100_000)]


def loaders(receiver: Receiver) -> list[int]:
    """The loaders' process ids, in the order of their start."""
    lines = [one for one in log_lines(receiver) if one["event"] == "the loader starts"]
    return [one["process"] for one in lines]


def runs(process: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def leads_in_crm(folder: Path) -> list[str]:
    return [
        lead
        for (lead,) in crm_rows(folder / "crm.duckdb", "SELECT lead_id FROM leads ORDER BY lead_id")
    ]


def open_delivery(receiver: Receiver, body: bytes, sent: int) -> socket.socket:
    """A connection over which the first bytes of a signed body were sent."""
    line = socket.create_connection(("127.0.0.1", receiver.port), timeout=60)
    head = f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: x\r\nX-Signature: {sign(body)}\r\n"
    line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:sent])
    return line


def test_a_full_disk_is_never_an_acknowledgement(folder: Path) -> None:
    with running_receiver(folder, "--largest-file", "300000") as receiver:
        bodies = [envelope(number) + b" " * 20_000 for number in range(40)]
        answers = [(body, receiver.post(body)) for body in bodies]
        acknowledged = [body for body, answer in answers if answer.status == 202]
        refused = [answer for _, answer in answers if answer.status == 503]
        assert acknowledged
        assert refused
        assert len(acknowledged) + len(refused) == len(bodies)
        assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
        assert bodies_in_inbox(receiver) == acknowledged
        not_ready = receiver.ask("GET", "/readyz")
        assert not_ready.status == 503
        assert "inbox" in not_ready.json()["reasons"][0]
        for process in (receiver.process.pid, *loaders(receiver)):
            resource.prlimit(process, resource.RLIMIT_FSIZE, UNLIMITED)
        for body in bodies:
            assert receiver.post(body).status == 202
        assert receiver.ask("GET", "/readyz").status == 200
        receiver.wait_until_loaded()
        assert sorted(bodies_in_inbox(receiver)) == sorted(bodies)
        assert leads_in_crm(folder) == sorted(f"lead-{number}" for number in range(40))


def test_slow_clients_hold_up_nobody_and_are_sent_away(folder: Path) -> None:
    with running_receiver(folder, "--patience", "1.5") as receiver, ExitStack() as stack:
        body = envelope(1)
        slow = [stack.enter_context(closing(open_delivery(receiver, body, 9))) for _ in range(50)]
        silent = stack.enter_context(
            closing(socket.create_connection(("127.0.0.1", receiver.port), timeout=60))
        )
        half_a_head = stack.enter_context(
            closing(socket.create_connection(("127.0.0.1", receiver.port), timeout=60))
        )
        half_a_head.sendall(b"POST / HT")
        assert receiver.post(envelope(2)).status == 202
        drip(slow[0], body[9:])
        for line in [*slow, silent, half_a_head]:
            assert line.recv(100).startswith(b"HTTP/1.1 408 ")
        assert bodies_in_inbox(receiver) == [envelope(2)]


def drip(line: socket.socket, rest: bytes) -> None:
    """Send a byte now and then, until nobody listens."""

    def send() -> None:
        with suppress(OSError):
            for byte in rest:
                line.sendall(bytes([byte]))
                time.sleep(0.1)

    threading.Thread(target=send, daemon=True).start()


def test_a_head_without_an_end_is_refused(folder: Path) -> None:
    with (
        running_receiver(folder) as receiver,
        closing(socket.create_connection(("127.0.0.1", receiver.port), timeout=60)) as line,
    ):
        line.sendall(b"GET /healthz HTTP/1.1\r\n")
        with suppress(OSError):
            for number in range(1_000):
                line.sendall(f"x-{number}: {'y' * 100}\r\n".encode())
        with suppress(ConnectionError):  # what was not read any more may hide the answer
            assert line.recv(100).startswith(b"HTTP/1.1 431 ")
        assert receiver.ask("GET", "/healthz").status == 200


def test_a_signal_lets_requests_be_answered_and_the_batch_be_loaded(folder: Path) -> None:
    with running_receiver(folder) as receiver:
        assert receiver.post(envelope(1)).status == 202
        receiver.wait_until_loaded()
        body = envelope(2)
        with closing(open_delivery(receiver, body, len(body) - 1)) as line:
            receiver.process.send_signal(signal.SIGTERM)
            wait_until(lambda: refuses_connections(receiver))
            line.sendall(body[-1:])
            assert line.recv(100).startswith(b"HTTP/1.1 202 ")
        assert receiver.process.wait(60) == 0
        assert bodies_in_inbox(receiver) == [envelope(1), body]
        assert not any(map(runs, loaders(receiver)))
        events = [line["event"] for line in log_lines(receiver)]
        assert events[-1] == "the receiver has stopped"
    with running_receiver(folder) as again:
        again.wait_until_loaded()
        assert leads_in_crm(folder) == ["lead-1", "lead-2"]


def refuses_connections(receiver: Receiver) -> bool:
    try:
        socket.create_connection(("127.0.0.1", receiver.port), timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_second_signal_ends_it_at_once(folder: Path) -> None:
    with running_receiver(folder) as receiver:
        assert receiver.post(envelope(1)).status == 202
        with closing(open_delivery(receiver, envelope(2), 1)):
            receiver.process.send_signal(signal.SIGTERM)
            wait_until(lambda: refuses_connections(receiver))
            receiver.process.send_signal(signal.SIGINT)
            assert receiver.process.wait(60) == 1
        (loader,) = loaders(receiver)
        wait_until(lambda: not runs(loader))
        assert bodies_in_inbox(receiver) == [envelope(1)]


def test_a_loader_that_is_killed_is_started_again(folder: Path) -> None:
    with running_receiver(folder) as receiver:
        receiver.post(envelope(1))
        receiver.wait_until_loaded()
        os.kill(loaders(receiver)[0], signal.SIGKILL)
        assert receiver.post(envelope(2)).status == 202
        wait_until(lambda: len(loaders(receiver)) == 2)
        receiver.wait_until_loaded()
        assert leads_in_crm(folder) == ["lead-1", "lead-2"]
        assert receiver.metric("pf_webhook_loader_restarts_total") == 1


def test_the_loader_ends_with_a_receiver_that_is_killed(folder: Path) -> None:
    with running_receiver(folder) as receiver:
        receiver.post(envelope(1))
        receiver.process.kill()
        (loader,) = loaders(receiver)
        wait_until(lambda: not runs(loader))
    with running_receiver(folder) as again:
        again.wait_until_loaded()
        assert leads_in_crm(folder) == ["lead-1"]


def test_signals_to_the_whole_group_leave_the_batch_to_the_receiver(folder: Path) -> None:
    with running_receiver(folder) as receiver:
        receiver.post(envelope(1))
        receiver.wait_until_loaded()
        (loader,) = loaders(receiver)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(loader, number)
        receiver.post(envelope(2))
        receiver.wait_until_loaded()
        assert loaders(receiver) == [loader]
        assert leads_in_crm(folder) == ["lead-1", "lead-2"]


def test_a_loader_that_waits_for_the_crm_ends_with_a_receiver_that_is_killed(folder: Path) -> None:
    """Or the loaders of receivers that were killed would make the next one's wait in turn."""
    folder.mkdir()
    with running_receiver(folder) as receiver, FileLock(f"{folder / 'crm.duckdb'}.lock"):
        assert receiver.post(envelope(1)).status == 202
        wait_until(lambda: bool(loaders(receiver)))
        receiver.process.kill()
        receiver.process.wait()
        wait_until(lambda: not any(map(runs, loaders(receiver))))
