"""The report asset: one page a day, whole or not there, and nobody's name in it."""

from datetime import UTC, date, datetime

import dagster as dg
import duckdb
import pytest

from pf_pipeline.orchestration.jobs import NIGHTLY, POLLED_ASSETS, nightly_request
from pf_pipeline.orchestration.partitions import days_of_run
from pf_pipeline.orchestration.report_assets import lead_report
from pf_pipeline_tests.conftest import PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob

DAY = date(2025, 12, 19)
LATE_IN_THE_EVENING = datetime(2025, 12, 20, 21, tzinfo=UTC)
"""The 21st in Dubai."""


def report_metadata(result: dg.ExecuteInProcessResult) -> dict[str, dg.MetadataValue]:
    (told,) = result.asset_materializations_for_node(lead_report.node_def.name)
    return dict(told.metadata)


def test_the_page_is_linked_replaced_by_the_next_run_and_holds_nothing_personal(
    make_pipeline: PipelineFactory, run_job: RunJob
) -> None:
    pipeline = make_pipeline(now=LATE_IN_THE_EVENING, api_dialect="atlas")
    result = run_job(pipeline, DAY)
    assert result.success
    metadata = report_metadata(result)
    path = pipeline.settings.data_dir.resolve() / "reports" / "lead-report-2025-12-21.html"
    assert metadata["report"] == dg.MetadataValue.path(path)
    assert metadata["leads"].value == "59"
    html = path.read_text(encoding="utf-8")
    assert "Friday 19 December 2025" in html
    with duckdb.connect(str(pipeline.settings.data_dir / "crm.duckdb"), read_only=True) as crm:
        personal = crm.execute(
            """
            SELECT unnest([name, email, phone, phone_e164, whatsapp_username, message])
            FROM crm.leads
            UNION SELECT unnest([name, email]) FROM crm.agents
            UNION SELECT portal_agent_name FROM crm.leads
            UNION SELECT recording_url FROM crm.call_recordings
            """
        ).fetchall()
    values = {value for (value,) in personal if value}
    assert len(values) > 100
    assert [value for value in values if value in html] == []
    path.write_text("the page of an earlier run", encoding="utf-8")
    lead_report(pipeline=pipeline)
    assert [*path.parent.iterdir()] == [path]
    assert path.read_text(encoding="utf-8") == html


def test_the_night_makes_it_and_polls_do_not() -> None:
    assert lead_report.key not in POLLED_ASSETS
    request = nightly_request(datetime(2025, 12, 19, 1, 32, tzinfo=UTC), trailing_days=7)
    assert request.asset_selection is None  # all of the job's assets
    assert request.tags.items() >= NIGHTLY.items()
    assert len(days_of_run(request.tags)) == 7


def test_without_a_crm_it_says_so(make_pipeline: PipelineFactory) -> None:
    with pytest.raises(dg.RetryRequested) as raised:
        lead_report(pipeline=make_pipeline())
    assert "There is no CRM" in str(raised.value.__cause__)
