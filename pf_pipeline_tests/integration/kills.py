"""``kill -9`` at random instants between the portal and the CRM, each followed by a rerun.

    python -m pf_pipeline_tests.integration.kills [--trials N] [--seed N]

prints a line for each trial whose rerun left something else than an undisturbed run, and a sum.
"""

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import requests

from pf_pipeline.archive import RawLeads
from pf_pipeline.leads.parser import raw_json
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.settings import Dialect, load_settings
from pf_pipeline_tests.browser.ui_process import free_ports
from pf_pipeline_tests.tables import all_crm_tables

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=offset) for offset in range(3)]
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PROJECT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Trial:
    """What became of one kill.

    Attributes:
        killed: Whether the run was still at it.
        problems: What the rerun left that an undisturbed run does not leave; empty if nothing.
    """

    killed: bool
    problems: list[str]


class Runs:
    """Whole runs against one sandbox, each in a process of its own."""

    def __init__(self, address: str, dialect: Dialect) -> None:
        self._address = address
        self._dialect: Dialect = dialect

    def pipeline(self, folder: Path) -> Pipeline:
        settings = load_settings(
            _env_file=None,
            api_base_url=self._address,
            api_token="sandbox-token",
            api_dialect=self._dialect,
            data_dir=folder,
            properties=str(PROJECT / "data/reference/properties.csv"),
            agents=str(PROJECT / "data/reference/agents.csv"),
            requests_per_minute=1_000_000,
        )
        return Pipeline(settings, now=lambda: NOW)

    def go(self, folder: Path) -> None:
        """From the portal into the CRM; then write down what is there."""
        pipeline = self.pipeline(folder)
        pipeline.refresh_properties()
        pipeline.refresh_agents()
        pipeline.sweep(DAYS)
        for day in DAYS:
            pipeline.validate(day)
        pipeline.assign(DAYS)
        pipeline.load(DAYS)
        pipeline.load_recordings(DAYS)
        agree = [account.agrees for account in pipeline.account(DAYS)]
        (folder / "left.json").write_text(json.dumps(left_behind(pipeline, agree)))

    def trial(self, folder: Path, seconds: float, expected: dict[str, object]) -> Trial:
        """Start a run, kill it after so many seconds, and run again."""
        process = forked(lambda: self.go(folder))
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
        killed = ended(process) == KILLED
        stored = manifested_pages(folder)
        if ended(forked(lambda: self.go(folder))) != 0:
            return Trial(killed, ["the rerun failed"])
        found = json.loads((folder / "left.json").read_text())
        problems = [f"{name} differs" for name in expected if found[name] != expected[name]]
        lost = stored - manifested_pages(folder)
        return Trial(killed, problems + [f"{page} was lost" for page in sorted(lost)])


def left_behind(pipeline: Pipeline, agree: list[bool]) -> dict[str, object]:
    """What a run left, as JSON: the records of each day, and every table of the CRM."""
    raw = pipeline.archive.raw_leads
    records = {
        day.isoformat(): sorted(
            raw_json(record) for seen in raw.sightings(day) for record in seen.records
        )
        for day in DAYS
    }
    return {
        "records": {day: sorted(set(texts)) for day, texts in records.items()},
        "crm": repr(all_crm_tables(pipeline.settings.data_dir / "crm.duckdb")),
        "accounts agree": agree,
        "gaps": [len(raw.gaps(day, NOW)) for day in DAYS],
    }


def manifested_pages(folder: Path) -> set[str]:
    """The digests of the pages that manifests name, each read and compared."""
    raw = RawLeads(folder)
    pages = set()
    for day in DAYS:
        for manifest in raw.manifests(day):
            pages |= {page.sha256 for page in manifest.pages}
        assert sum(1 for _ in raw.sightings(day)) >= 0  # reading compares the digests
    return pages


def forked(work: Callable[[], None]) -> int:
    """Do work in a child process that needs no time to start; gives its id."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.setpgid(0, 0)
            work()
            status = 0
        finally:
            os._exit(status)
    return process


def ended(process: int) -> int:
    """Wait for a child; gives its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@contextmanager
def sandbox_process() -> Iterator[str]:
    """A sandbox in a process of its own: forks are safe only where there are no threads."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "pf_pipeline.cli", "sandbox", "--port", str(port)]
    options = ["--from", "2026-01-01", "--to", "2026-01-03", "--leads-per-day", "300"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, *options, "--latency", "0.01"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split("at ", 1)[1].split(";")[0].strip()
        yield address
        stats = requests.get(f"{address}/sandbox/stats", timeout=10).json()
        assert stats["response_link_hits"] == 0
    finally:
        process.terminate()
        process.communicate(timeout=20)


def run_trials(trials: int, seed: int = 1) -> Iterator[Trial]:
    """Kill runs of both dialects at instants that are spread over all of their length."""
    rng = Random(seed)  # noqa: S311 - chooses instants, protects nothing
    with sandbox_process() as address, TemporaryDirectory() as folder:
        undisturbed = {}
        for dialect in ("guide", "atlas"):
            runs, calm = Runs(address, dialect), Path(folder) / dialect
            started = time.perf_counter()
            assert ended(forked(lambda runs=runs, calm=calm: runs.go(calm))) == 0  # type: ignore[misc]
            seconds = time.perf_counter() - started
            undisturbed[dialect] = (runs, seconds, json.loads((calm / "left.json").read_text()))
        for number in range(trials):
            runs, seconds, expected = undisturbed["guide" if number % 2 else "atlas"]
            yield runs.trial(Path(folder) / f"{number}", rng.uniform(0, seconds), expected)


def main(arguments: list[str]) -> int:
    """Run so many trials; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=200, help="how many kills (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="chooses the instants (default 1)")
    given = parser.parse_args(arguments)
    logging.getLogger("pf_pipeline").setLevel(logging.ERROR)
    killed = bad = 0
    for number, trial in enumerate(run_trials(given.trials, given.seed), start=1):
        killed += trial.killed
        if trial.problems:
            bad += 1
            sys.stdout.write(f"trial {number}: {'; '.join(trial.problems)}\n")
    sys.stdout.write(f"{given.trials} kills, {killed} of them midway, {bad} reruns differ\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
