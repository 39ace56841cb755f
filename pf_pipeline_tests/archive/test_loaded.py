"""What of each day is in the CRM."""

from pathlib import Path

import pytest

from pf_pipeline.archive import Archive
from pf_pipeline.archive.loaded import LoadedSources
from pf_pipeline_tests.archive.builders import DAY, NEXT_DAY, files_under

CRM, OTHER_CRM = "duckdb:///data/crm.duckdb", "duckdb:///elsewhere/crm.duckdb"


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedSources:
    return Archive(tmp_path).loaded_leads


def test_what_was_noted_reads_back(loaded: LoadedSources, tmp_path: Path) -> None:
    loaded.note(DAY, {"sweep=2", "sweep=1"}, CRM)
    assert loaded.read(DAY, CRM) == frozenset({"sweep=1", "sweep=2"})
    assert sorted(files_under(tmp_path)) == ["staged/crm_leads/date=2025-12-19/loaded.json"]


def test_the_last_note_counts(loaded: LoadedSources) -> None:
    loaded.note(DAY, {"sweep=1"}, CRM)
    loaded.note(DAY, {"sweep=2"}, CRM)
    assert loaded.read(DAY, CRM) == frozenset({"sweep=2"})


def test_nothing_is_loaded_without_a_note_or_in_another_crm(loaded: LoadedSources) -> None:
    loaded.note(DAY, {"sweep=1"}, CRM)
    assert loaded.read(NEXT_DAY, CRM) is None
    assert loaded.read(DAY, OTHER_CRM) is None


def test_a_day_of_which_nothing_was_received_can_be_loaded(loaded: LoadedSources) -> None:
    loaded.note(DAY, [], CRM)
    assert loaded.read(DAY, CRM) == frozenset()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"{}", b'{"crm": 1}', b"\xff"])
def test_a_damaged_note_says_nothing(loaded: LoadedSources, content: bytes) -> None:
    loaded.note(DAY, {"sweep=1"}, CRM)
    loaded.path(DAY).write_bytes(content)
    assert loaded.read(DAY, CRM) is None
