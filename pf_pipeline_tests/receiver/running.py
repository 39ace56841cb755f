"""Receivers that really run, and how to talk to them."""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.receiver import WEBHOOK_PATH
from pf_pipeline_tests.receiver.builders import sign
from pf_pipeline_tests.tables import Row, crm_rows

PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


@dataclass(frozen=True)
class Receiver:
    """A receiver that runs, with the folder in which it keeps everything."""

    address: str
    folder: Path
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        port = urlsplit(self.address).port
        assert port is not None
        return port

    @property
    def inbox(self) -> Inbox:
        return Inbox(self.folder)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as line:
            line.request(method, path, body, dict(headers or {}))
            answer = line.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def post(self, body: bytes, signature: str | None = "") -> Answer:
        """Deliver a body; signed well unless told otherwise."""
        signature = sign(body) if signature == "" else signature
        headers = {} if signature is None else {"X-Signature": signature}
        return self.ask("POST", WEBHOOK_PATH, body, headers)

    def metric(self, name: str, **labels: str) -> float:
        text = self.ask("GET", "/metrics").body.decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        raise AssertionError(f"no metric {name} {labels}")

    def wait_until_loaded(self) -> None:
        """Wait until everything that is stored was loaded or set aside."""
        wait_until(lambda: self.metric("pf_webhook_backlog_deliveries") == 0)

    def crm_rows(self, sql: str) -> list[Row]:
        return crm_rows(self.folder / "crm.duckdb", sql)

    def stop(self) -> int:
        """End it as a process manager does; gives its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


@contextmanager
def running_receiver(folder: Path, *options: str) -> Iterator[Receiver]:
    """A receiver for the length of a ``with`` block; it may be ended before."""
    command = [sys.executable, "-m", "pf_pipeline_tests.receiver.process", str(folder), *options]
    with (folder.parent / f"{folder.name}.log").open("a") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address, Path(log.name).read_text()
        receiver = Receiver(address, folder, process)
        assert receiver.ask("GET", "/healthz").status == 200
        yield receiver
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
        process.wait()
        process.stdout.close()


def log_lines(receiver: Receiver) -> list[dict[str, Any]]:
    """What the receiver and its loader have logged."""
    path = receiver.folder.parent / f"{receiver.folder.name}.log"
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
