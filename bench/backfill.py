"""A month of leads through the whole graph: sandbox, archive, validation, assignment, CRM.

One ``pf-pipeline backfill`` of 30 days with 100,000 leads in all, from a sandbox without latency
in a process of its own, into an empty data folder; beside it, in turn, the same command for a day
without leads, which is the start-up. The request budget is lifted, because it would only measure
itself (2,000 pages at 650 a minute take three minutes).

    python -m bench.backfill [--runs N]
"""

import argparse
import statistics
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

from bench.machine import Cost, describe_machine, measure
from bench.sandbox import DAYS, FIRST, LAST, LEADS_PER_DAY, TOKEN, sandbox

DAY_WITHOUT_LEADS = LAST + timedelta(days=1)
PORT = 8649
PROJECT = Path(__file__).parents[1]


def main(runs: int = 3) -> None:
    """Print seconds, CPU seconds and peak memory: medians, and the start-up beside them."""
    with sandbox(PORT):
        pairs = [(_backfill(FIRST, LAST), _backfill(DAY_WITHOUT_LEADS)) for _ in range(runs)]
    print(f"\nBackfill of {DAYS} days, {DAYS * LEADS_PER_DAY:,} leads, medians of {runs} runs")
    print(f"{'':28}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}")
    _print_row("whole command", [whole for whole, _ in pairs])
    _print_row("start-up (a day, no leads)", [start for _, start in pairs])
    after = [whole.cpu_seconds - start.cpu_seconds for whole, start in pairs]
    print(f"{'CPU seconds after start-up':28}{'':9}{statistics.median(after):9.1f}")


def _print_row(label: str, costs: list[Cost]) -> None:
    seconds = statistics.median(cost.seconds for cost in costs)
    cpu = statistics.median(cost.cpu_seconds for cost in costs)
    peak = statistics.median(cost.peak_megabytes for cost in costs)
    print(f"{label:28}{seconds:9.1f}{cpu:9.1f}{peak:9.0f}")


def _backfill(first: date, last: date | None = None) -> Cost:
    days = ["--from", first.isoformat(), "--to", (last or first).isoformat()]
    with tempfile.TemporaryDirectory() as data_dir:
        return measure(
            [sys.executable, "-m", "pf_pipeline.cli", "backfill", *days],
            {
                "PF_DATA_DIR": data_dir,
                "PF_API_BASE_URL": f"http://127.0.0.1:{PORT}",
                "PF_API_TOKEN": TOKEN,
                "PF_REQUESTS_PER_MINUTE": "1000000",
                "PF_PROPERTIES": str(PROJECT / "data/reference/properties.csv"),
                "PF_AGENTS": str(PROJECT / "data/reference/agents.csv"),
            },
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3, help="how often to measure (default 3)")
    print(describe_machine())
    main(parser.parse_args().runs)
