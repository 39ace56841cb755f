import shutil
from pathlib import Path

import duckdb
import pytest

from pf_pipeline.crm import CrmError
from pf_pipeline_tests.crm.builders import NOON, SAMPLE, CrmFile, after, guide_lead, lead, seen

DESIGNED_COLUMNS = {
    "leads": (
        "lead_id channel status entity_type name email phone phone_e164 whatsapp_username message "
        "listing_id listing_reference listing_title portal_agent_id portal_agent_kind "
        "portal_agent_name property_ref agent_id assignment_rule assignment_reason assigned_at "
        "response_link tags extra created_at first_seen_at updated_at"
    ),
    "call_recordings": ("lead_id recording_url talk_seconds wait_seconds agent_id first_seen_at"),
    "properties": "internal_ref agent_id",
    "agents": "agent_id name email portal_user_id portal_profile_id active",
    "lead_events": "lead_id kind value occurred_at",
    "rejected_leads": "received_from partition_key lead_id reason raw received_at",
}
FILE_NAMES = (
    "crm.duckdb",
    "CRM.duckdb",
    "crm.backup.duckdb",
    ".crm.duckdb",
    "crm",
    "leads.duckdb",
    "pipeline.duckdb",
    "main.duckdb",
    "temp.db",
    "our crm, v2.duckdb",
)

file_names = pytest.mark.parametrize("file_name", FILE_NAMES)


@file_names
def test_every_table_has_the_columns_of_the_design_in_every_file_name(
    tmp_path: Path, file_name: str
) -> None:
    crm = CrmFile(tmp_path / file_name)
    with crm.open():
        pass
    with duckdb.connect(str(crm.path)) as connection:
        columns = {
            table: connection.sql(f"SELECT * FROM crm.{table}").columns
            for table in DESIGNED_COLUMNS
        }
    assert columns == {table: names.split() for table, names in DESIGNED_COLUMNS.items()}


@file_names
def test_a_lead_is_stored_and_found_in_every_file_name(tmp_path: Path, file_name: str) -> None:
    crm = CrmFile(tmp_path / file_name)
    crm.load(seen(guide_lead()))
    with duckdb.connect(str(crm.path)) as connection:
        assert connection.sql("SELECT lead_id FROM crm.leads").fetchall() == [(SAMPLE,)]


@pytest.mark.parametrize("table", ["leads", "call_recordings"])
def test_a_lead_stands_in_a_table_once_whoever_writes_it(crm: CrmFile, table: str) -> None:
    crm.load(seen(lead(recordingUrl="https://recordings.example/1.mp3")))
    with pytest.raises(duckdb.ConstraintException, match=r"(?i)primary key"):
        crm.by_hand(f"INSERT INTO crm.{table} SELECT * FROM crm.{table}")


def test_a_change_of_a_lead_stands_in_the_history_once_whoever_writes_it(crm: CrmFile) -> None:
    crm.load(seen(guide_lead(status="sent")))
    with pytest.raises(duckdb.ConstraintException, match=r"(?i)primary key"):
        crm.by_hand("INSERT INTO crm.lead_events SELECT * FROM crm.lead_events")


def test_opening_again_changes_no_table(crm: CrmFile) -> None:
    crm.load(seen(guide_lead(), lead("broken", createdAt="never")))
    before = crm.tables()
    for _ in range(3):
        with crm.open():
            pass
    assert crm.tables() == before


def test_what_one_opening_wrote_the_next_one_reads(crm: CrmFile) -> None:
    for number in range(4):
        crm.load(seen(lead(f"lead_{number}")))
        with crm.open() as warehouse:
            count = warehouse.query("SELECT count(*) AS n FROM crm.leads")["n"].item()
        assert count == number + 1


def test_the_folder_of_a_new_file_is_made(tmp_path: Path) -> None:
    crm = CrmFile(tmp_path / "not" / "yet" / "crm.duckdb")
    crm.load(seen(guide_lead()))
    assert crm.lead()["name"] == "John Doe"


def test_tables_of_others_in_the_same_file_are_left_alone(tmp_path: Path) -> None:
    crm = CrmFile(tmp_path / "brokerage.duckdb")
    crm.by_hand("CREATE TABLE leads AS SELECT 'walk-in' AS source, 5 AS stars")
    crm.load(seen(guide_lead()))
    assert crm.query("SELECT * FROM main.leads") == [{"source": "walk-in", "stars": 5}]
    assert crm.lead()["name"] == "John Doe"


@pytest.mark.parametrize(
    ("made_as", "renamed_to"),
    [("crm.duckdb", "copy.duckdb"), ("copy.duckdb", "crm.duckdb")],
)
def test_a_renamed_file_whose_tables_would_not_be_found_is_refused(
    tmp_path: Path, made_as: str, renamed_to: str
) -> None:
    made = CrmFile(tmp_path / made_as)
    made.load(seen(guide_lead()))
    renamed = CrmFile(Path(shutil.move(made.path, tmp_path / renamed_to)))
    with pytest.raises(CrmError, match="give the file its former name"), renamed.open():
        pass
    shutil.move(renamed.path, made.path)
    assert made.lead()["name"] == "John Doe"


def test_a_file_that_is_renamed_between_other_names_keeps_its_leads(tmp_path: Path) -> None:
    made = CrmFile(tmp_path / "crm.duckdb")
    made.load(seen(guide_lead()))
    renamed = CrmFile(Path(shutil.move(made.path, tmp_path / "crm.old.duckdb")))
    renamed.load(seen(lead("another")))
    assert [row["lead_id"] for row in renamed.rows("leads")] == ["another", SAMPLE]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2025-12-19T14:30:00+04:00", "2025-12-19 10:30:00+00"),
        ("2025-12-20T01:00:00+04:00", "2025-12-19 21:00:00+00"),
    ],
)
def test_instants_are_stored_as_such_whatever_offset_the_portal_wrote(
    crm: CrmFile, sent: str, stored: str
) -> None:
    crm.load(seen(lead(createdAt=sent), at=after(24 * 60)))
    assert crm.query("SELECT created_at::VARCHAR AS text FROM crm.leads") == [{"text": stored}]


def test_a_query_gives_instants_in_utc(crm: CrmFile) -> None:
    crm.load(seen(guide_lead()))
    with crm.open() as warehouse:
        first_seen = warehouse.query("SELECT first_seen_at FROM crm.leads")["first_seen_at"]
    assert str(first_seen.dtype) == "datetime64[us, UTC]"
    assert first_seen.item() == NOON


def test_a_query_takes_parameters(crm: CrmFile) -> None:
    crm.load(seen(lead("lead_1"), lead("lead_2")))
    with crm.open() as warehouse:
        found = warehouse.query("SELECT lead_id FROM crm.leads WHERE lead_id <> ?", ["lead_1"])
    assert found["lead_id"].tolist() == ["lead_2"]


def test_duckdb_starts_no_thread_for_every_core(crm: CrmFile) -> None:
    with crm.open() as warehouse:
        found = warehouse.query("SELECT current_setting('threads') AS threads")
    assert found["threads"].tolist() == [2]


@pytest.mark.parametrize("missing", ["crm.rejected_leads", "pipeline.webhook_cursors"])
def test_a_table_that_somebody_removed_is_there_again(crm: CrmFile, missing: str) -> None:
    crm.load(seen(guide_lead()))
    crm.by_hand(f"DROP TABLE {missing}")
    with crm.open() as warehouse:
        assert warehouse.query(f"SELECT count(*) AS n FROM {missing}")["n"].item() == 0
    assert crm.lead()["name"] == "John Doe"


def test_a_crm_of_an_earlier_schema_is_completed(crm: CrmFile) -> None:
    crm.load(seen(guide_lead()))
    crm.by_hand("UPDATE pipeline.schema_marker SET made_of = 'an earlier one'")
    crm.by_hand("DROP INDEX pipeline.observations_of_lead")
    with crm.open() as warehouse:
        indexes = warehouse.query("SELECT index_name FROM duckdb_indexes()")["index_name"]
    assert indexes.tolist() == ["observations_of_lead"]
    assert crm.lead()["name"] == "John Doe"
