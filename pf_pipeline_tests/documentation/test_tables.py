"""The pages describe the tables of the CRM and the reference files as they are."""

import re

import duckdb

from pf_pipeline.crm.reference_data import AGENT_COLUMNS, PROPERTY_COLUMNS
from pf_pipeline_tests.documentation.conftest import Demo
from pf_pipeline_tests.documentation.pages import DOCS, prose, section, table_rows

READING, REAL_PORTAL = DOCS / "reading-results.md", DOCS / "real-portal.md"
WITH_FURTHER_COLUMNS = {"properties", "agents"}


def described_tables() -> dict[str, list[str]]:
    names = re.findall(r"^### crm\.(\w+)$", prose(READING), re.MULTILINE)
    return {
        name: [row[0].strip("`") for row in table_rows(section(READING, f"crm.{name}"))]
        for name in names
    }


def test_every_table_is_described_with_its_columns(demo: Demo) -> None:
    with duckdb.connect(str(demo.crm), read_only=True) as crm:
        found = crm.execute(
            """
            SELECT table_name, list(column_name ORDER BY column_index)
            FROM duckdb_columns()
            WHERE schema_name = 'main' AND database_name = 'crm' AND NOT internal
            GROUP BY table_name
            """
        ).fetchall()
    described = described_tables()
    tables = dict(found)
    assert described.keys() == tables.keys()
    for name, columns in tables.items():
        expected = columns[: len(described[name])] if name in WITH_FURTHER_COLUMNS else columns
        assert described[name] == expected, name


def test_the_reference_files_are_described_with_their_columns() -> None:
    rows = table_rows(section(REAL_PORTAL, "Your listings and people"))
    columns = re.findall(r"`(\w+)`", " ".join(row[1] for row in rows))
    assert columns == [*PROPERTY_COLUMNS, *AGENT_COLUMNS]


def test_the_values_that_are_named_occur(demo: Demo) -> None:
    with duckdb.connect(str(demo.crm), read_only=True) as crm:
        for column, table in (
            ("assignment_rule", "leads"),
            ("channel", "leads"),
            ("kind", "lead_events"),
            ("received_from", "rejected_leads"),
        ):
            query = f"SELECT DISTINCT {column} FROM crm.{table}"
            values = {value for (value,) in crm.execute(query).fetchall()}
            (meaning,) = [
                row[1]
                for row in table_rows(section(READING, f"crm.{table}"))
                if row[0] == f"`{column}`"
            ]
            assert values <= set(re.findall(r"`(\w+)`", meaning)), column
