"""From the portal's pages to the CRM's rows, through Dagster."""

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from pf_pipeline.orchestration.partitions import days_of
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline_tests.conftest import PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob
from pf_pipeline_tests.tables import all_crm_tables, crm_rows, staged_files

SAMPLE_DAY = date(2025, 12, 19)
WEEK = [date(2025, 12, 13) + timedelta(days=offset) for offset in range(7)]
OWNER_OF_APT_DOWNTOWN_101 = "A-01"


def crm_file(pipeline: Pipeline) -> Path:
    return pipeline.settings.data_dir / "crm.duckdb"


def test_the_guides_sample_lead_goes_to_the_agent_who_owns_its_property(
    make_pipeline: PipelineFactory, run_job: RunJob
) -> None:
    pipeline = make_pipeline()
    assert run_job(pipeline, SAMPLE_DAY).success
    assert crm_rows(
        crm_file(pipeline),
        """
        SELECT name, email, phone_e164, message, channel, listing_id, listing_reference,
            property_ref, agent_id, assignment_rule, created_at::VARCHAR
        FROM crm.leads WHERE lead_id = 'lead_987654'
        """,
    ) == [
        (
            "John Doe",
            "johndoe@example.com",
            "+971501234567",
            "I am interested in this apartment, please call me.",
            "whatsapp",
            "554433",
            "APT-DOWNTOWN-101",
            "APT-DOWNTOWN-101",
            OWNER_OF_APT_DOWNTOWN_101,
            "listing_reference",
            "2025-12-19 10:30:00+00",
        )
    ]


def test_a_second_run_changes_no_row(make_pipeline: PipelineFactory, run_job: RunJob) -> None:
    pipeline = make_pipeline()
    assert run_job(pipeline, SAMPLE_DAY).success
    before = all_crm_tables(crm_file(pipeline))
    later = Pipeline(pipeline.settings, now=lambda: pipeline.now() + timedelta(hours=1))
    assert run_job(later, SAMPLE_DAY).success
    assert all_crm_tables(crm_file(pipeline)) == before
    (account,) = pipeline.account([SAMPLE_DAY])
    assert (account.received, account.duplicate) == (120, 60)


@pytest.mark.parametrize("dialect", ["guide", "atlas"])
def test_days_one_by_one_and_a_range_in_one_run_give_equal_files_and_rows(
    make_pipeline: PipelineFactory, run_job: RunJob, tmp_path: Path, dialect: str
) -> None:
    singly = make_pipeline(data_dir=tmp_path / "singly", api_dialect=dialect)
    ranged = make_pipeline(data_dir=tmp_path / "ranged", api_dialect=dialect)
    days = WEEK[-3:]
    for day in days:
        assert run_job(singly, day).success
    assert run_job(ranged, days[0], days[-1]).success
    files = staged_files(tmp_path / "singly")
    assert len(files) == 3 * len(days)
    assert staged_files(tmp_path / "ranged") == files
    assert all_crm_tables(crm_file(ranged)) == all_crm_tables(crm_file(singly))


def test_a_range_reads_a_portal_without_upper_bound_once(make_pipeline: PipelineFactory) -> None:
    manifests = make_pipeline().sweep(WEEK)
    assert [manifest.day for manifest in manifests] == WEEK
    # 9 days of 60 leads lie between the start of the range and the sandbox's last day.
    assert {manifest.pages_read for manifest in manifests} == {11}
    assert all(manifest.records_of_day == 60 for manifest in manifests)


def test_leads_of_other_days_do_not_enter_a_days_partition(
    make_pipeline: PipelineFactory, run_job: RunJob
) -> None:
    pipeline = make_pipeline()
    assert run_job(pipeline, WEEK[0]).success
    days = crm_rows(crm_file(pipeline), "SELECT DISTINCT created_at::DATE FROM crm.leads")
    assert days == [(WEEK[0],)]
    staged = pipeline.archive.observations.read(WEEK[0])
    assert set(staged["created_at"].dt.date) == {WEEK[0]}


def test_a_malformed_lead_is_kept_with_its_reason_and_its_neighbours_load(
    make_pipeline: PipelineFactory, run_job: RunJob
) -> None:
    pipeline = make_pipeline()
    assert run_job(pipeline, SAMPLE_DAY).success
    rejected = crm_rows(
        crm_file(pipeline),
        "SELECT received_from, partition_key, reason, raw FROM crm.rejected_leads",
    )
    assert len(rejected) == 1
    assert rejected[0][:2] == ("poll", "2025-12-19")
    assert rejected[0][2]
    assert rejected[0][3]
    assert crm_rows(crm_file(pipeline), "SELECT count(*) FROM crm.leads") == [(59,)]


class _PowerCutError(Exception):
    pass


@pytest.mark.parametrize("step", ["sweep", "validate", "assign", "load", "load_recordings"])
def test_a_crash_between_assets_and_a_rerun_leave_the_same_rows(
    make_pipeline: PipelineFactory,
    run_job: RunJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    whole = make_pipeline(data_dir=tmp_path / "whole")
    assert run_job(whole, WEEK[0], WEEK[1]).success

    crashing = make_pipeline(data_dir=tmp_path / "crashing")

    def crash(*_: object, **__: object) -> None:
        raise _PowerCutError

    with monkeypatch.context() as cut:
        cut.setattr(Pipeline, step, crash)
        assert not run_job(crashing, WEEK[0], WEEK[1]).success
    assert run_job(crashing, WEEK[0], WEEK[1]).success
    assert all_crm_tables(crm_file(crashing)) == all_crm_tables(crm_file(whole))


def test_both_dialects_bring_the_same_leads_to_the_same_agents_by_listing(
    make_pipeline: PipelineFactory, run_job: RunJob, tmp_path: Path
) -> None:
    query = """
        SELECT lead_id, property_ref, agent_id FROM crm.leads
        WHERE assignment_rule = 'listing_reference' ORDER BY ALL
    """
    found = []
    for dialect in ("guide", "atlas"):
        pipeline = make_pipeline(data_dir=tmp_path / dialect, api_dialect=dialect)
        assert run_job(pipeline, SAMPLE_DAY).success
        found.append(crm_rows(crm_file(pipeline), query))
    assert found[0] == found[1]
    assert len(found[0]) > 20


def test_a_poll_reads_only_the_overlap_of_a_day_that_was_swept(
    make_pipeline: PipelineFactory,
) -> None:
    noon = make_pipeline().now().replace(day=21, hour=12)
    pipeline = make_pipeline(now=noon)
    (first,) = pipeline.sweep([noon.date()], overlap_only=True)
    assert first.start.time().isoformat() == "00:00:00"
    assert first.end == noon
    later = Pipeline(pipeline.settings, now=lambda: noon + timedelta(minutes=5))
    (second,) = later.sweep([noon.date()], overlap_only=True)
    assert second.start == noon - timedelta(minutes=180)


def test_a_poll_after_an_outage_reaches_back_to_where_the_last_sweep_ended(
    make_pipeline: PipelineFactory,
) -> None:
    morning = make_pipeline().now().replace(day=21, hour=4)
    pipeline = make_pipeline(now=morning)
    pipeline.sweep([morning.date()], overlap_only=True)
    evening = Pipeline(pipeline.settings, now=lambda: morning.replace(hour=20))
    (manifest,) = evening.sweep([morning.date()], overlap_only=True)
    assert manifest.start == morning - timedelta(minutes=180)


def test_metadata_tells_the_counts_of_each_partition_of_a_range(
    make_pipeline: PipelineFactory, run_job: RunJob, instance: dg.DagsterInstance
) -> None:
    assert run_job(make_pipeline(), WEEK[0], WEEK[2]).success
    records = instance.fetch_materializations(dg.AssetKey("crm_leads"), limit=10).records
    counts = {
        record.partition_key: record.asset_materialization.metadata[
            "dagster/partition_row_count"
        ].value
        for record in records
        if record.asset_materialization
    }
    assert days_of([str(key) for key in counts]) == WEEK[:3]
    assert set(counts.values()) <= {59, 60}


def test_no_personal_data_reaches_the_event_log(
    make_pipeline: PipelineFactory, run_job: RunJob, instance: dg.DagsterInstance
) -> None:
    pipeline = make_pipeline()
    result = run_job(pipeline, SAMPLE_DAY)
    log = "\n".join(str(entry) for entry in instance.all_logs(result.run_id)) + str(
        instance.get_run_by_id(result.run_id)
    )
    staged = pipeline.archive.observations.read(SAMPLE_DAY)
    for column in ("name", "email", "phone", "phone_e164", "message"):
        for value in staged[column].dropna().unique():
            assert str(value) not in log, column
    for secret in ("sandbox-secret", "sandbox-key"):
        assert secret not in log
