"""One portal at its worst beside the same one without a fault: both must end with the same leads.

    python -m pf_pipeline_tests.integration.hostile [--seeds N]

prints a line for each seed, and ends with 1 if any of them differs.
"""

import argparse
import logging
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pf_pipeline.leads.parser import parse_record, raw_json
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.portal_directory import LISTINGS, USERS
from pf_pipeline.sandbox import RunningSandbox, SandboxOptions, running_sandbox
from pf_pipeline.settings import Dialect, load_settings
from pf_pipeline_tests.tables import all_crm_tables

FIRST = date(2026, 1, 1)
PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ending:
    """What a run left behind.

    Attributes:
        archived: The records of each day, by what they mean: a fault may add nulls.
        crm: All tables of the CRM.
        incomplete: Sweeps that are not complete.
        faults: How many faults the portal played.
        limited: Requests beyond the portal's limits.
        response_link_hits: Requests that must never happen.
        seconds: How long it took.
    """

    archived: dict[date, set[str]]
    crm: object
    incomplete: int
    faults: int
    limited: int
    response_link_hits: int
    seconds: float


def days_of(count: int) -> list[date]:
    """The first days of the sandbox's year."""
    return [FIRST + timedelta(days=offset) for offset in range(count)]


def run_whole_way(
    options: SandboxOptions, days: list[date], dialect: Dialect, folder: Path
) -> Ending:
    """Bring days from a sandbox into a new CRM, on a stopped clock, once."""
    started = time.perf_counter()
    now = datetime.combine(days[-1], datetime.min.time(), tzinfo=UTC) + timedelta(days=3)
    stopped = replace(
        options, first_day=days[0], last_day=days[-1], public_url="http://sandbox.invalid"
    )
    with running_sandbox(replace(stopped, clock=lambda: now)) as sandbox:
        pipeline = _pipeline(sandbox, now, dialect, folder)
        pipeline.refresh_properties()
        pipeline.refresh_agents()
        for directory in (USERS, LISTINGS):
            assert not pipeline.refresh_directory(directory).problem
        manifests = pipeline.sweep(days)
        for day in days:
            pipeline.validate(day)
        pipeline.assign(days)
        pipeline.load(days)
        pipeline.load_recordings(days)
        assert all(account.agrees for account in pipeline.account(days))
        stats = sandbox.stats()
    return Ending(
        archived={day: _meanings(pipeline, day) for day in days},
        crm=all_crm_tables(folder / "crm.duckdb"),
        incomplete=sum(not manifest.complete for manifest in manifests),
        faults=sum(stats["faults"].values()),
        limited=stats["limited"],
        response_link_hits=stats["response_link_hits"],
        seconds=time.perf_counter() - started,
    )


def _pipeline(sandbox: RunningSandbox, now: datetime, dialect: Dialect, folder: Path) -> Pipeline:
    settings = load_settings(
        _env_file=None,
        api_base_url=sandbox.base_url,
        api_key="sandbox-key",
        api_secret="sandbox-secret",
        api_dialect=dialect,
        data_dir=folder,
        properties=str(PROJECT / "data/reference/properties.csv"),
        agents=str(PROJECT / "data/reference/agents.csv"),
        requests_per_minute=1_000_000,
    )
    return Pipeline(settings, now=lambda: now)


def _meanings(pipeline: Pipeline, day: date) -> set[str]:
    """Each record of a day as the parser reads it, or whole if it is no lead."""
    return {
        raw_json([str(value) for value in parsed]) if len(parsed := parse_record(record)) > 2 else
        raw_json(record)
        for sighting in pipeline.archive.raw_leads.sightings(day)
        for record in sighting.records
    }  # fmt: skip


def compare(
    seed: int, days: list[date], leads_per_day: int, dialect: Dialect
) -> tuple[Ending, Ending]:
    """A run without faults and a hostile one, of the same seed."""
    options = SandboxOptions(seed=seed, leads_per_day=leads_per_day)
    with TemporaryDirectory() as folder:
        calm = run_whole_way(options, days, dialect, Path(folder) / "calm")
        hostile = run_whole_way(
            replace(options, faults="hostile"), days, dialect, Path(folder) / "hostile"
        )
    return calm, hostile


def main(arguments: list[str]) -> int:
    """Compare so many seeds; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds (default 20)")
    parser.add_argument("--first-seed", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--days", type=int, default=30, help="how many days (default 30)")
    parser.add_argument("--leads-per-day", type=int, default=1000, help="default 1000")
    given = parser.parse_args(arguments)
    logging.getLogger("pf_pipeline").setLevel(logging.ERROR)  # hundreds of retries
    equal = 0
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        dialect: Dialect = "atlas" if seed % 2 else "guide"
        calm, hostile = compare(seed, days_of(given.days), given.leads_per_day, dialect)
        same = calm.archived == hostile.archived and calm.crm == hostile.crm
        equal += same and not hostile.incomplete and not hostile.response_link_hits
        sys.stdout.write(
            f"seed {seed:2} {dialect:5} {'equal' if same else 'DIFFERENT':9} "
            f"{hostile.faults:4} faults, {hostile.incomplete} incomplete, "
            f"{hostile.response_link_hits} response links, "
            f"{calm.seconds:5.1f} s and {hostile.seconds:5.1f} s\n"
        )
        sys.stdout.flush()
    sys.stdout.write(f"{equal} of {given.seeds} seeds equal\n")
    return 0 if equal == given.seeds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
