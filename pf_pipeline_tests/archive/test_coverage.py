from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pf_pipeline.archive import AskedFor, RawLeads, Window
from pf_pipeline_tests.archive.builders import DAY, NEXT_DAY, after, finish, open_pass


@pytest.fixture
def raw(tmp_path: Path) -> RawLeads:
    return RawLeads(tmp_path)


def at(hour: int, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def sweep(
    raw: RawLeads, window: Window, *, complete: bool = True, asked_for: AskedFor = "window"
) -> None:
    with open_pass(raw, days=(DAY, NEXT_DAY), window=window, asked_for=asked_for) as leads_pass:
        finish(leads_pass, complete=complete)


def test_what_was_never_swept_is_one_gap(raw: RawLeads) -> None:
    assert raw.covered(DAY) == []
    assert raw.gaps(DAY, at(0, NEXT_DAY)) == [Window(at(0), at(0, NEXT_DAY))]


def test_overlapping_sweeps_become_one_window(raw: RawLeads) -> None:
    for start, end in ((14, 16), (1, 3), (2, 5)):
        sweep(raw, Window(at(start), at(end)))
    assert raw.covered(DAY) == [Window(at(1), at(5)), Window(at(14), at(16))]
    assert raw.gaps(DAY, at(15)) == [Window(at(0), at(1)), Window(at(5), at(14))]


def test_a_sweep_of_two_days_covers_its_part_of_each(raw: RawLeads) -> None:
    sweep(raw, Window(at(20), at(6, NEXT_DAY)))
    assert raw.covered(DAY) == [Window(at(20), at(0, NEXT_DAY))]
    assert raw.covered(NEXT_DAY) == [Window(at(0, NEXT_DAY), at(6, NEXT_DAY))]
    assert raw.gaps(NEXT_DAY, at(8, NEXT_DAY)) == [Window(at(6, NEXT_DAY), at(8, NEXT_DAY))]


def test_an_incomplete_sweep_covers_nothing(raw: RawLeads) -> None:
    sweep(raw, Window(at(0), at(9)), complete=False)
    assert raw.covered(DAY) == []


def test_a_sweep_of_single_leads_covers_nothing(raw: RawLeads) -> None:
    sweep(raw, Window(at(0), at(9)), asked_for="ids")
    assert raw.covered(DAY) == []


@pytest.mark.parametrize("until", [at(0), at(0, date(2025, 12, 18))])
def test_before_a_day_begins_it_has_no_gaps(raw: RawLeads, until: datetime) -> None:
    assert raw.gaps(DAY, until) == []


def test_the_manifest_says_how_complete_the_pass_was(raw: RawLeads) -> None:
    with open_pass(raw) as leads_pass:
        given = leads_pass.finish(complete=False, distinct=41, total=43, rounds=3, pages_read=7)
    assert raw.manifests(DAY) == given
    (manifest,) = given
    assert (manifest.complete, manifest.distinct, manifest.portal_total) == (False, 41, 43)
    assert (manifest.rounds, manifest.pages_read, manifest.asked_for) == (3, 7, "window")
    assert manifest.finished_at == after(1 / 60)
