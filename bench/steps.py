"""Where the time of a backfill goes: the pipeline's steps, one by one, in one process.

The month of ``bench.backfill`` goes through the steps that the assets call, in the same order,
and the CPU time (user and system) of each is taken. Dagster takes no part; the sandbox is a
process of its own.

    python -m bench.steps
"""

import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bench.machine import describe_machine
from bench.sandbox import DAYS, FIRST, LEADS_PER_DAY, TOKEN, sandbox
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.settings import load_settings

MONTH = [FIRST + timedelta(days=offset) for offset in range(DAYS)]
PORT = 8653
PROJECT = Path(__file__).parents[1]

STEPS: dict[str, Callable[[Pipeline], object]] = {
    "properties and agents": lambda pipeline: (
        pipeline.refresh_properties(),
        pipeline.refresh_agents(),
    ),
    "sweep": lambda pipeline: pipeline.sweep(MONTH),
    "validation": lambda pipeline: [pipeline.validate(day) for day in MONTH],
    "assignment": lambda pipeline: pipeline.assign(MONTH),
    "load into the CRM": lambda pipeline: pipeline.load(MONTH),
    "call recordings": lambda pipeline: pipeline.load_recordings(MONTH),
    "counting what became of it": lambda pipeline: pipeline.account(MONTH),
}
"""The steps in the order of a run, by what they are called here."""


def main() -> None:
    """Print the CPU seconds of each step."""
    with sandbox(PORT) as address, tempfile.TemporaryDirectory() as data_dir:
        pipeline = Pipeline(
            load_settings(
                _env_file=None,
                api_base_url=address,
                api_token=TOKEN,
                requests_per_minute=1_000_000,
                data_dir=Path(data_dir),
                properties=str(PROJECT / "data/reference/properties.csv"),
                agents=str(PROJECT / "data/reference/agents.csv"),
            )
        )
        print(f"\nThe steps of a backfill of {DAYS} days, {DAYS * LEADS_PER_DAY:,} leads")
        print(f"{'':28}{'CPU s':>9}")
        for name, step in STEPS.items():
            before = time.process_time()
            step(pipeline)
            print(f"{name:28}{time.process_time() - before:9.1f}", flush=True)


if __name__ == "__main__":
    print(describe_machine())
    main()
