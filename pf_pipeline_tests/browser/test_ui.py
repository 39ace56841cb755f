"""A newcomer's way through the Dagster UI."""

import json
import re
from pathlib import Path

import pytest

from pf_pipeline_tests.browser.conftest import SAMPLE_DAY
from pf_pipeline_tests.browser.instance import Run
from pf_pipeline_tests.browser.ui_process import RunningUi
from pf_pipeline_tests.browser.visitor import Visitor
from pf_pipeline_tests.browser.waiting import wait_for
from pf_pipeline_tests.tables import crm_rows

pytestmark = pytest.mark.browser

GROUPS = {
    "crm": ["call_recordings", "crm_leads"],
    "leads": ["assigned_leads", "validated_leads"],
    "portal": ["portal_listings", "portal_users", "raw_leads", "raw_webhook_events"],
    "reference": ["agents", "properties"],
    "reports": ["lead_report"],
}
REFERENCE = {"agents", "properties", "portal_users", "portal_listings"}
ASSETS = {asset for assets in GROUPS.values() for asset in assets}
REPORT = {"lead_report"}
BY_DAY = ASSETS - REFERENCE - REPORT
CHECKS = {
    "raw_leads": ["sweeps_complete"],
    "validated_leads": ["rejects_under_threshold", "schema"],
    "assigned_leads": ["lead_ids_unique", "unassigned_share"],
    "crm_leads": ["arrived_by_webhook", "everything_accounted_for"],
}
WEEK, WEEK_BEFORE = ("2025-12-13", "2025-12-19"), ("2025-12-06", "2025-12-12")
LONGEST_REFRESH = 60
"""Seconds until the UI shows what the instance knows."""


def crm_file(ui: RunningUi) -> Path:
    return ui.data_dir / "crm.duckdb"


def is_green(ui: RunningUi, asset: str, first: str, last: str) -> bool:
    return any(start <= first and last <= end for start, end in ui.instance.green_ranges(asset))


def runs_of(ui: RunningUi, backfill_id: str) -> list[Run]:
    runs = ui.instance.runs_of_backfill(backfill_id)
    seconds = [run.seconds for run in runs]
    print(f"backfill of 7 days: {ui.instance.backfill(backfill_id)}, runs of {seconds} s")  # noqa: T201
    return runs


def test_the_asset_graph_shows_the_assets_in_their_groups(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.follow("Lineage")
    listed = visitor.unfold_groups()
    visitor.shoot("graph-1-groups")
    assert listed == [name for group, assets in GROUPS.items() for name in (group, *assets)]
    visitor.unfold_graph()
    visitor.sees("validated_leads")
    visitor.shoot("graph-2-assets")


def test_one_day_of_everything_is_one_run_that_fills_the_crm(
    visitor: Visitor, ui: RunningUi, sample_day_run: str
) -> None:
    (run,) = ui.instance.runs(runIds=[sample_day_run])
    assert (run.status, run.assets) == ("SUCCESS", frozenset(ASSETS))
    assert all(is_green(ui, asset, SAMPLE_DAY, SAMPLE_DAY) for asset in BY_DAY)
    for asset in sorted(BY_DAY):
        visitor.open(f"/assets/{asset}?view=partitions&partition={SAMPLE_DAY}")
        visitor.sees("Materialized")
        visitor.sees("Metadata")
        visitor.shoot(f"one-day-4-{asset}")
    lead = crm_rows(
        crm_file(ui),
        """
        SELECT lead.agent_id, lead.assignment_rule, owner.agent_id
        FROM crm.leads AS lead
        JOIN crm.properties AS owner ON owner.internal_ref = lead.property_ref
        WHERE lead.lead_id = 'lead_987654' AND lead.property_ref = 'APT-DOWNTOWN-101'
        """,
    )
    assert lead == [("A-01", "listing_reference", "A-01")]


def test_a_week_launched_from_the_job_is_one_run(visitor: Visitor, ui: RunningUi) -> None:
    visitor.open("/")
    visitor.follow("Jobs")
    visitor.page.get_by_role("link", name="leads_job").click()
    visitor.sees(re.compile("Brings the leads of one day"))
    visitor.shoot("job-1")
    visitor.choose_partitions(f"[{WEEK[0]}...{WEEK[1]}]")
    visitor.sees("7 partitions")
    visitor.shoot("job-2-chosen")
    backfill_id = visitor.launch("Launch backfill")
    assert visitor.backfill_outcome() == "Succeeded"
    visitor.shoot("job-3-succeeded")
    (run,) = runs_of(ui, backfill_id)
    assert (run.job, run.status, run.assets) == ("leads_job", "SUCCESS", frozenset(ASSETS))
    assert all(is_green(ui, asset, *WEEK) for asset in BY_DAY)


@pytest.mark.timeout(600)
def test_a_week_launched_from_the_asset_graph_is_four_runs(
    visitor: Visitor, ui: RunningUi, sample_day_run: str
) -> None:
    """What has no partitions comes first, by itself; what needs it comes after it."""
    visitor.open("/asset-groups")
    visitor.choose_partitions(f"[{WEEK_BEFORE[0]}...{WEEK_BEFORE[1]}]")
    visitor.sees("7 partitions")
    visitor.shoot("week-1-chosen")
    backfill_id = visitor.launch("Launch backfill")
    assert visitor.backfill_outcome() == "Succeeded"
    visitor.shoot("week-2-succeeded")
    runs = runs_of(ui, backfill_id)
    assert {run.status for run in runs} == {"SUCCESS"}
    assert {run.assets for run in runs} == {
        frozenset(REFERENCE),
        frozenset({"raw_leads", "raw_webhook_events", "validated_leads"}),
        frozenset({"assigned_leads", "crm_leads", "call_recordings"}),
        frozenset(REPORT),
    }
    assert all(is_green(ui, asset, *WEEK_BEFORE) for asset in BY_DAY)
    # Properties and agents were read again and are the same: no other day is out of date.
    assert sample_day_run
    assert ui.instance.stale_status("assigned_leads", SAMPLE_DAY) == "FRESH"


@pytest.mark.parametrize(
    ("name", "description"),
    [
        pytest.param(
            "poll_schedule", "Asks the portal every five minutes for what is new", id="poll"
        ),
        pytest.param(
            "nightly_schedule", "Reads the last full days (PF_TRAILING_DAYS)", id="nightly"
        ),
        pytest.param("failed_run_sensor", "Logs one line for every failed run", id="failed-run"),
    ],
)
def test_the_automation_page_says_what_each_does(
    visitor: Visitor, name: str, description: str
) -> None:
    visitor.open("/")
    visitor.follow("Automation")
    assert visitor.description_of(name).startswith(description)
    visitor.shoot(f"automation-{name}")


@pytest.mark.usefixtures("sample_day_run")
def test_the_checks_of_each_asset_are_there_and_passed(visitor: Visitor) -> None:
    for asset, checks in CHECKS.items():
        visitor.open(f"/assets/{asset}")
        visitor.page.get_by_role("tab", name="Checks").or_(
            visitor.page.get_by_role("link", name="Checks", exact=True)
        ).first.click()
        for check in checks:
            visitor.page.get_by_text(check, exact=True).first.click()
            visitor.sees(re.compile(r"^Holds for 2025-12-\d\d"))
            visitor.sees("Passed")
            visitor.shoot(f"check-{asset}-{check}")


@pytest.mark.usefixtures("sample_day_run")
def test_a_check_executed_by_itself_looks_at_every_day_that_there_is(
    visitor: Visitor, ui: RunningUi
) -> None:
    visitor.open("/assets/crm_leads?view=checks")
    visitor.press("Execute")
    visitor.sees(re.compile("^Launched run"))

    def finished() -> list[Run]:
        return [run for run in ui.instance.runs(statuses=["SUCCESS"]) if not run.assets]

    wait_for(finished, LONGEST_REFRESH, "the run of the check")
    checks = ui.instance.told_of("crm_leads")["assetChecksOrError"]["checks"]
    assert len(checks) == len(CHECKS["crm_leads"])
    found = [check["executionForLatestMaterialization"]["evaluation"] for check in checks]
    # The page executes the check that it shows; the others stay as they are.
    assert any(SAMPLE_DAY in evaluation["description"] for evaluation in found)


@pytest.mark.usefixtures("sample_day_run")
def test_column_schemas_are_those_of_the_crm(ui: RunningUi) -> None:
    tables = {"crm_leads": "leads", "call_recordings": "call_recordings", "agents": "agents"}
    for asset, table in tables.items():
        columns = crm_rows(crm_file(ui), f"SELECT column_name FROM (DESCRIBE crm.{table})")
        told = ui.instance.told_of(asset)["metadataEntries"]
        (schema,) = [entry["schema"] for entry in told if "schema" in entry]
        assert {column["name"] for column in schema["columns"]} == {name for (name,) in columns}


@pytest.mark.usefixtures("sample_day_run")
def test_nothing_that_the_ui_shows_says_who_a_client_is(ui: RunningUi) -> None:
    """The UI shows what the instance holds: runs, events, metadata and output of processes."""
    personal = {
        str(value)
        for row in crm_rows(
            crm_file(ui),
            """
            SELECT name, email, phone, phone_e164, message, whatsapp_username FROM crm.leads
            UNION ALL SELECT name, email, NULL, NULL, NULL, NULL FROM crm.agents
            """,
        )
        for value in row
        if value
    }
    assert len(personal) > 100
    held = b"".join(
        path.read_bytes()
        for folder in ("dagster", "logs")
        for path in (ui.data_dir / folder).rglob("*")
        if path.is_file()
    ).decode(errors="replace")
    assert "APT-DOWNTOWN-307" in held, "the previews are not where they are looked for"
    assert {value for value in personal if value in held or json.dumps(value) in held} == set()
