"""``pf-pipeline webhook``: starts with a secret and a free port, and reports to Dagster."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import dagster as dg
import requests

from pf_pipeline.orchestration.instance import open_instance
from pf_pipeline_tests.commands.conftest import RunCommand
from pf_pipeline_tests.receiver.builders import SECRET, envelope, sign
from pf_pipeline_tests.receiver.running import wait_until
from pf_pipeline_tests.tables import crm_rows


def test_without_a_secret_it_does_not_start(run: RunCommand) -> None:
    ended = run("webhook")
    assert ended.status == 2
    assert "PF_WEBHOOK_SECRET" in ended.sentence


def test_an_earlier_secret_alone_is_not_enough(run: RunCommand) -> None:
    ended = run("webhook", PF_WEBHOOK_SECRET_PREVIOUS=SECRET)
    assert ended.status == 2
    assert SECRET not in ended.sentence


def test_a_port_that_is_taken_is_named(run: RunCommand) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        ended = run("webhook", "--port", port, PF_WEBHOOK_SECRET=SECRET)
    assert ended.status == 1
    assert ended.sentence.startswith(f"The receiver cannot listen on 127.0.0.1:{port}: ")


def test_a_delivery_reaches_the_crm_and_dagster(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "pf_pipeline.cli", "webhook", "--port", str(port)],
        env=environment | {"PF_WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().split("listens at ")[1].split()[0]
        assert address == f"http://127.0.0.1:{port}/webhooks/property-finder"
        body = envelope(1)
        answer = requests.post(address, body, headers={"X-Signature": sign(body)}, timeout=60)
        assert answer.status_code == 202
        data = tmp_path / "data"
        wait_until((data / "crm.duckdb").exists)
        wait_until(lambda: leads(data) == ["lead-1"])
    finally:
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    lines = [json.loads(line) for line in error.splitlines() if line.startswith("{")]
    assert lines[-1]["event"] == "the receiver has stopped"
    with open_instance(data) as instance:
        told = instance.fetch_observations(dg.AssetKey("crm_leads"), limit=5).records
    assert len(told) == 1


def leads(data: Path) -> list[str]:
    try:
        return [lead for (lead,) in crm_rows(data / "crm.duckdb", "SELECT lead_id FROM leads")]
    except Exception as error:  # noqa: BLE001 - the file is there before its tables are
        assert "leads" in str(error)  # noqa: PT017
        return []
