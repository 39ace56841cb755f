"""Opening the CRM again and again in one process, which keeps an instance of DuckDB for it."""

from pathlib import Path

import duckdb
import pytest

from pf_pipeline.crm import CrmError, open_crm
from pf_pipeline.crm.connection import open_database
from pf_pipeline_tests.crm.builders import SAMPLE, CrmFile, guide_lead, lead, seen

MAKES_LEFTOVERS = """
CREATE TEMP TABLE leftover AS SELECT 1 AS one;
CREATE TEMP VIEW incoming AS SELECT 1 AS one;
SET TimeZone = 'Asia/Dubai';
"""


@pytest.mark.parametrize(
    "name",
    [
        *("memory.duckdb", "temp.duckdb", "main.duckdb", "information_schema.duckdb"),
        *("pg_catalog.duckdb", "pipeline.duckdb", 'Omar\'s "new" leads'),
    ],
)
def test_a_file_of_any_name_is_a_crm_to_us_and_to_a_notebook(tmp_path: Path, name: str) -> None:
    crm = CrmFile(tmp_path / name)
    crm.load(seen(guide_lead()))
    crm.load(seen(lead("second")))
    with duckdb.connect(str(crm.path), read_only=True) as notebook:
        assert notebook.sql("SELECT count(*) FROM crm.leads").fetchall() == [(2,)]


def test_nothing_of_one_opening_is_there_at_the_next(crm: CrmFile) -> None:
    with open_database(crm.location, 20) as connection:
        connection.execute(MAKES_LEFTOVERS)
    with open_database(crm.location, 20) as connection:
        (zone,) = connection.execute("SELECT current_setting('TimeZone')").fetchall()
        assert zone == ("UTC",)
        for relation in ("leftover", "incoming"):
            with pytest.raises(duckdb.CatalogException, match=relation):
                connection.execute(f"FROM {relation}")


def test_what_breaks_an_opening_breaks_it_alone_and_frees_the_file_at_once(crm: CrmFile) -> None:
    crm.load(seen(guide_lead()))
    try:
        with open_database(crm.location, 20) as connection:
            connection.execute("BEGIN; DELETE FROM crm.leads; SELECT nothing")
    except duckdb.Error:
        assert crm.lead()["name"] == "John Doe"
    else:
        pytest.fail("nothing broke")


def test_what_is_left_open_or_unread_is_gone_as_at_any_closing(crm: CrmFile) -> None:
    crm.load(seen(guide_lead()))
    with open_database(crm.location, 20) as connection:
        connection.execute("BEGIN; DELETE FROM crm.leads")
    with open_database(crm.location, 20) as connection:
        unread = connection.execute("FROM crm.leads, range(1_000_000)")
        assert unread.fetchone() is not None
    assert crm.lead()["name"] == "John Doe"


def test_what_does_not_fit_into_memory_stands_beside_the_crm(
    crm: CrmFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with open_database(crm.location, 20) as connection:
        (folder,) = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    assert folder == (f"{crm.path}.tmp",)
    assert [*(tmp_path / "elsewhere").iterdir()] == []


def test_a_link_to_a_crm_is_that_crm_with_its_lock(tmp_path: Path) -> None:
    crm, link = CrmFile(tmp_path / "brokerage.duckdb"), CrmFile(tmp_path / "crm.duckdb")
    link.path.symlink_to(crm.path)
    link.load(seen(guide_lead()))
    crm.load(seen(lead("second")))
    link.load(seen(lead("third")))
    assert {row["lead_id"] for row in crm.rows("leads")} == {SAMPLE, "second", "third"}
    with crm.open(), pytest.raises(CrmError, match="Another run held"), link.open(0.1):
        pass


def test_two_crms_of_one_name_are_open_at_once(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    old, new = CrmFile(tmp_path / "crm.duckdb"), CrmFile(tmp_path / "new" / "crm.duckdb")
    old.load(seen(guide_lead()))
    with old.open() as one, new.open() as other:
        counts = [crm.query("SELECT count(*) AS n FROM crm.leads")["n"][0] for crm in (one, other)]
    assert counts == [1, 0]


def test_a_crm_that_was_put_in_its_place_is_the_one_that_is_opened(tmp_path: Path) -> None:
    crm, other = CrmFile(tmp_path / "crm.duckdb"), CrmFile(tmp_path / "other" / "crm.duckdb")
    crm.load(seen(guide_lead()))
    other.load(seen(lead("of the other")))
    other.path.replace(crm.path)
    with open_crm(crm.location) as warehouse:
        leads = warehouse.query("SELECT lead_id FROM crm.leads")
    assert leads["lead_id"].tolist() == ["of the other"]
