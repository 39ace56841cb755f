"""A CRM of 100,000 leads, with webhook deliveries among them, made anew from its archive.

Fills a data folder by a backfill of 30 days and the deliveries of its last three, loads both, and
runs ``pf-pipeline rebuild``, before that with ``--dry-run``, which compares it table by table.
Somebody reads the old CRM four times a second meanwhile.

    python -m bench.rebuild
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from bench.machine import describe_machine, measure
from bench.sandbox import FIRST, LAST, LEADS_PER_DAY, TOKEN, sandbox
from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.leads.deliveries import delivery_id
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.receiver.loading import load_deliveries, loaded_until
from pf_pipeline.sandbox import SandboxOptions, webhook_events
from pf_pipeline.settings import load_settings

PORT = 8647
PROJECT = Path(__file__).parents[1]
DELIVERED_DAYS = 3
BATCH = 2_000


def main() -> None:
    """Print what it costs, and whether anything differs."""
    with tempfile.TemporaryDirectory() as folder, sandbox(PORT) as address:
        environment = {
            "PF_DATA_DIR": folder,
            "PF_API_BASE_URL": address,
            "PF_API_TOKEN": TOKEN,
            "PF_REQUESTS_PER_MINUTE": "1000000",
            "PF_PROPERTIES": str(PROJECT / "data/reference/properties.csv"),
            "PF_AGENTS": str(PROJECT / "data/reference/agents.csv"),
        }
        command = [sys.executable, "-m", "pf_pipeline.cli"]
        days = ["--from", FIRST.isoformat(), "--to", LAST.isoformat()]
        measure([*command, "backfill", *days], environment)
        deliveries = _deliver(environment)
        compared = subprocess.run(  # noqa: S603 - our own command
            [*command, "rebuild", "--dry-run"],
            env=os.environ | environment | {"COLUMNS": "120"},
            check=True,
            capture_output=True,
            text=True,
        )
        print(compared.stdout)
        with _reading(Path(folder) / "crm.duckdb") as reads:
            cost = measure([*command, "rebuild"], environment)
        print(f"rebuild of a CRM that had {deliveries:,} deliveries among its leads:")
        print(f"{cost.seconds:.1f} s, {cost.cpu_seconds:.1f} CPU s, {cost.peak_megabytes:.0f} MB")
        print(f"the old CRM was read {len(reads)} times meanwhile, {reads.count(False)} in vain")


def _deliver(environment: dict[str, str]) -> int:
    """Receive, load and archive the deliveries of the last days."""
    settings = load_settings(
        _env_file=None,
        **{name.removeprefix("PF_").lower(): value for name, value in environment.items()},
    )
    end = datetime(LAST.year, LAST.month, LAST.day, tzinfo=UTC) + timedelta(days=1)
    options = SandboxOptions(first_day=FIRST, last_day=LAST, leads_per_day=LEADS_PER_DAY)
    events = list(webhook_events(options, end - timedelta(days=DELIVERED_DAYS), end))
    inbox = Inbox(settings.data_dir)
    inbox.store([(delivery_id(event.body), event.timestamp, event.body) for event in events])
    while batch := inbox.after(loaded_until(settings, inbox.inbox_id), BATCH):
        load_deliveries(settings, batch, inbox.inbox_id)
    inbox.close()
    Pipeline(settings).archive_deliveries()
    return len(events)


@contextmanager
def _reading(path: Path) -> Iterator[list[bool]]:
    """Read a CRM again and again; waits for a moment where it is just being written to."""
    reads: list[bool] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.25):
            reads.append(_can_be_read(path))

    thread = threading.Thread(target=read)
    thread.start()
    yield reads
    over.set()
    thread.join()


def _can_be_read(path: Path) -> bool:
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            with duckdb.connect(str(path), read_only=True) as crm:
                crm.execute("SELECT count(*) FROM leads").fetchall()
        except duckdb.Error:
            time.sleep(0.05)
        else:
            return True
    return False


if __name__ == "__main__":
    print(describe_machine())
    main()
