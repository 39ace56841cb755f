"""What it costs to bring a few webhook deliveries into a CRM of a million leads.

Each batch is loaded as the receiver does it: take the lock, open the file, load, close; only then
can anybody read the rows. Seven in ten deliveries bring a new lead, the others one of the last
3,000. With ``--anywhere`` these are any of all, which takes longer: rows of years lie far apart.

    python -m bench.micro_batch [--leads N] [--batches N] [--anywhere]
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.big_crm import LEADS, PROPERTIES, fill
from bench.machine import describe_machine
from pf_pipeline.crm import open_crm
from pf_pipeline.leads.observing import Observed, Sighting, observe

SIZES = (1, 10, 50, 200, 500)
RECENT = 3_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def main(leads: int = LEADS, batches: int = 40, *, anywhere: bool = False) -> None:
    """Print milliseconds for batches of several sizes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crm.duckdb"
        fill(path, leads)
        reach = leads if anywhere else RECENT
        known = f"any of {leads:,}" if anywhere else f"one of the last {reach:,}"
        print(f"\nA batch into a CRM of {leads:,} leads, {batches} batches each; known: {known}")
        print(f"{'deliveries':>10}{'median, ms':>12}{'p90, ms':>10}{'most, ms':>10}{'CPU ms':>10}")
        arrivals = _arrivals(leads, reach)
        for size in SIZES:
            observed = [_batch(arrivals, size, START) for _ in range(batches + 1)]
            costs = [_load(path, batch, number) for number, batch in enumerate(observed, 1)][1:]
            wall = sorted(1000 * seconds for seconds, _ in costs)
            cpu = statistics.median(1000 * seconds for _, seconds in costs)
            p90 = wall[int(0.9 * len(wall))]
            print(f"{size:10}{statistics.median(wall):12.0f}{p90:10.0f}{wall[-1]:10.0f}{cpu:10.0f}")


def _arrivals(leads: int, reach: int) -> Iterator[dict[str, object]]:
    """Records without end: new leads, and known ones with another status."""
    chance = random.Random(1)  # noqa: S311 - no secret
    newest = leads
    while True:
        is_new = chance.random() < 0.7  # noqa: PLR2004 - a share
        newest += is_new
        number = newest if is_new else chance.randrange(leads - min(reach, leads), leads)
        channel = ("whatsapp", "call", "email")[number % 3]
        yield {
            "id": f"{channel}_lead_{number}",
            "channel": channel,
            "status": "sent" if is_new else chance.choice(["delivered", "read", "replied"]),
            "createdAt": START.isoformat(),
            "sender": {"name": f"Inquirer {number}"},
            "listing": {"reference": f"APT-{number % PROPERTIES:05d}"},
        }


def _batch(arrivals: Iterator[dict[str, object]], size: int, since: datetime) -> Observed:
    sightings = (
        Sighting([next(arrivals)], at, at, 1)
        for at in (since + timedelta(seconds=number) for number in range(size))
    )
    return observe(sightings, partition_key=since.date().isoformat(), country="AE", by="webhook")


def _load(path: Path, batch: Observed, number: int) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    started, cpu = time.perf_counter(), time.process_time()
    with open_crm(f"duckdb:///{path}") as crm:
        crm.load_deliveries(batch.observations, batch.rejected, inbox_id="benchmark", number=number)
    return time.perf_counter() - started, time.process_time() - cpu


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--leads", type=int, default=LEADS, help=f"how many (default {LEADS:,})")
    parser.add_argument("--batches", type=int, default=40, help="of each size (default 40)")
    parser.add_argument("--anywhere", action="store_true", help="known leads of any age")
    asked = parser.parse_args()
    print(describe_machine())
    main(asked.leads, asked.batches, anywhere=asked.anywhere)
