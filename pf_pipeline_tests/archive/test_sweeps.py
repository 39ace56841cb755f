import gzip
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.archive import Archive, RawLeads
from pf_pipeline_tests.archive.builders import (
    DAY,
    NEXT_DAY,
    NOON,
    PORTAL,
    WINDOW,
    Page,
    after,
    body_of,
    failing_after,
    files_under,
    ids_of,
    lead,
    page,
    records_of,
    store,
    store_from,
    stored_pages,
    thorough,
)

BOTH_DAYS = (DAY, NEXT_DAY)


@pytest.fixture
def raw(tmp_path: Path) -> RawLeads:
    return Archive(tmp_path).raw_leads


# ---- what a sweep holds


def test_pages_and_manifest_stand_under_the_names_of_the_design(
    raw: RawLeads, tmp_path: Path
) -> None:
    at = datetime(2025, 12, 19, 16, 0, 1, 250_000, tzinfo=UTC)
    store(raw, page(1, lead("a")), page(2, lead("b")), at=at)
    sweep = "raw/leads/date=2025-12-19/sweep=20251219T160001.250000Z"
    assert sorted(files_under(tmp_path)) == [
        f"{sweep}/manifest.json",
        f"{sweep}/page-0001.json.gz",
        f"{sweep}/page-0002.json.gz",
    ]


def test_pages_come_back_byte_for_byte(raw: RawLeads, tmp_path: Path) -> None:
    bodies = [
        b'{ "data" : [ {"id":"a","createdAt":"2025-12-19T10:30:00Z"} ] }\r\n',
        '{"data": [{"id": "b", "createdAt": "2025-12-19T10:30:00Z", "name": "عمر"}]}'.encode(),
        b'{"data": [{"id": "c", "createdAt": "2025-12-19T10:30:00Z", "n": 1.10e2}]}',
    ]
    pages = [
        Page(number, body, json.loads(body)["data"], NOON, None)
        for number, body in enumerate(bodies, start=1)
    ]
    (manifest,) = store(raw, *pages)
    assert [body_of(tmp_path, DAY, stored.file) for stored in manifest.pages] == bodies
    assert [stored.size for stored in manifest.pages] == [len(body) for body in bodies]
    assert [stored.sha256 for stored in manifest.pages] == [
        hashlib.sha256(body).hexdigest() for body in bodies
    ]


def test_the_manifest_says_what_was_asked_for_and_what_came(raw: RawLeads) -> None:
    pages = [
        page(1, lead("a"), lead("b"), at=after(1), total=3),
        page(2, lead("c"), lead("other", NEXT_DAY), at=after(2), total=4),
        page(3, lead("other", NEXT_DAY), at=after(3)),
    ]
    (manifest,) = store(raw, *pages)
    assert (manifest.day, manifest.base_url, manifest.dialect) == (DAY, PORTAL, "guide")
    assert (manifest.start, manifest.end) == (WINDOW.start, WINDOW.end)
    assert (manifest.pages_read, manifest.portal_total) == (3, 3)
    assert manifest.records_of_day == 3
    assert [
        (stored.number, stored.records_of_day, stored.requested_at) for stored in manifest.pages
    ] == [(1, 2, after(1)), (2, 1, after(2))]


def test_the_manifests_given_are_the_manifests_read(raw: RawLeads) -> None:
    given_ones = store(raw, page(1, lead("a"), lead("b", NEXT_DAY)), days=BOTH_DAYS)
    assert [raw.manifests(day) for day in BOTH_DAYS] == [[manifest] for manifest in given_ones]


def test_sweeps_are_given_oldest_first(raw: RawLeads) -> None:
    for minutes in (30, 10, 20):
        store(raw, at=after(minutes))
    finished = [manifest.finished_at for manifest in raw.manifests(DAY)]
    assert finished == sorted(finished)
    assert len(finished) == 3


def test_a_day_that_was_never_swept_has_no_sweeps_and_no_records(raw: RawLeads) -> None:
    assert raw.manifests(DAY) == []
    assert list(raw.sightings(DAY)) == []


def test_an_empty_pass_leaves_an_empty_sweep(raw: RawLeads) -> None:
    (manifest,) = store(raw, page(1, total=0))
    assert (manifest.pages, manifest.pages_read, manifest.portal_total) == ((), 1, 0)
    assert raw.manifests(DAY) == [manifest]
    assert list(raw.sightings(DAY)) == []


def test_an_empty_pass_replaces_no_earlier_sweep(raw: RawLeads) -> None:
    store(raw, page(1, lead("a")))
    store(raw, page(1), at=after(5))
    assert ids_of(raw) == ["a"]
    assert len(raw.manifests(DAY)) == 2


def test_a_page_number_that_was_asked_for_twice_is_kept_twice(raw: RawLeads) -> None:
    store(raw, page(1, lead("a")), page(1, lead("b")), page(1, lead("c")))
    assert sorted(ids_of(raw)) == ["a", "b", "c"]


# ---- days


def test_a_page_of_two_days_stands_under_both(raw: RawLeads, tmp_path: Path) -> None:
    shared = page(1, lead("a"), lead("b", NEXT_DAY))
    manifests = store(raw, shared, days=BOTH_DAYS)
    for manifest in manifests:
        (stored,) = manifest.pages
        assert stored.records_of_day == 1
        assert body_of(tmp_path, manifest.day, stored.file) == shared.body
    assert (ids_of(raw, DAY), ids_of(raw, NEXT_DAY)) == (["a"], ["b"])


def test_a_page_without_leads_of_the_day_is_not_stored(raw: RawLeads, tmp_path: Path) -> None:
    store(raw, page(1, lead("a", NEXT_DAY)), page(2, lead("b")), page(3))
    (path,) = stored_pages(tmp_path)
    assert path.name == "page-0002.json.gz"


def test_leads_of_other_days_are_not_given_out_for_the_day(raw: RawLeads) -> None:
    store(raw, page(1, lead("before", date(2025, 12, 18)), lead("a"), lead("after", NEXT_DAY)))
    assert ids_of(raw) == ["a"]
    assert list(raw.sightings(NEXT_DAY)) == []


def test_a_record_that_cannot_be_dated_is_given_out_once(raw: RawLeads) -> None:
    undated = {"id": "undated"}
    store(raw, page(1, lead("a"), undated, lead("b", NEXT_DAY)), days=BOTH_DAYS)
    assert (ids_of(raw, DAY), ids_of(raw, NEXT_DAY)) == (["a", "undated"], ["b"])


def test_a_page_on_which_nothing_can_be_dated_is_kept_for_the_first_day(raw: RawLeads) -> None:
    store(raw, page(1, {"id": "undated"}, None, 7), days=BOTH_DAYS)
    assert records_of(raw, DAY) == [{"id": "undated"}, None, 7]
    assert records_of(raw, NEXT_DAY) == []


records = st.builds(
    lead, st.sampled_from("abc"), st.dates(DAY, date(2025, 12, 21))
) | st.sampled_from([None, {}, 7, {"id": "x", "createdAt": "never"}])


@given(st.lists(st.lists(records, max_size=5), max_size=5))
@thorough
def test_every_record_of_a_page_that_is_stored_is_given_out_once(
    tmp_path_factory: pytest.TempPathFactory, contents: list[list[object]]
) -> None:
    raw = RawLeads(tmp_path_factory.mktemp("data"))
    days = [DAY, NEXT_DAY, date(2025, 12, 21)]
    pages = [page(number, *content) for number, content in enumerate(contents, start=1)]
    manifests = store(raw, *pages, days=days)
    given_out = [record for day in days for record in records_of(raw, day)]
    received = [record for content in contents for record in content]
    assert sorted(map(repr, given_out)) == sorted(map(repr, received))
    assert sum(manifest.records_of_day for manifest in manifests) == len(received)


# ---- sweeps add up


def test_an_unchanged_page_is_not_stored_again_but_counted_as_seen_again(
    raw: RawLeads, tmp_path: Path
) -> None:
    for minutes in (0, 5, 10):
        store(raw, page(1, lead("a"), at=after(minutes)), at=after(minutes))
    assert len(stored_pages(tmp_path)) == 1
    (sighting,) = raw.sightings(DAY)
    assert (sighting.first_at, sighting.last_at, sighting.times) == (NOON, after(10), 3)
    assert sighting.records == [lead("a")]


def test_an_unchanged_page_under_another_number_is_not_stored_again(
    raw: RawLeads, tmp_path: Path
) -> None:
    store(raw, page(1, lead("a")))
    same = page(1, lead("a"), at=after(5))
    moved = Page(2, same.body, same.records, same.requested_at, None)
    store(raw, page(1, lead("b"), at=after(5)), moved, at=after(5))
    assert len(stored_pages(tmp_path)) == 2
    assert sorted(ids_of(raw)) == ["a", "a", "b"]


def test_a_page_that_comes_twice_in_a_pass_is_stored_once(raw: RawLeads, tmp_path: Path) -> None:
    store(raw, page(1, lead("a")), page(1, lead("a"), at=after(1)))
    assert len(stored_pages(tmp_path)) == 1
    (sighting,) = raw.sightings(DAY)
    assert (sighting.last_at, sighting.times) == (after(1), 2)


def test_a_changed_page_is_stored_beside_the_earlier_one(raw: RawLeads, tmp_path: Path) -> None:
    store(raw, page(1, lead("a", status="sent")))
    before = files_under(tmp_path)
    store(raw, page(1, lead("a", status="read"), at=after(5)), at=after(5))
    assert files_under(tmp_path).items() >= before.items()
    assert records_of(raw) == [lead("a", status="sent"), lead("a", status="read")]


def test_a_day_that_was_polled_all_day_holds_its_pages_once(raw: RawLeads, tmp_path: Path) -> None:
    for poll in range(48):
        at = after(5 * poll)
        store(raw, page(1, lead("a"), at=at), page(2, lead("b"), at=at), at=at)
    assert len(stored_pages(tmp_path)) == 2
    assert [sighting.times for sighting in raw.sightings(DAY)] == [48, 48]
    assert len(raw.manifests(DAY)) == 48


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=3), max_size=5))
@thorough
def test_sweeps_add_up(tmp_path_factory: pytest.TempPathFactory, passes: list[list[str]]) -> None:
    data_dir = tmp_path_factory.mktemp("data")
    raw = RawLeads(data_dir)
    received: list[str] = []
    for minutes, names in enumerate(passes):
        before = files_under(data_dir)
        store(raw, *(page(1, lead(name)) for name in names), at=after(minutes))
        received += names
        assert sorted(ids_of(raw)) == sorted(received)
        assert files_under(data_dir).items() >= before.items()
    assert len(stored_pages(data_dir)) == len(set(received))


# ---- passes that fail


@pytest.mark.parametrize("received", [0, 1, 2])
def test_a_pass_that_fails_midway_leaves_no_manifest(raw: RawLeads, received: int) -> None:
    pages = [page(n, lead(f"lead-{n}"), lead(f"next-{n}", NEXT_DAY)) for n in range(received)]
    with pytest.raises(ConnectionError, match="the portal is gone"):
        store_from(raw, failing_after(*pages), days=BOTH_DAYS)
    for day in BOTH_DAYS:
        assert raw.manifests(day) == []
        assert list(raw.sightings(day)) == []


def test_a_pass_that_fails_harms_no_earlier_sweep(raw: RawLeads, tmp_path: Path) -> None:
    store(raw, page(1, lead("a")))
    before = files_under(tmp_path)
    with pytest.raises(ConnectionError):
        store_from(raw, failing_after(page(1, lead("a")), page(2, lead("b"))), at=after(5))
    assert files_under(tmp_path).items() >= before.items()
    assert ids_of(raw) == ["a"]


def test_a_pass_after_one_that_failed_stores_all_its_pages(raw: RawLeads) -> None:
    with pytest.raises(ConnectionError):
        store_from(raw, failing_after(page(1, lead("a"))))
    store(raw, page(1, lead("a")), page(2, lead("b")))
    assert ids_of(raw) == ["a", "b"]


# ---- crashes, but see test_crashes.py


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_manifest_that_is_still_being_written_is_none(
    raw: RawLeads, tmp_path: Path, share: float
) -> None:
    store(raw, page(1, lead("a")))
    store(raw, page(1, lead("b")), at=after(5))
    latest = max(tmp_path.rglob("manifest.json"))
    content = latest.read_bytes()
    latest.unlink()
    temporary = latest.with_name(".manifest.json.0123456789abcdef.tmp")
    temporary.write_bytes(content[: int(len(content) * share)])
    assert ids_of(raw) == ["a"]
    store(raw, page(1, lead("b")), at=after(10))
    assert ids_of(raw) == ["a", "b"]


# ---- passes at the same time


def test_passes_that_begin_in_the_same_microsecond_do_not_collide(raw: RawLeads) -> None:
    workers = 8
    together = Barrier(workers)

    def one_pass(worker: int) -> None:
        together.wait()
        store(raw, page(1, lead(f"own-{worker}")), page(2, lead("shared")), days=BOTH_DAYS)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one_pass, range(workers)))
    assert len(raw.manifests(DAY)) == len(raw.manifests(NEXT_DAY)) == workers
    assert sorted(ids_of(raw)) == sorted(
        [*(f"own-{worker}" for worker in range(workers)), *["shared"] * workers]
    )


def test_a_reader_meets_whole_sweeps_only_while_passes_are_stored(raw: RawLeads) -> None:
    def store_many() -> None:
        for number in range(30):
            pages = (page(n, lead(f"{number}.{n}")) for n in (1, 2, 3))
            store(raw, *pages, at=after(number))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(store_many)
        met = []
        while not writing.done():
            met.append(len(ids_of(raw)))
        writing.result()
    assert all(count % 3 == 0 for count in met)
    assert met == sorted(met)
    assert len(ids_of(raw)) == 90


# ---- damage


HELLO = lead("a", text="Hello, is this flat still to be had?")


def with_byte_changed(content: bytes, position: int, change: int) -> bytes:
    changed = bytearray(content)
    changed[position % len(changed)] ^= change
    return bytes(changed)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no gzip": lambda _: b"no gzip at all",
    "cut off": lambda content: content[:-12],
    "a byte changed": lambda content: with_byte_changed(content, len(content) // 2, 0xFF),
    "exchanged": lambda _: gzip.compress(page(1, lead("forged")).body),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_page_is_refused_by_name(
    raw: RawLeads, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    store(raw, page(1, HELLO))
    (path,) = stored_pages(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="The stored page") as refused:
        list(raw.sightings(DAY))
    assert str(path) in str(refused.value)


def test_a_page_that_is_gone_is_told_by_name(raw: RawLeads, tmp_path: Path) -> None:
    store(raw, page(1, HELLO))
    (path,) = stored_pages(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match="The stored page") as refused:
        list(raw.sightings(DAY))
    assert str(path) in str(refused.value)


@given(st.integers(min_value=0), st.integers(1, 255))
@thorough
def test_a_page_with_any_byte_changed_is_refused_or_still_what_was_received(
    tmp_path_factory: pytest.TempPathFactory, position: int, change: int
) -> None:
    data_dir = tmp_path_factory.mktemp("data")
    raw = RawLeads(data_dir)
    store(raw, page(1, HELLO))
    (path,) = stored_pages(data_dir)
    path.write_bytes(with_byte_changed(path.read_bytes(), position, change))
    try:
        assert records_of(raw) == [HELLO]
    except ValueError as refused:
        assert str(path) in str(refused)  # noqa: PT017 - some bytes, such as the time, mean nothing
