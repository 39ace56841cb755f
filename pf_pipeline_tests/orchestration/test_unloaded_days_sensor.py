"""What was received reaches the CRM without anyone's help: with a real Dagster instance."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import dagster as dg
import pytest

from pf_pipeline.archive import RESUME_WITHIN
from pf_pipeline.orchestration.build import build_definitions
from pf_pipeline.orchestration.housekeeping import housekeeping_job
from pf_pipeline.orchestration.jobs import leads_job
from pf_pipeline.orchestration.partitions import days_of_run, range_tags
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.unloaded_days_sensor import LOADING_ASSETS, unloaded_days_sensor
from pf_pipeline_tests.conftest import PROJECT, PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob
from pf_pipeline_tests.tables import crm_rows

OLD = date(2025, 12, 12)
SANDBOX_TOKEN = "sandbox-token"
LATER = timedelta(minutes=30)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as real:
        yield real


class Ticks:
    """The sensor's ticks, with what it remembers from one to the next."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._cursor: str | None = None

    def tick(self, pipeline: Pipeline) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(
            instance=self._instance,
            cursor=self._cursor,
            definitions=build_definitions({"pipeline": pipeline}),
            resources={"pipeline": pipeline},
        )
        with context:
            found = unloaded_days_sensor.evaluate_tick(context)
        self._cursor = found.cursor
        self.why_not = found.skip_message
        return [*(found.run_requests or [])]

    def run(self, pipeline: Pipeline, request: dg.RunRequest) -> bool:
        """What Dagster's daemon does with a request."""
        job = build_definitions({"pipeline": pipeline}).resolve_job_def(leads_job.name)
        return job.execute_in_process(
            instance=self._instance,
            tags=dict(request.tags),
            asset_selection=request.asset_selection,
            raise_on_error=False,
        ).success


@pytest.fixture
def ticks(instance: dg.DagsterInstance) -> Ticks:
    return Ticks(instance)


def days(requests: list[dg.RunRequest]) -> list[list[date]]:
    return [days_of_run(request.tags) for request in requests]


def leads_in_crm(pipeline: Pipeline) -> int:
    (row,) = crm_rows(pipeline.settings.data_dir / "crm.duckdb", "SELECT count(*) FROM crm.leads")
    return int(str(row[0]))


def at(pipeline: Pipeline, now: datetime) -> Pipeline:
    return Pipeline(pipeline.settings, now=lambda: now)


def test_a_sweep_that_was_killed_and_never_run_again_reaches_the_crm(
    make_pipeline: PipelineFactory, instance: dg.DagsterInstance, ticks: Ticks
) -> None:
    pipeline = make_pipeline(api_dialect="atlas")
    pipeline.refresh_agents()
    pipeline.refresh_properties()
    settings = pipeline.settings
    killed = subprocess.run(  # noqa: S603 - a module of our own
        [
            *(sys.executable, "-m", "pf_pipeline_tests.orchestration.killed_sweep"),
            *(settings.api_base_url, str(settings.data_dir)),
            *(pipeline.now().isoformat(), OLD.isoformat()),
        ],
        cwd=PROJECT,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL
    assert ticks.tick(pipeline) == []

    later = at(pipeline, pipeline.now() + RESUME_WITHIN + timedelta(minutes=1))
    housekeeping = build_definitions({"pipeline": later}).resolve_job_def(housekeeping_job.name)
    assert housekeeping.execute_in_process(instance=instance).success
    assert leads_in_crm(pipeline) == 0

    (request,) = ticks.tick(later)
    assert days([request]) == [[OLD]]
    assert ticks.run(later, request)
    assert leads_in_crm(pipeline) > 40  # a page, but for rejects
    assert ticks.tick(later) == []
    assert ticks.why_not == "All that was received is in the CRM."


@pytest.mark.parametrize("step", ["validate", "assign", "load", "load_recordings"])
def test_a_run_that_ended_after_its_sweep_is_made_good(
    make_pipeline: PipelineFactory,
    run_job: RunJob,
    ticks: Ticks,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    pipeline = make_pipeline()

    def power_cut(*_: object) -> None:
        raise RuntimeError("A power cut.")

    with monkeypatch.context() as cut:
        cut.setattr(Pipeline, step, power_cut)
        assert not run_job(pipeline, OLD, OLD + timedelta(days=1)).success
    (request,) = ticks.tick(pipeline)
    assert days([request]) == [[OLD, OLD + timedelta(days=1)]]
    assert request.asset_selection == LOADING_ASSETS
    assert ticks.run(pipeline, request)
    assert leads_in_crm(pipeline) == sum(
        account.loaded for account in pipeline.account([OLD, OLD + timedelta(days=1)])
    )
    assert ticks.tick(at(pipeline, pipeline.now() + LATER)) == []


def test_days_that_are_in_the_crm_are_left_alone_packed_or_not(
    make_pipeline: PipelineFactory, run_job: RunJob, ticks: Ticks
) -> None:
    pipeline = make_pipeline()
    assert ticks.tick(pipeline) == []
    assert run_job(pipeline, OLD).success
    assert ticks.tick(pipeline) == []
    assert [*pipeline.pack_archive()] == [OLD]
    assert ticks.tick(pipeline) == []
    pipeline.sweep([OLD])
    pipeline.archive.raw_leads.pack(OLD)
    assert days(ticks.tick(pipeline)) == [[OLD]]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_days_of_unfinished_runs_are_left_to_them(
    make_pipeline: PipelineFactory,
    instance: dg.DagsterInstance,
    ticks: Ticks,
    status: dg.DagsterRunStatus,
) -> None:
    pipeline = make_pipeline()
    pipeline.sweep([OLD, OLD + timedelta(days=1)])
    instance.create_run_for_job(
        build_definitions().resolve_job_def(leads_job.name),
        tags=range_tags(OLD - timedelta(days=3), OLD),
        status=status,
    )
    assert days(ticks.tick(pipeline)) == [[OLD + timedelta(days=1)]]
    assert ticks.tick(pipeline) == []
    assert ticks.why_not is not None
    assert ticks.why_not.startswith(f"A run is at work on {OLD}.")


def test_a_day_that_cannot_be_loaded_is_tried_again_seldom_and_stops_no_other(
    make_pipeline: PipelineFactory, ticks: Ticks, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = make_pipeline()
    good = OLD + timedelta(days=1)
    pipeline.refresh_properties()
    pipeline.sweep([OLD, good])
    raw = pipeline.settings.data_dir / "raw" / "leads"
    next((raw / f"date={OLD}").rglob("page-*.json.gz")).write_bytes(b"damaged")
    (both,) = ticks.tick(pipeline)
    assert not ticks.run(pipeline, both)
    assert ticks.tick(pipeline) == []
    assert ticks.why_not is not None
    assert "has not succeeded: see its runs. It is tried again at" in ticks.why_not

    later = at(pipeline, pipeline.now() + LATER)
    singly = ticks.tick(later)
    assert days(singly) == [[good], [OLD]]
    assert f"The load of {OLD} has not succeeded yet: it is tried for the 2. time." in caplog.text
    assert [ticks.run(later, request) for request in singly] == [True, False]
    assert leads_in_crm(pipeline) > 0
    assert ticks.tick(later) == []
    assert days(ticks.tick(at(later, later.now() + LATER))) == [[OLD]]


def test_a_damaged_pack_is_told_and_stops_no_other_day(
    make_pipeline: PipelineFactory, ticks: Ticks, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = make_pipeline()
    pipeline.sweep([OLD, OLD + timedelta(days=2)])
    pipeline.archive.raw_leads.pack(OLD)
    (pack,) = pipeline.settings.data_dir.rglob("pack=*")
    pack.write_bytes(pack.read_bytes()[:100])
    assert days(ticks.tick(pipeline)) == [[OLD + timedelta(days=2)]]
    assert f"The pack {pack} cannot be read" in caplog.text


def test_a_crm_that_was_removed_is_filled_again(
    make_pipeline: PipelineFactory, run_job: RunJob, ticks: Ticks
) -> None:
    pipeline = make_pipeline()
    assert run_job(pipeline, OLD).success
    (pipeline.settings.data_dir / "crm.duckdb").unlink()
    (request,) = ticks.tick(pipeline)
    pipeline.refresh_agents()
    pipeline.refresh_properties()
    assert ticks.run(pipeline, request)
    assert leads_in_crm(pipeline) > 50


def test_another_crm_has_nothing_yet(
    make_pipeline: PipelineFactory, run_job: RunJob, ticks: Ticks
) -> None:
    pipeline = make_pipeline()
    assert run_job(pipeline, OLD).success
    folder = pipeline.settings.data_dir
    moved = make_pipeline(crm_url=f"duckdb:///{folder / 'other.duckdb'}")
    moved.refresh_properties()
    assert days(ticks.tick(moved)) == [[OLD]]


def test_the_crms_name_holds_no_password(make_pipeline: PipelineFactory) -> None:
    pipeline = make_pipeline(
        crm_url="postgresql://crm:hidden@db.example:5432/leads?password=hidden"
    )
    assert pipeline.crm_name == "postgresql://db.example:5432/leads"
