"""What one poll costs on a day that has been polled every five minutes.

A sandbox with 150 leads a day; the day is swept 287 times on a clock that is moved by hand, loaded
once, and then polled again with nothing new: by the steps alone, and as the run of ``leads_job``
that the schedule asks for, in this process. The difference is Dagster's own. Printed are medians.

    python -m bench.poll
"""

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

import dagster as dg
import requests

from bench.machine import describe_machine
from bench.sandbox import FIRST, TOKEN, sandbox
from pf_pipeline.orchestration.backfill import QUIET
from pf_pipeline.orchestration.build import build_definitions
from pf_pipeline.orchestration.jobs import leads_job, poll_requests
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.settings import Settings, load_settings

PORT, LEADS_A_DAY, RUNS = 8647, "150", 5
EVERY = timedelta(minutes=5)
MIDNIGHT = datetime.combine(FIRST, time_of_day(), tzinfo=UTC)
PROJECT = Path(__file__).parents[1]


def main() -> None:
    """Print requests and CPU seconds of a poll with nothing new."""
    logging.getLogger("pf_pipeline").setLevel(logging.ERROR)
    with (
        sandbox(PORT, "--leads-per-day", LEADS_A_DAY) as address,
        tempfile.TemporaryDirectory() as folder,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        settings = _settings(address, folder)
        last = MIDNIGHT + 287 * EVERY
        for number in range(1, 288):
            _at(settings, MIDNIGHT + number * EVERY).sweep([FIRST], overlap_only=True)
        _poll_by_steps(_at(settings, last))
        before = _requests(address)
        steps = [_cpu(lambda: _poll_by_steps(_at(settings, last))) for _ in range(RUNS)]
        asked = (_requests(address) - before) / RUNS
        runs = [_cpu(lambda: _poll_by_run(_at(settings, last), instance)) for _ in range(RUNS)]
    print(f"\nA poll with nothing new, {LEADS_A_DAY} leads and 288 polls a day, medians of {RUNS}")
    print(f"requests {asked:.0f}")
    print(f"CPU seconds of the steps {statistics.median(steps):.2f}")
    print(f"CPU seconds of the whole run, in this process {statistics.median(runs):.2f}")


def _settings(address: str, folder: str) -> Settings:
    return load_settings(
        _env_file=None,
        api_base_url=address,
        api_token=TOKEN,
        api_dialect="atlas",
        data_dir=folder,
        properties=str(PROJECT / "data/reference/properties.csv"),
        agents=str(PROJECT / "data/reference/agents.csv"),
        requests_per_minute=1_000_000,
    )


def _at(settings: Settings, now: datetime) -> Pipeline:
    return Pipeline(settings, now=lambda: now)


def _poll_by_steps(pipeline: Pipeline) -> None:
    pipeline.refresh_properties()
    pipeline.refresh_agents()
    pipeline.sweep([FIRST], overlap_only=True)
    pipeline.validate(FIRST)
    pipeline.assign([FIRST])
    pipeline.load([FIRST])
    pipeline.account([FIRST])
    pipeline.load_recordings([FIRST])
    pipeline.account([FIRST])


def _poll_by_run(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    (request,) = poll_requests(pipeline.now(), timedelta(minutes=180))
    job = build_definitions({"pipeline": pipeline}).resolve_job_def(leads_job.name)
    job.execute_in_process(
        instance=instance,
        partition_key=request.partition_key,
        asset_selection=list(request.asset_selection or []),
        run_config={**QUIET, **request.run_config},
    )


def _requests(address: str) -> int:
    stats = requests.get(f"{address}/sandbox/stats", timeout=60).json()
    return sum(stats["requests"].values())


def _cpu(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    print(describe_machine())
    main()
