"""Who people are does not come out, however one asks, unless it is asked for by name."""

import duckdb
import pytest

from pf_pipeline.analysis import QueryError
from pf_pipeline.analysis.masking import Column
from pf_pipeline_tests.analysis.builders import PERSONAL
from pf_pipeline_tests.analysis.conftest import Ask
from pf_pipeline_tests.crm.builders import CrmFile

TABLES = (
    "crm.leads",
    "crm.call_recordings",
    "crm.lead_events",
    "crm.rejected_leads",
    "crm.properties",
    "crm.agents",
    "pipeline.lead_observations",
)
ROUNDABOUT = (
    "SELECT name AS x, phone AS y, email || '' AS z FROM crm.leads",
    "SELECT reverse(name), upper(email), substr(phone, 1, 9) FROM crm.leads",
    "SELECT leads FROM crm.leads AS leads",
    "SELECT to_json(l) FROM crm.leads AS l",
    "SELECT list(name), string_agg(phone, ','), max(email), any_value(message) FROM crm.leads",
    "SELECT COLUMNS('.*') FROM crm.leads",
    "SELECT x FROM (SELECT unnest([name, phone]) AS x FROM crm.leads)",
    "WITH l AS (SELECT * FROM crm.leads) SELECT l.name FROM l",
    "SELECT extra::VARCHAR, extra -> 'device', extra ->> '$.device.owner' FROM crm.leads",
    "SUMMARIZE crm.leads",
    "SUMMARIZE pipeline.lead_observations",
    "SELECT value AS status FROM crm.lead_events UNION ALL SELECT raw FROM crm.rejected_leads",
    "SELECT a.* FROM crm.agents AS a JOIN crm.leads USING (agent_id)",
    "SELECT recording_url AS listen FROM crm.call_recordings",
    "FROM crm.leads, LATERAL (SELECT phone AS other)",
    "SELECT (SELECT name FROM crm.leads LIMIT 1)",
)
GOING_AROUND = (
    "FROM read_duckdb('{path}', table_name = 'leads')",
    "SELECT * FROM (FROM read_duckdb('{path}', table_name = 'leads'))",
    "WITH a AS (FROM read_duckdb('{path}', table_name = 'leads')) FROM a",
    "SELECT 1 WHERE EXISTS (FROM read_duckdb('{path}', table_name = 'leads') WHERE name LIKE 'J%')",
    "FROM crm.leads UNION ALL FROM read_duckdb('{path}', table_name = 'leads')",
    "SUMMARIZE (FROM read_duckdb('{path}', table_name = 'leads'))",
    "FROM '{path}'",
    "FROM read_text('{path}')",
    "FROM query('FROM crm.leads')",
    "FROM query_table('crm.leads')",
    "FROM duckdb_views()",
    "FROM duckdb_databases()",
    "FROM sqlite_master",
    "FROM information_schema.views",
    "SELECT (WITH duckdb_views AS (SELECT 1) FROM duckdb_views), sql FROM duckdb_views",
    "FROM pragma_storage_info('crm.leads')",
    "FROM main.leads",
    "FROM leads",
    "ATTACH '{path}' AS other (READ_ONLY)",
    "CALL pragma_database_list()",
    "SELECT pseudonym('+971501234567')",
)


@pytest.mark.parametrize("sql", [*(f"FROM {table}" for table in TABLES), *ROUNDABOUT])
def test_nothing_personal_comes_out(ask: Ask, sql: str) -> None:
    rows = ask(sql).to_dict("records")
    assert rows
    shown = str(rows)
    for kind, value in PERSONAL.items():
        for part in {value, value[::-1], value.upper(), value[:9]}:
            assert part not in shown, f"{kind}: {part}"


@pytest.mark.parametrize("sql", GOING_AROUND)
def test_no_way_leads_around_the_views(ask: Ask, crm: CrmFile, sql: str) -> None:
    with pytest.raises(QueryError) as raised:
        ask(sql.format(path=crm.path))
    assert not [value for value in PERSONAL.values() if value in str(raised.value)]


def test_the_personal_data_is_there(crm: CrmFile) -> None:
    with duckdb.connect(str(crm.path), read_only=True) as connection:
        held = "".join(str(connection.execute(f"FROM {table}").fetchall()) for table in TABLES)
    assert [value for value in PERSONAL.values() if value not in held] == []


def test_what_is_asked_for_by_name_is_shown_and_nothing_else(ask: Ask) -> None:
    found = ask("SELECT phone, name FROM crm.leads", reveal=["phone"])
    assert found["phone"].unique().tolist() == [PERSONAL["phone"]]
    assert PERSONAL["name"] not in found["name"].tolist()


def test_a_column_can_be_revealed_in_one_table(ask: Ask) -> None:
    sql = "SELECT l.name client, a.name agent FROM crm.leads l JOIN crm.agents a USING (agent_id)"
    found = ask(sql, reveal=["agents.name"])
    assert found["agent"].tolist() == [PERSONAL["agent"]]
    assert found["client"].str.startswith("masked-").all()
    assert ask(sql, reveal="crm.leads.name")["client"].tolist() == [PERSONAL["name"]]


def test_json_can_be_asked_for(ask: Ask) -> None:
    found = ask("SELECT extra -> 'device' ->> 'owner' AS who FROM crm.leads", reveal=["extra"])
    assert PERSONAL["in an unknown field"] in found["who"].tolist()


def test_recordings_can_be_asked_for_in_events_too(ask: Ask) -> None:
    sql = "SELECT value FROM crm.lead_events WHERE kind = 'recording'"
    assert ask(sql, reveal=["recording_url"])["value"].tolist() == [PERSONAL["recording"]]


def test_statuses_and_agents_in_events_are_no_secret(ask: Ask) -> None:
    found = ask("SELECT value FROM crm.lead_events WHERE kind <> 'recording' ORDER BY value")
    assert found["value"].tolist() == ["7", "replied"]


def test_what_nobody_has_cannot_be_revealed(ask: Ask) -> None:
    with pytest.raises(QueryError, match="has a column 'phnoe' to reveal"):
        ask("FROM crm.leads", reveal=["phnoe"])


def test_equal_values_have_equal_pseudonyms_and_missing_ones_none(ask: Ask) -> None:
    found = ask("SELECT phone, email FROM crm.leads ORDER BY lead_id")
    first, second = found["phone"]
    assert first == second
    assert found["email"].isna().tolist() == [False, True]
    again = ask("SELECT phone FROM crm.leads")
    assert again["phone"].unique().tolist() == [first]


def test_an_error_quotes_nothing_that_stands_in_the_tables(ask: Ask) -> None:
    with pytest.raises(QueryError) as raised:
        ask("SELECT name::INTEGER FROM crm.leads", reveal=["name"])
    assert str(raised.value) == "The query cannot be answered: ConversionException while it ran."


@pytest.mark.parametrize(
    ("table", "name", "personal"),
    [
        ("webhook_events", "body", True),
        ("owners", "ownerPhone", True),
        ("properties", "Landlord Name", True),
        ("properties", "EMAIL_2", True),
        ("properties", "community", False),
        ("properties", "price_aed", False),
        ("agents", "nickname", True),
        ("agents", "agent_id", False),
        ("leads", "listing_title", False),
    ],
)
def test_columns_that_come_later_are_masked_by_their_names(
    table: str,
    name: str,
    personal: bool,  # noqa: FBT001 - a case of the table above
) -> None:
    assert Column(table, name, "VARCHAR").is_personal is personal
