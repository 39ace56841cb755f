"""When the leads job runs by itself, and for which days."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from pf_pipeline.orchestration.build import build_definitions
from pf_pipeline.orchestration.housekeeping import housekeeping_schedule
from pf_pipeline.orchestration.jobs import (
    AWAITED,
    NIGHTLY,
    POLL,
    leads_job,
    nightly_request,
    nightly_schedule,
    poll_requests,
    poll_schedule,
    recordings_schedule,
)
from pf_pipeline.orchestration.partitions import LEAD_DAYS, days_of_run
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.sensors import failure_message
from pf_pipeline_tests.conftest import PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob, check_results

OVERLAP = timedelta(minutes=180)
BLOCKING = {"schema", "rejects_under_threshold", "lead_ids_unique", "everything_accounted_for"}
WARNING = {"sweeps_complete", "unassigned_share", "arrived_by_webhook"}


def polled_days(now: datetime) -> list[str | None]:
    return [request.partition_key for request in poll_requests(now, OVERLAP)]


def test_a_poll_at_noon_touches_today_alone() -> None:
    assert polled_days(datetime(2025, 12, 19, 12, tzinfo=UTC)) == ["2025-12-19"]


def test_a_poll_after_midnight_touches_yesterday_too() -> None:
    assert polled_days(datetime(2025, 12, 19, 2, 59, tzinfo=UTC)) == ["2025-12-18", "2025-12-19"]


def test_a_poll_exactly_an_overlap_after_midnight_touches_today_alone() -> None:
    assert polled_days(datetime(2025, 12, 19, 3, tzinfo=UTC)) == ["2025-12-19"]


def test_a_poll_reads_the_overlap_only() -> None:
    (request,) = poll_requests(datetime(2025, 12, 19, 12, tzinfo=UTC), OVERLAP)
    assert request.run_config == {"ops": {"raw_leads": {"config": {"overlap_only": True}}}}


def test_a_poll_that_a_power_cut_left_behind_blocks_others_for_a_quarter_of_an_hour() -> None:
    (request,) = poll_requests(datetime(2025, 12, 19, 12, tzinfo=UTC), OVERLAP)
    assert request.tags.items() >= POLL.items()
    assert request.tags["dagster/max_runtime"] == "900"
    assert "dagster/max_runtime" not in POLL  # runs of before are found by it


def test_a_poll_leaves_the_portals_users_and_listings_and_the_report_alone() -> None:
    (request,) = poll_requests(datetime(2025, 12, 19, 12, tzinfo=UTC), OVERLAP)
    everything = build_definitions().resolve_asset_graph().get_all_asset_keys()
    left_out = everything - set(request.asset_selection or [])
    names = {key.to_user_string() for key in left_out}
    assert names == {"portal_users", "portal_listings", "lead_report"}


def test_the_night_reads_the_trailing_full_days_in_one_run() -> None:
    request = nightly_request(datetime(2025, 12, 19, 1, 30, tzinfo=UTC), trailing_days=7)
    assert days_of_run(request.tags) == [date(2025, 12, day) for day in range(12, 19)]


def test_days_of_run_are_none_without_partition_tags() -> None:
    assert days_of_run({}) == []


def test_cron_strings() -> None:
    assert poll_schedule.cron_schedule == "*/5 * * * *"
    assert recordings_schedule.cron_schedule == "22 * * * *"
    assert nightly_schedule.cron_schedule == "32 1 * * *"
    assert housekeeping_schedule.cron_schedule == "50 * * * *"


def recordings_tick(pipeline: Pipeline) -> object:
    return recordings_schedule(dg.build_schedule_context(resources={"pipeline": pipeline}))


def test_calls_without_a_recording_are_asked_for_in_one_run_of_their_days(
    make_pipeline: PipelineFactory, run_job: RunJob
) -> None:
    pipeline = make_pipeline(api_dialect="atlas")
    assert isinstance(recordings_tick(pipeline), dg.SkipReason)
    assert run_job(pipeline, date(2025, 12, 18), date(2025, 12, 20)).success
    request = recordings_tick(pipeline)
    assert isinstance(request, dg.RunRequest)
    assert days_of_run(request.tags) == [date(2025, 12, day) for day in (18, 19, 20)]
    assert request.run_config == {"ops": {"raw_leads": {"config": {"awaited_recordings": True}}}}


def test_a_crm_that_is_busy_is_asked_for_missing_recordings_an_hour_later(
    make_pipeline: PipelineFactory,
) -> None:
    pipeline = make_pipeline(api_dialect="atlas", lock_timeout_seconds=0.05)
    with pipeline.crm():
        tick = recordings_tick(pipeline)
    assert isinstance(tick, dg.SkipReason)
    assert (tick.skip_message or "").startswith("Another run held the CRM")


def test_the_guide_dialect_waits_for_the_night(
    make_pipeline: PipelineFactory, run_job: RunJob
) -> None:
    pipeline = make_pipeline()
    assert run_job(pipeline, date(2025, 12, 20)).success
    assert isinstance(recordings_tick(pipeline), dg.SkipReason)


@pytest.mark.parametrize("trigger", [POLL, AWAITED, NIGHTLY])
def test_a_poll_waits_while_a_scheduled_run_is_at_it(
    make_pipeline: PipelineFactory, trigger: dict[str, str]
) -> None:
    with dg.instance_for_test() as instance:
        now = datetime(2025, 12, 19, 12, tzinfo=UTC)

        def tick() -> object:
            context = dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=now,
                resources={"pipeline": make_pipeline()},
            )
            return poll_schedule(context)

        assert len(tick()) == 1  # type: ignore[arg-type]  # a list of run requests
        instance.create_run_for_job(
            build_definitions().resolve_job_def(leads_job.name),
            tags=trigger,
            status=dg.DagsterRunStatus.STARTED,
        )
        assert isinstance(tick(), dg.SkipReason)


def test_a_poll_request_runs_end_to_end(make_pipeline: PipelineFactory, run_job: RunJob) -> None:
    pipeline = make_pipeline(now=datetime(2025, 12, 21, 12, tzinfo=UTC))
    (request,) = poll_requests(pipeline.now(), OVERLAP)
    day = date.fromisoformat(str(request.partition_key))
    result = run_job(
        pipeline, day, run_config=request.run_config, asset_selection=request.asset_selection
    )
    assert result.success
    assert set(check_results(result)) == BLOCKING | WARNING
    (account,) = pipeline.account([day])
    assert account.loaded > 0
    assert account.agrees


def test_a_nightly_request_runs_end_to_end(make_pipeline: PipelineFactory, run_job: RunJob) -> None:
    pipeline = make_pipeline()
    first, *_, last = days_of_run(nightly_request(pipeline.now(), trailing_days=7).tags)
    assert (last - first).days == 6
    assert run_job(pipeline, first, last).success
    assert [account.loaded for account in pipeline.account([first, last])] == [59, 59]


def test_a_failed_run_is_told_in_one_line() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(
            build_definitions().resolve_job_def(leads_job.name),
            tags={"dagster/partition": "2025-12-19"},
        )
    message = failure_message(run, "the portal is away.")
    which = f"Run {run.run_id[:8]} of leads_job for 2025-12-19 to 2025-12-19"
    assert message == f"{which} failed: the portal is away."


def test_partitions_begin_where_the_guide_begins() -> None:
    assert LEAD_DAYS.get_first_partition_key() == "2025-01-01"
