"""``PF_CRM_URL``: which addresses are taken, and what is no CRM."""

from pathlib import Path

import pytest

from pf_pipeline.crm import CrmError, open_crm
from pf_pipeline_tests.crm.builders import CrmFile


def refusal(location: str) -> str:
    """The one sentence that says why an address or its file cannot be used."""
    with pytest.raises(CrmError) as raised, open_crm(location, lock_timeout=20):
        pass
    text = str(raised.value)
    assert text.endswith(".")
    assert text.isprintable()
    return text


@pytest.mark.parametrize(
    "location",
    [
        "",
        " ",
        "data/crm.duckdb",
        "postgresql://user:pa55word@db.example/crm",
        "sqlite:///crm.db",
        "duckdb",
        "duckdb:",
        "duckdb:crm.duckdb",
        "duckdb:/crm.duckdb",
        "duckdb://crm.duckdb",
        "duckdb:///",
        "duckdb:/// ",
        "duckdb:///:memory:",
        "duckdb:///a\nb.duckdb",
        "duckdb:///a\0b.duckdb",
        "DUCKDB:///crm.duckdb",
    ],
)
def test_an_address_of_another_kind_is_refused_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = refusal(location)
    assert text.startswith("The setting PF_CRM_URL must look like duckdb:///data/crm.duckdb")
    assert "pa55word" not in text
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "path",
    ["crm.duckdb", "data/crm.duckdb", "./crm.duckdb", "our crm/new leads.db", "عملاء.duckdb"],
)
def test_a_relative_path_begins_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_crm(f"duckdb:///{path}") as warehouse:
        assert warehouse.query("SELECT * FROM crm.leads").empty
    assert (tmp_path / path).is_file()


def test_an_absolute_path_has_four_slashes(tmp_path: Path) -> None:
    path = tmp_path / "a folder with spaces" / "crm.duckdb"
    location = f"duckdb:///{path}"
    assert location.startswith("duckdb:////")
    with open_crm(location):
        pass
    assert path.is_file()


CORRUPT = {
    "text": b"lead_id,name\nlead_1,John Doe\n" * 500,
    "one byte": b"\0",
    "nothing": b"",
    "zeros": bytes(20_000),
}


@pytest.mark.parametrize("content", CORRUPT.values(), ids=CORRUPT)
@pytest.mark.parametrize("folder", ["data", "locks of lockdown"])
def test_a_file_that_is_no_database_is_refused_at_once_and_not_harmed(
    tmp_path: Path, folder: str, content: bytes
) -> None:
    path = tmp_path / folder / "crm.duckdb"
    path.parent.mkdir()
    path.write_bytes(content)
    text = refusal(f"duckdb:///{path}")
    assert text.startswith(f"The CRM {path} cannot be opened: ")
    assert path.read_bytes() == content
    assert {file.name for file in path.parent.iterdir()} == {"crm.duckdb", "crm.duckdb.lock"}


@pytest.mark.parametrize("damage", ["cut off", "garbled", "of another version"])
def test_a_database_that_is_damaged_is_refused_and_not_harmed_further(
    crm: CrmFile, damage: str
) -> None:
    whole = crm.path.read_bytes()
    damaged = {
        "cut off": whole[:5_000],
        "garbled": whole[:12_288] + bytes(byte ^ 0xFF for byte in whole[12_288:]),
        "of another version": whole[:12] + bytes([255]) + whole[13:],
    }[damage]
    crm.path.write_bytes(damaged)
    text = refusal(crm.location)
    assert text.startswith(f"The CRM {crm.path} cannot be opened: ")
    assert crm.path.read_bytes() == damaged


def test_a_folder_is_no_crm(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal(f"duckdb:///{tmp_path}")


def test_a_file_in_the_place_of_the_folder_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    text = refusal(f"duckdb:///{tmp_path / 'data' / 'crm.duckdb'}")
    assert "cannot be opened: " in text
