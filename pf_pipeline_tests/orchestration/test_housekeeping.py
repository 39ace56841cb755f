"""What keeps archive and history small."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from pf_pipeline.orchestration.build import build_definitions
from pf_pipeline.orchestration.housekeeping import RUNS_KEPT, housekeeping_job, old_runs
from pf_pipeline.orchestration.jobs import AWAITED, NIGHTLY, POLL, leads_job
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline_tests.conftest import PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob
from pf_pipeline_tests.tables import all_crm_tables

OLD, RECENT = date(2025, 12, 12), date(2025, 12, 20)


def run_housekeeping(pipeline: Pipeline, instance: dg.DagsterInstance) -> bool:
    job = build_definitions({"pipeline": pipeline}).resolve_job_def(housekeeping_job.name)
    return job.execute_in_process(instance=instance, raise_on_error=False).success


def test_days_that_no_sweep_touches_are_packed_and_read_as_before(
    make_pipeline: PipelineFactory, run_job: RunJob, instance: dg.DagsterInstance
) -> None:
    pipeline = make_pipeline()
    for day in (OLD, RECENT):
        assert run_job(pipeline, day).success
    raw = pipeline.settings.data_dir / "raw" / "leads"
    before = all_crm_tables(pipeline.settings.data_dir / "crm.duckdb")
    assert run_housekeeping(pipeline, instance)
    assert [path.name for path in (raw / f"date={OLD}").glob("sweep=*")] == []
    assert [path.name for path in (raw / f"date={RECENT}").glob("sweep=*")] != []
    (account,) = pipeline.account([OLD])
    assert (account.received, account.agrees) == (60, True)
    assert run_job(pipeline, OLD).success
    assert all_crm_tables(pipeline.settings.data_dir / "crm.duckdb") == before


def test_a_second_housekeeping_finds_nothing_to_do(
    make_pipeline: PipelineFactory, instance: dg.DagsterInstance
) -> None:
    pipeline = make_pipeline()
    pipeline.sweep([OLD])
    assert [*pipeline.pack_archive()] == [OLD]
    assert pipeline.pack_archive() == {}
    assert run_housekeeping(pipeline, instance)


def test_a_day_that_is_polled_all_the_time_is_packed_while_it_lasts(
    make_pipeline: PipelineFactory,
) -> None:
    start = datetime(2025, 12, 21, 2, tzinfo=UTC)
    pipeline = make_pipeline(now=start, api_dialect="atlas")
    day = start.date()
    most_files = 0
    for minutes in range(0, 7 * 60, 5):
        now = start + timedelta(minutes=minutes)
        polling = Pipeline(pipeline.settings, now=lambda now=now: now)  # type: ignore[misc]
        polling.sweep([day], overlap_only=True)
        files = [path for path in pipeline.settings.data_dir.rglob("*") if path.is_file()]
        most_files = max(most_files, len(files))
    assert most_files < 300
    assert [*pipeline.settings.data_dir.rglob("pack=*")]
    assert len(pipeline.archive.raw_leads.manifests(day)) == 7 * 60 / 5
    assert pipeline.archive.raw_leads.gaps(day, now) == []


def test_old_polls_and_housekeepings_are_forgotten_and_other_runs_are_not(
    make_pipeline: PipelineFactory,
) -> None:
    job = build_definitions().resolve_job_def(leads_job.name)
    ended, at_work = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED
    with dg.instance_for_test() as instance:
        poll = instance.create_run_for_job(job, tags=POLL, status=ended)
        awaited = instance.create_run_for_job(job, tags=AWAITED, status=dg.DagsterRunStatus.FAILURE)
        kept = [
            instance.create_run_for_job(job, tags=NIGHTLY, status=ended),
            instance.create_run_for_job(job, status=ended),
            instance.create_run_for_job(job, tags=POLL, status=at_work),
        ]
        now = datetime.now(UTC)
        pipeline = make_pipeline()
        assert run_housekeeping(pipeline, instance)
        ids = {run.run_id for run in instance.get_runs()}
        (housekeeping,) = ids - {run.run_id for run in [poll, awaited, *kept]}
        assert [*old_runs(instance, now + RUNS_KEPT - timedelta(hours=1))] == []
        later = Pipeline(
            pipeline.settings, now=lambda: datetime.now(UTC) + RUNS_KEPT + timedelta(minutes=1)
        )
        assert run_housekeeping(later, instance)
        left = {run.run_id for run in instance.get_runs()}
    assert left.isdisjoint({poll.run_id, awaited.run_id, housekeeping})
    assert left > {run.run_id for run in kept}


def files_of(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    return [path for path in Path(instance.root_directory).rglob("*") if run_id in str(path)]


def test_polls_that_are_forgotten_leave_no_files(
    make_pipeline: PipelineFactory, tmp_path: Path
) -> None:
    noon = datetime(2025, 12, 21, 12, tzinfo=UTC)
    pipeline = make_pipeline(now=noon)
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        job = build_definitions({"pipeline": pipeline}).resolve_job_def(leads_job.name)
        polls, (night,) = (
            [
                job.execute_in_process(
                    instance=instance, partition_key="2025-12-21", tags=tags
                ).run_id
                for tags in runs
            ]
            for runs in ([POLL, POLL], [NIGHTLY])
        )
        assert all(len(files_of(instance, run)) > 1 for run in [*polls, night])
        later = Pipeline(
            pipeline.settings, now=lambda: datetime.now(UTC) + RUNS_KEPT + timedelta(minutes=1)
        )
        assert run_housekeeping(later, instance)
        assert [files_of(instance, run) for run in polls] == [[], []]
        assert files_of(instance, night)
        assert instance.all_logs(night)


def test_where_nothing_is_kept_in_files_polls_are_forgotten_as_well(
    make_pipeline: PipelineFactory, instance: dg.DagsterInstance
) -> None:
    job = build_definitions().resolve_job_def(leads_job.name)
    poll = instance.create_run_for_job(job, tags=POLL, status=dg.DagsterRunStatus.SUCCESS)
    later = datetime.now(UTC) + RUNS_KEPT + timedelta(minutes=1)
    assert run_housekeeping(Pipeline(make_pipeline().settings, now=lambda: later), instance)
    assert instance.get_run_by_id(poll.run_id) is None


def test_a_damaged_day_stops_no_other_from_being_packed(make_pipeline: PipelineFactory) -> None:
    pipeline = make_pipeline()
    days = [OLD, OLD + timedelta(days=1), OLD + timedelta(days=2)]
    pipeline.sweep(days)
    raw = pipeline.settings.data_dir / "raw" / "leads"
    page = next((raw / f"date={OLD}").rglob("page-*.json.gz"))
    page.write_bytes(b"damaged")
    with pytest.raises(ValueError, match=page.name):
        pipeline.pack_archive()
    assert page.exists()
    assert [bool([*(raw / f"date={day}").glob("pack=*")]) for day in days] == [False, True, True]
