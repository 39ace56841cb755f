"""The portal's users and listings: they find agents for leads, and never stop any."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from pf_pipeline.archive.snapshots import RawSnapshots
from pf_pipeline.orchestration import portal_assets
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.portal_assets import READ_IN_FULL
from pf_pipeline.orchestration.portal_directory import LISTINGS, USERS
from pf_pipeline.sandbox import RunningSandbox
from pf_pipeline_tests.conftest import PROJECT, PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob, check_results
from pf_pipeline_tests.portal.scripted import problem, reply, scripted_portal
from pf_pipeline_tests.tables import crm_rows

SAMPLE_DAY = date(2025, 12, 19)
BY_RULE = "SELECT assignment_rule, count(*) FROM crm.leads GROUP BY ALL"


@pytest.fixture
def few_properties(tmp_path: Path) -> str:
    """The first properties only: the leads of the others need the portal's own owner."""
    path = tmp_path / "properties.csv"
    pd.read_csv(PROJECT / "data/reference/properties.csv").head(10).to_csv(path, index=False)
    return str(path)


def by_rule(pipeline: Pipeline) -> dict[str, int]:
    rows = crm_rows(pipeline.settings.data_dir / "crm.duckdb", BY_RULE)
    return {str(rule): int(str(leads)) for rule, leads in rows}


def test_the_portal_decides_where_the_brokerages_own_data_does_not(
    make_pipeline: PipelineFactory, run_job: RunJob, few_properties: str
) -> None:
    pipeline = make_pipeline(api_dialect="atlas", properties=few_properties)
    result = run_job(pipeline, SAMPLE_DAY)
    assert result.success
    assert check_results(result)[READ_IN_FULL].passed
    counts = by_rule(pipeline)
    assert counts["portal_listing"] > 0
    assert counts["portal_agent"] > 0
    by_email = crm_rows(
        pipeline.settings.data_dir / "crm.duckdb",
        """
        SELECT DISTINCT agent_id FROM crm.leads
        WHERE starts_with(assignment_reason, 'is the portal''s agent of the lead, by email')
        """,
    )
    # The two agents whose portal ids the CRM never noted.
    assert {agent for (agent,) in by_email} <= {"A-11", "A-12"}
    assert by_email


def test_leads_that_were_unassigned_are_tried_again_once_the_portal_tells(
    make_pipeline: PipelineFactory, run_job: RunJob, few_properties: str
) -> None:
    pipeline = make_pipeline(properties=few_properties)
    assert run_job(pipeline, SAMPLE_DAY).success
    before = by_rule(pipeline)["unassigned"]
    asking = make_pipeline(properties=few_properties, api_dialect="atlas")
    users, listings = asking.refresh_directory(USERS), asking.refresh_directory(LISTINGS)
    assert users.newly_assigned + listings.newly_assigned > 0
    assert by_rule(pipeline)["unassigned"] < before
    assert by_rule(pipeline)["portal_listing"] > 0


def test_the_guide_dialect_names_no_such_endpoint(
    make_pipeline: PipelineFactory, sandbox: RunningSandbox
) -> None:
    before = sandbox.stats()["requests"].get("/v1/users")
    refreshed = make_pipeline().refresh_directory(USERS)
    assert refreshed.rows is None
    assert not refreshed.problem
    assert sandbox.stats()["requests"].get("/v1/users") == before


def test_what_cannot_be_read_is_said_and_what_is_known_stays(
    make_pipeline: PipelineFactory,
) -> None:
    pipeline = make_pipeline(api_dialect="atlas")
    assert (pipeline.refresh_directory(USERS).rows or 0) > 10
    with scripted_portal() as portal:
        portal.plays(problem(403, "Forbidden"))
        elsewhere = make_pipeline(api_dialect="atlas", api_base_url=portal.url, api_token="t")
        refused = elsewhere.refresh_directory(USERS)
        portal.plays(reply({"data": [{"id": 1}], "pagination": {"page": 1, "total": 9}}))
        short = elsewhere.refresh_directory(USERS)
        portal.plays(reply({"data": [], "pagination": {"page": 1, "total": 0}}))
        empty = elsewhere.refresh_directory(USERS)
    assert empty.problem
    assert empty.words == ("The portal gave no entry of /v1/users: what is known of it stays.")
    assert refused.problem
    assert refused.words.endswith("What is known of it stays.")
    assert short.problem
    assert short.words == (
        "The portal counts 9 entries of /v1/users, and gave 1: what is known of it stays."
    )
    with pipeline.crm() as crm:
        assert len(crm.reference_data().portal_users) > 10


def test_a_key_without_the_scope_for_users_still_brings_leads(
    make_pipeline: PipelineFactory, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_pipeline(api_dialect="atlas")
    monkeypatch.setattr(portal_assets, "USERS", replace(USERS, path="/v1/nowhere"))
    result = run_job(pipeline, SAMPLE_DAY)
    assert result.success
    found = [
        check for check in result.get_asset_check_evaluations() if check.check_name == READ_IN_FULL
    ]
    assert {check.asset_key.to_user_string(): check.passed for check in found} == {
        "portal_users": False,
        "portal_listings": True,
    }
    assert by_rule(pipeline)["listing_reference"] > 20


def test_pages_are_kept_as_received_once(make_pipeline: PipelineFactory) -> None:
    pipeline = make_pipeline(api_dialect="atlas")
    for _ in range(2):
        pipeline.refresh_directory(USERS)
        pipeline.refresh_directory(LISTINGS)
    raw = pipeline.settings.data_dir / "raw"
    assert len([*raw.glob("portal_*/snapshot=*")]) == 2
    pages = RawSnapshots(pipeline.settings.data_dir, "portal_listings").latest()
    assert pages is not None
    assert all(page.startswith(b'{"results":') for page in pages)


def test_listings_that_are_no_longer_published_are_read_too(
    make_pipeline: PipelineFactory,
) -> None:
    pipeline = make_pipeline(api_dialect="atlas")
    pipeline.refresh_directory(LISTINGS)
    with pipeline.crm() as crm:
        states = set(crm.reference_data().portal_listings["state"])
    assert states == {"live", "draft", "archived"}


def test_reading_the_same_again_makes_no_day_out_of_date(
    make_pipeline: PipelineFactory, run_job: RunJob, instance: dg.DagsterInstance
) -> None:
    def versions() -> set[str | None]:
        found = instance.get_latest_data_version_record(dg.AssetKey("portal_users"))
        assert found
        assert found.asset_materialization
        return {(found.asset_materialization.tags or {}).get("dagster/data_version")}

    assert run_job(make_pipeline(), SAMPLE_DAY).success
    before = versions()
    assert run_job(make_pipeline(), SAMPLE_DAY).success
    assert versions() == before
    assert run_job(make_pipeline(api_dialect="atlas"), SAMPLE_DAY).success
    assert versions() != before
