import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pf_pipeline.archive import RESUME_WITHIN, KnownPage, LeadsPass, RawLeads, Window
from pf_pipeline_tests.archive.builders import (
    DAY,
    NEXT_DAY,
    NOON,
    WINDOW,
    Page,
    after,
    files_under,
    finish,
    ids_of,
    lead,
    open_pass,
    page,
    store,
    stored_pages,
)

BOTH_DAYS = (DAY, NEXT_DAY)
PAGES = [page(n, lead(f"{n}"), lead(f"{n}-next", NEXT_DAY), total=6) for n in (1, 2, 3)]
TOO_LATE = RESUME_WITHIN / timedelta(minutes=1)


@pytest.fixture
def raw(tmp_path: Path) -> RawLeads:
    return RawLeads(tmp_path)


def interrupt(
    raw: RawLeads,
    *pages: Page,
    days: Sequence[date] = (DAY,),
    window: Window = WINDOW,
    at: datetime = NOON,
) -> None:
    """A pass that the portal's failure ends after some pages."""
    with suppress(ConnectionError), open_pass(raw, days=days, window=window, at=at) as leads_pass:
        for received in pages:
            leads_pass.store(received)
        raise ConnectionError("the portal is gone")


def numbers(leads_pass: LeadsPass) -> list[int]:
    return [known.number for known in leads_pass.known]


def journals(data_dir: Path) -> list[Path]:
    return sorted(data_dir.glob("raw/passes/*.jsonl"))


# ---- resuming


def test_a_pass_that_ended_leaves_neither_journal_nor_lock(raw: RawLeads, tmp_path: Path) -> None:
    store(raw, *PAGES, days=BOTH_DAYS)
    assert files_under(tmp_path / "raw/passes") == {}


def test_an_interrupted_pass_is_resumed_with_the_pages_it_stored(raw: RawLeads) -> None:
    interrupt(raw, *PAGES[:2], days=BOTH_DAYS)
    with open_pass(raw, days=BOTH_DAYS, at=after(5)) as leads_pass:
        assert leads_pass.resumed
        assert leads_pass.known == [
            KnownPage(stored.number, stored.body, stored.requested_at, stored.total)
            for stored in PAGES[:2]
        ]
        assert [known.records for known in leads_pass.known] == [one.records for one in PAGES[:2]]
        leads_pass.store(PAGES[2])
        finish(leads_pass)
    assert ids_of(raw, DAY) == ["1", "2", "3"]
    assert ids_of(raw, NEXT_DAY) == ["1-next", "2-next", "3-next"]
    assert [len(raw.manifests(day)) for day in BOTH_DAYS] == [1, 1]


def test_a_pass_that_nobody_interrupted_is_not_resumed(raw: RawLeads) -> None:
    with open_pass(raw) as leads_pass:
        assert (leads_pass.resumed, leads_pass.known, leads_pass.beyond) == (False, [], None)
        assert leads_pass.window == WINDOW


def test_a_resumed_pass_keeps_its_pinned_end_and_tells_what_lies_beyond(raw: RawLeads) -> None:
    pinned = Window(WINDOW.start, NOON)
    interrupt(raw, PAGES[0], window=pinned)
    with open_pass(raw, window=Window(WINDOW.start, after(5)), at=after(5)) as leads_pass:
        assert leads_pass.window == pinned
        assert leads_pass.beyond == Window(NOON, after(5))
        (manifest,) = finish(leads_pass)
    assert (manifest.start, manifest.end) == (pinned.start, pinned.end)


def test_a_pass_can_be_interrupted_again_and_again(raw: RawLeads) -> None:
    for attempt, received in enumerate(PAGES):
        with open_pass(raw, days=BOTH_DAYS, at=after(attempt)) as leads_pass:
            assert numbers(leads_pass) == [1, 2, 3][:attempt]
            leads_pass.store(received)
    with open_pass(raw, days=BOTH_DAYS, at=after(9)) as leads_pass:
        finish(leads_pass)
    assert ids_of(raw, DAY) == ["1", "2", "3"]


def test_unchanged_pages_are_known_to_a_resumed_pass_too(raw: RawLeads, tmp_path: Path) -> None:
    store(raw, *PAGES, days=BOTH_DAYS)
    before = stored_pages(tmp_path)
    interrupt(raw, *PAGES[:2], days=BOTH_DAYS, at=after(5))
    with open_pass(raw, days=BOTH_DAYS, at=after(6)) as leads_pass:
        assert numbers(leads_pass) == [1, 2]
        leads_pass.store(PAGES[2])
        finish(leads_pass)
    assert stored_pages(tmp_path) == before
    assert [sighting.times for sighting in raw.sightings(DAY)] == [2, 2, 2]


def test_pages_packed_in_between_are_known_to_a_resumed_pass(raw: RawLeads) -> None:
    store(raw, *PAGES)
    interrupt(raw, *PAGES, at=after(5))
    assert raw.pack(DAY) is not None
    with open_pass(raw, at=after(6)) as leads_pass:
        assert numbers(leads_pass) == [1, 2, 3]


def test_before_it_is_finished_readers_see_nothing_of_a_pass(raw: RawLeads) -> None:
    with open_pass(raw) as leads_pass:
        leads_pass.store(PAGES[0])
        assert (raw.manifests(DAY), list(raw.sightings(DAY))) == ([], [])


@pytest.mark.parametrize(
    "asked",
    [
        {"days": (NEXT_DAY,)},
        {"days": BOTH_DAYS},
        {"asked_for": "ids"},
    ],
)
def test_passes_that_ask_for_something_else_leave_an_interrupted_one_alone(
    raw: RawLeads, asked: dict[str, Any]
) -> None:
    interrupt(raw, *PAGES[:2])
    # At the very same instant, so that both would have the same name.
    with open_pass(raw, at=NOON, **asked) as other:
        assert not other.resumed
        finish(other)
    with open_pass(raw, at=after(2)) as leads_pass:
        assert numbers(leads_pass) == [1, 2]


def test_the_order_of_the_days_does_not_matter(raw: RawLeads) -> None:
    interrupt(raw, PAGES[0], days=BOTH_DAYS)
    with open_pass(raw, days=(NEXT_DAY, DAY), at=after(1)) as leads_pass:
        assert numbers(leads_pass) == [1]


def test_a_pass_that_runs_is_not_resumed_nor_disturbed(raw: RawLeads) -> None:
    with open_pass(raw) as first:
        first.store(PAGES[0])
        with open_pass(raw, at=after(1)) as second:
            assert not second.resumed
            second.store(PAGES[1])
            finish(second)
        first.store(PAGES[2])
        finish(first)
    assert sorted(ids_of(raw)) == ["1", "2", "3"]
    assert len(raw.manifests(DAY)) == 2


def test_only_one_of_many_resumes_a_pass(raw: RawLeads) -> None:
    interrupt(raw, *PAGES)

    def attempt(worker: int) -> int:
        with open_pass(raw, at=after(worker)) as leads_pass:
            for received in PAGES[len(leads_pass.known) :]:
                leads_pass.store(received)
            finish(leads_pass)
            return len(leads_pass.known)

    with ThreadPoolExecutor(6) as pool:
        known = list(pool.map(attempt, range(6)))
    assert sorted(known) == [0, 0, 0, 0, 0, 3]
    assert sorted(ids_of(raw)) == sorted(["1", "2", "3"] * 6)


# ---- passes that cannot be resumed any more


def test_too_late_a_pass_is_closed_and_its_pages_count(raw: RawLeads, tmp_path: Path) -> None:
    interrupt(raw, *PAGES[:2], days=BOTH_DAYS)
    with open_pass(raw, days=BOTH_DAYS, at=after(TOO_LATE)) as leads_pass:
        assert not leads_pass.resumed
        assert ids_of(raw, DAY) == ["1", "2"]
        for day in BOTH_DAYS:
            (manifest,) = raw.manifests(day)
            assert (manifest.complete, manifest.distinct, manifest.portal_total) == (False, None, 6)
            assert (manifest.pages_read, manifest.finished_at) == (2, PAGES[1].requested_at)
    assert journals(tmp_path) == []


def test_just_in_time_a_pass_is_resumed(raw: RawLeads) -> None:
    interrupt(raw, *PAGES)
    with open_pass(raw, at=after(TOO_LATE - 1 / 60)) as leads_pass:
        assert leads_pass.resumed


def test_asked_from_another_instant_on_an_interrupted_pass_is_closed(raw: RawLeads) -> None:
    interrupt(raw, PAGES[0])
    later = Window(WINDOW.start + timedelta(hours=1), WINDOW.end)
    with open_pass(raw, window=later, at=after(1)) as leads_pass:
        assert not leads_pass.resumed
    (manifest,) = raw.manifests(DAY)
    assert (manifest.complete, manifest.start) == (False, WINDOW.start)


def test_abandoned_passes_are_closed_on_demand(raw: RawLeads, tmp_path: Path) -> None:
    assert raw.close_abandoned(NOON) == []
    interrupt(raw, PAGES[0])
    assert raw.close_abandoned(after(TOO_LATE - 1)) == []
    closed = raw.close_abandoned(after(TOO_LATE + 1))
    assert closed == raw.manifests(DAY)
    assert [one.complete for one in closed] == [False]
    assert files_under(tmp_path / "raw/passes") == {}


def test_a_pass_that_runs_is_not_abandoned_however_old_it_is(raw: RawLeads) -> None:
    with open_pass(raw) as leads_pass:
        leads_pass.store(PAGES[0])
        assert raw.close_abandoned(after(TOO_LATE + 1)) == []
        finish(leads_pass)
    assert ids_of(raw) == ["1"]


def test_an_abandoned_pass_without_a_page_leaves_nothing(raw: RawLeads, tmp_path: Path) -> None:
    interrupt(raw, page(1, lead("other", NEXT_DAY)))
    assert files_under(tmp_path) == {}


def test_an_abandoned_pass_whose_pages_are_gone_leaves_nothing(
    raw: RawLeads, tmp_path: Path
) -> None:
    interrupt(raw, PAGES[0])
    for path in stored_pages(tmp_path):
        path.write_bytes(b"damaged")
    assert raw.close_abandoned(after(TOO_LATE)) == []
    assert files_under(tmp_path) == {}
    assert not (tmp_path / "raw/leads/date=2025-12-19").exists()


# ---- between the manifests of two days


def interrupt_between_manifests(
    raw: RawLeads, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass that stops when the first day's manifest stands and the second's does not."""
    second_day = data_dir / "raw/leads/date=2025-12-20"
    replace_file = Path.replace

    def stop_before_the_second(path: Path, target: Path) -> Path:
        if target.name == "manifest.json" and target.is_relative_to(second_day):
            raise ConnectionError
        return replace_file(path, target)

    with suppress(ConnectionError), open_pass(raw, days=BOTH_DAYS) as leads_pass:
        for received in PAGES:
            leads_pass.store(received)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", stop_before_the_second)
            finish(leads_pass)
    assert [len(raw.manifests(day)) for day in BOTH_DAYS] == [1, 0]


def test_stopped_between_two_manifests_a_rerun_leaves_one_for_each_day(
    raw: RawLeads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_between_manifests(raw, tmp_path, monkeypatch)
    with open_pass(raw, days=BOTH_DAYS, at=after(1)) as leads_pass:
        assert numbers(leads_pass) == [1, 2, 3]
        leads_pass.store(page(4, lead("4"), lead("4-next", NEXT_DAY)))
        finish(leads_pass)
    assert [len(raw.manifests(day)) for day in BOTH_DAYS] == [1, 1]
    assert ids_of(raw, DAY) == ["1", "2", "3", "4"]
    assert ids_of(raw, NEXT_DAY) == ["1-next", "2-next", "3-next", "4-next"]


def test_stopped_between_two_manifests_any_other_pass_writes_the_second(
    raw: RawLeads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_between_manifests(raw, tmp_path, monkeypatch)
    with open_pass(raw, days=(NEXT_DAY,), at=after(1)):
        (first,), (second,) = raw.manifests(DAY), raw.manifests(NEXT_DAY)
    assert replace(first, day=NEXT_DAY, pages=()) == replace(second, pages=())
    assert second.complete
    assert ids_of(raw, NEXT_DAY) == ["1-next", "2-next", "3-next"]


def test_stopped_between_two_manifests_a_day_is_not_packed(
    raw: RawLeads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_between_manifests(raw, tmp_path, monkeypatch)
    assert raw.packable_days(before=NEXT_DAY) == []
    assert raw.pack(DAY) is None


# ---- damage


def journal_of(data_dir: Path) -> Path:
    (path,) = journals(data_dir)
    return path


def cut_the_journal(data_dir: Path) -> None:
    path = journal_of(data_dir)
    path.write_bytes(path.read_bytes()[:-9])


def garble_the_last_line(data_dir: Path) -> None:
    path = journal_of(data_dir)
    path.write_bytes(b"\n".join([*path.read_bytes().split(b"\n")[:-2], b'{"\xff":[[7']))


def empty_the_last_line(data_dir: Path) -> None:
    path = journal_of(data_dir)
    path.write_bytes(b"\n".join([*path.read_bytes().split(b"\n")[:-2], b"[]", b"{}", b""]))


def damage_the_last_page(data_dir: Path) -> None:
    last = [path for path in stored_pages(data_dir) if path.name == "page-0003.json.gz"]
    last[-1].write_bytes(b"damaged")


def cut_the_last_page(data_dir: Path) -> None:
    last = [path for path in stored_pages(data_dir) if path.name == "page-0003.json.gz"]
    last[-1].write_bytes(last[-1].read_bytes()[:-3])


def lose_the_last_page(data_dir: Path) -> None:
    for path in stored_pages(data_dir):
        if path.name == "page-0003.json.gz":
            path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        cut_the_journal,
        garble_the_last_line,
        empty_the_last_line,
        damage_the_last_page,
        cut_the_last_page,
        lose_the_last_page,
    ],
)
def test_what_is_damaged_counts_as_not_stored(
    raw: RawLeads, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    interrupt(raw, *PAGES, days=BOTH_DAYS)
    damage(tmp_path)
    interrupt(raw, days=BOTH_DAYS, at=after(1))
    with open_pass(raw, days=BOTH_DAYS, at=after(2)) as leads_pass:
        assert numbers(leads_pass) == [1, 2]
        leads_pass.store(PAGES[2])
        finish(leads_pass)
    assert ids_of(raw, DAY) == ["1", "2", "3"]
    assert ids_of(raw, NEXT_DAY) == ["1-next", "2-next", "3-next"]
    assert len(stored_pages(tmp_path)) == 6


def test_with_its_folder_gone_a_pass_begins_anew(raw: RawLeads, tmp_path: Path) -> None:
    interrupt(raw, *PAGES)
    shutil.rmtree(tmp_path / "raw/leads")
    store(raw, *PAGES, at=after(1))
    assert ids_of(raw) == ["1", "2", "3"]


@pytest.mark.parametrize("content", [b"", b"\n", b"null\n", b"\xff\xfe", b'{"days": ["never"]}\n'])
def test_a_journal_without_a_readable_header_stops_nobody(
    raw: RawLeads, tmp_path: Path, content: bytes
) -> None:
    interrupt(raw, *PAGES)
    journal_of(tmp_path).write_bytes(content)
    raw.close_abandoned(after(TOO_LATE))
    store(raw, *PAGES, at=after(1))
    assert ids_of(raw) == ["1", "2", "3"]


def test_a_journal_cut_off_anywhere_stops_nobody(raw: RawLeads, tmp_path: Path) -> None:
    interrupt(raw, *PAGES)
    path = journal_of(tmp_path)
    whole = path.read_bytes()
    lines = whole.count(b"\n")
    met = set()
    for length in range(len(whole.splitlines()[0]) + 1, len(whole)):
        path.write_bytes(whole[:length])
        with open_pass(raw, at=after(1)) as leads_pass:
            met.add(len(leads_pass.known))
            assert numbers(leads_pass) == [1, 2, 3][: whole[: length + 1].count(b"\n") - 1]
        if not path.exists():
            path.write_bytes(whole)
    assert met == set(range(lines))


def test_no_contents_of_leads_stand_in_a_journal(raw: RawLeads, tmp_path: Path) -> None:
    interrupt(raw, page(1, lead("a", name="Omar Haddad", phone="+971501234567")))
    text = journal_of(tmp_path).read_text()
    assert "Omar" not in text
    assert "971501234567" not in text
    assert json.loads(text.splitlines()[0])["days"] == ["2025-12-19"]


def test_what_is_stored_is_for_its_owner_only(raw: RawLeads, tmp_path: Path) -> None:
    store(raw, *PAGES, days=BOTH_DAYS)
    raw.pack(NEXT_DAY)
    interrupt(raw, PAGES[0], at=after(5))
    for path in (tmp_path / "raw").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
