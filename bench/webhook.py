"""What the receiver bears, with a CRM behind it that is loaded meanwhile.

    python -m bench.webhook [--crm-leads N] [--seconds N] [--with-backfill]

1. An open loop of 1,000 deliveries a second: acknowledgements, none lost.
2. As many as are answered, from 128 connections: durable acknowledgements a second.
3. 50 a second: from the instant a delivery was due until the CRM had its row; with
   ``--with-backfill`` once more while a backfill of 30 days goes on.

The CRM is filled with invented leads before. The portal is a process of its own.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import requests

from bench.machine import describe_machine
from bench.sandbox import FIRST, LAST, TOKEN, sandbox
from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.crm import open_crm

PORT, SANDBOX_PORT = 8652, 8653
SECRET = "a-secret-for-benchmarks-only"  # noqa: S105 - opens nothing
PROJECT = Path(__file__).parents[1]
PATIENCE = 600.0
INVENTED = """
    SELECT
        'old-' || n AS lead_id,
        'whatsapp' AS channel,
        'sent' AS status,
        'Person ' || n AS name,
        '+97150' || lpad((n % 10000000)::VARCHAR, 7, '0') AS phone,
        '+97150' || lpad((n % 10000000)::VARCHAR, 7, '0') AS phone_e164,
        'REF-' || n % 3000 AS listing_reference,
        TIMESTAMPTZ '2025-01-01 00:00:00Z' + to_seconds(n * 30) AS created_at
    FROM range(?) AS numbers (n)
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="What the receiver bears.")
    parser.add_argument("--crm-leads", type=int, default=100_000, help="in the CRM before")
    parser.add_argument(
        "--seconds", type=float, default=20, help="how long 1,000 a second are sent"
    )
    parser.add_argument("--with-backfill", action="store_true", help="measure beside one as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        fill(data, given.crm_leads)
        with receiver(data) as process:
            _report("1,000/s", deliver(1_000, given.seconds))
            _wait_until_loaded()
            _report("as fast as answered", deliver(0, 5, connections=128))
            _wait_until_loaded()
            print(f"POST to row at 50/s, ms: {post_to_row(30)}")
            if given.with_backfill:
                with backfill(data):
                    print(f"POST to row at 50/s beside a backfill, ms: {post_to_row(30)}")
            _wait_until_loaded()
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        _check_that_nothing_is_lost(data)


def fill(data: Path, leads: int) -> None:
    """Invent leads, with an observation of each."""
    location = f"duckdb:///{data / 'crm.duckdb'}"
    with open_crm(location):
        pass
    with duckdb.connect(str(data / "crm.duckdb")) as crm:
        crm.execute(f"CREATE TEMP TABLE invented AS {INVENTED}", [leads])
        columns = "lead_id, channel, status, name, phone, phone_e164, listing_reference, created_at"
        crm.execute(
            f"INSERT INTO crm.leads ({columns}, assignment_rule, first_seen_at, updated_at) "  # noqa: S608
            f"SELECT {columns}, 'unassigned', created_at, created_at FROM invented"
        )
        crm.execute(
            f"INSERT INTO pipeline.lead_observations ({columns}, observed_by, content_id, "  # noqa: S608
            "first_observed_at, last_observed_at, first_received_at) "
            f"SELECT {columns}, 'poll', md5(lead_id), created_at, created_at, created_at "
            "FROM invented"
        )


@contextmanager
def receiver(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``pf-pipeline webhook`` on a data folder."""
    command = [sys.executable, "-m", "pf_pipeline.cli", "webhook", "--port", str(PORT)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command,
        env={**os.environ, "PF_WEBHOOK_SECRET": SECRET, "PF_DATA_DIR": str(data), "PF_CRM_URL": ""},
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_until(_ready)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@contextmanager
def backfill(data: Path) -> Iterator[None]:
    """A backfill of 100,000 leads into the same CRM, ended when nobody looks any more."""
    with sandbox(SANDBOX_PORT) as address:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "pf_pipeline.cli", "backfill"),
                *("--from", FIRST.isoformat(), "--to", LAST.isoformat()),
            ],
            env={
                **os.environ,
                "PF_API_BASE_URL": address,
                "PF_API_TOKEN": TOKEN,
                "PF_DATA_DIR": str(data),
                "PF_PROPERTIES": str(PROJECT / "data/reference/properties.csv"),
                "PF_AGENTS": str(PROJECT / "data/reference/agents.csv"),
                "PF_REQUESTS_PER_MINUTE": "1000000",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(10)  # it has read Python's modules by then
            yield
        finally:
            still = process.poll() is None
            print(f"the backfill was {'still' if still else 'no longer'} under way at the end")
            process.terminate()
            process.wait(PATIENCE)


def start_delivering(rate: float, seconds: float, connections: int = 64) -> subprocess.Popen[str]:
    """The portal of :mod:`bench.webhook_load`, as a process."""
    command = [sys.executable, "-m", "bench.webhook_load", "--port", str(PORT), "--secret", SECRET]
    options = ["--rate", str(rate), "--seconds", str(seconds), "--connections", str(connections)]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)  # noqa: S603


def deliver(rate: float, seconds: float, connections: int = 64) -> dict[str, object]:
    """Deliver, and give the portal's figures."""
    output, _ = start_delivering(rate, seconds, connections).communicate(timeout=PATIENCE)
    figures: dict[str, object] = json.loads(output)
    return figures


def post_to_row(seconds: float, rate: float = 50) -> dict[str, float]:
    """How long deliveries take into the CRM, as the receiver's counter of new leads shows it.

    Deliveries at this rate are loaded in their order: when the counter has grown by N, the Nth has
    its row. The portal says when the first was due.
    """
    before = _inserted()
    process = start_delivering(rate, seconds)
    seen: list[float] = []
    total = int(rate * seconds)
    deadline = time.time() + seconds + 120
    while len(seen) < total and time.time() < deadline:
        now, count = time.time(), int(_inserted() - before)
        seen += [now] * (count - len(seen))
        time.sleep(0.02)
    figures = json.loads(process.communicate(timeout=PATIENCE)[0])
    waits = sorted(
        1_000 * (at - figures["started_at"] - position / rate) for position, at in enumerate(seen)
    )
    return {
        "rows": len(waits),
        "p50": round(statistics.median(waits)),
        "p99": round(waits[int(0.99 * len(waits))]),
        "max": round(waits[-1]),
    }


def _inserted() -> float:
    return _metric('pf_webhook_leads_total{result="inserted"}')


def _metric(name: str) -> float:
    text = requests.get(f"http://127.0.0.1:{PORT}/metrics", timeout=30).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _ready() -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{PORT}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False


def _wait_until_loaded() -> None:
    started = time.perf_counter()
    _wait_until(lambda: _metric("pf_webhook_backlog_deliveries") == 0)
    print(f"the rest was loaded {time.perf_counter() - started:.1f} s later")


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the receiver did not come to that")
        time.sleep(0.1)


def _report(what: str, figures: dict[str, object]) -> None:
    print(f"{what}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))


def _check_that_nothing_is_lost(data: Path) -> None:
    inbox = Inbox(data)
    stored = inbox.counts().stored
    inbox.close()
    with duckdb.connect(str(data / "crm.duckdb"), read_only=True) as crm:
        sql = "SELECT count(*) FROM leads WHERE lead_id LIKE 'lead-%'"
        (loaded,) = crm.execute(sql).fetchall()[0]
    print(f"stored {stored}, in the CRM {loaded}")


if __name__ == "__main__":
    print(describe_machine())
    main()
