"""Twenty readers beside a running backfill: does either fail, and how long does each wait?

Each reader is a process that asks the CRM again and again, a second after each answer, from the
backfill's beginning to its end. A question's time holds everything: waiting for a load, opening,
masking, answering.

    python -m bench.readers [--readers N] [--pause SECONDS]
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.backfill import PROJECT
from bench.machine import describe_machine, measure
from bench.sandbox import DAYS, FIRST, LAST, LEADS_PER_DAY, TOKEN, sandbox
from pf_pipeline.analysis import query
from pf_pipeline.crm import open_crm
from pf_pipeline.settings import load_settings

READERS, PAUSE, PORT = 20, 1.0, 8651
QUESTION = "SELECT channel, count(*) AS leads FROM crm.leads GROUP BY channel"
PATIENCE = 300.0


def main(readers: int = READERS, pause: float = PAUSE) -> None:
    """Print what readers and backfill wait for each other.

    Args:
        readers: How many processes ask at once.
        pause: Seconds between a reader's questions.
    """
    with sandbox(PORT):
        alone, _ = _backfill(0, pause)
        beside, waits = _backfill(readers, pause)
    centiles = statistics.quantiles(waits, n=100)
    print(f"\n{readers} readers, {pause:g} s between questions, beside a backfill ", end="")
    print(f"of {DAYS * LEADS_PER_DAY:,} leads; nobody failed")
    print(f"questions answered {len(waits):,}")
    print(f"seconds a question: median {centiles[49]:.2f}, p99 {centiles[98]:.2f}, ", end="")
    print(f"longest {max(waits):.2f}")
    print(f"backfill: {beside:.1f} s, alone {alone:.1f} s, ratio {beside / alone:.1f}")


def _backfill(readers: int, pause: float) -> tuple[float, list[float]]:
    """Seconds of a backfill, and of each question that was asked meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        location = load_settings(data_dir=folder).crm_location
        with open_crm(location):
            pass  # so that there is something to ask from the beginning
        with multiprocessing.get_context("spawn").Pool(max(readers, 1)) as pool:
            asking = [pool.apply_async(_ask, (location, pause)) for _ in range(readers)]
            cost = measure(
                [
                    *(sys.executable, "-m", "pf_pipeline.cli", "backfill"),
                    *("--from", FIRST.isoformat(), "--to", LAST.isoformat()),
                ],
                {
                    "PF_DATA_DIR": folder,
                    "PF_API_BASE_URL": f"http://127.0.0.1:{PORT}",
                    "PF_API_TOKEN": TOKEN,
                    "PF_REQUESTS_PER_MINUTE": "1000000",
                    "PF_PROPERTIES": str(PROJECT / "data/reference/properties.csv"),
                    "PF_AGENTS": str(PROJECT / "data/reference/agents.csv"),
                },
            )
            _end_of(location).touch()
            waits = [seconds for one in asking for seconds in one.get(timeout=PATIENCE)]
        return cost.seconds, waits


def _ask(location: str, pause: float) -> list[float]:
    """Ask until the backfill is over; whatever fails is raised where the answers are gathered."""
    settings = load_settings(crm_url=location)
    seconds = []
    while not _end_of(location).exists():
        started = time.perf_counter()
        query(QUESTION, settings=settings)
        seconds.append(time.perf_counter() - started)
        time.sleep(pause)
    return seconds


def _end_of(location: str) -> Path:
    """The file that appears when the backfill is over."""
    return Path(location.removeprefix("duckdb:///")).with_name("over")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--readers", type=int, default=READERS, help="processes (default 20)")
    parser.add_argument("--pause", type=float, default=PAUSE, help="seconds between questions")
    options = parser.parse_args()
    print(describe_machine())
    main(options.readers, options.pause)
