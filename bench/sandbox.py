"""A sandbox in a process of its own, so that it does not count as the pipeline's work."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import requests

FIRST, DAYS, LEADS_PER_DAY = date(2026, 1, 1), 30, 3_334
LAST = FIRST + timedelta(days=DAYS - 1)
TOKEN = "sandbox-token"  # noqa: S105 - published with the sandbox, opens nothing


@contextmanager
def sandbox(port: int, *options: str) -> Iterator[str]:
    """A sandbox with 100,000 leads over 30 days, which has invented them already.

    Args:
        port: Where it listens.
        *options: Of ``pf-pipeline sandbox``.

    Yields:
        Its address.
    """
    span = ["--from", FIRST.isoformat(), "--to", LAST.isoformat()]
    command = [sys.executable, "-m", "pf_pipeline.cli", "sandbox", "--port", str(port), *span]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--leads-per-day", str(LEADS_PER_DAY), *options], stdout=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_warm(address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_warm(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            requests.get(
                f"{address}/v1/leads",
                params={"since": "2025-12-31T00:00:00Z"},
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=60,
            ).raise_for_status()
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
