"""Opening the CRM again and again in one process, which keeps an instance of DuckDB for it."""

from pathlib import Path

import duckdb
import pytest

from pf_pipeline.crm import open_crm
from pf_pipeline.crm.connection import open_database
from pf_pipeline_tests.crm.builders import CrmFile, guide_lead, lead, seen

MAKES_LEFTOVERS = """
CREATE TEMP TABLE leftover AS SELECT 1 AS one;
CREATE TEMP VIEW incoming AS SELECT 1 AS one;
SET TimeZone = 'Asia/Dubai';
"""


@pytest.mark.parametrize(
    "name", ["memory.duckdb", "temp.duckdb", "main.duckdb", "nothing.duckdb", 'Omar\'s "new" leads']
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
