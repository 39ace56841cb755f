import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.archive import Manifest, StoredPage, Window
from pf_pipeline_tests.archive.builders import DAY, NOON, PORTAL, after, thorough

MANIFEST = Manifest(
    day=DAY,
    start=datetime(2025, 12, 19, tzinfo=UTC),
    end=after(1),
    base_url=PORTAL,
    dialect="guide",
    finished_at=after(2),
    asked_for="window",
    complete=True,
    rounds=1,
    pages_read=2,
    distinct=51,
    portal_total=51,
    pages=(
        StoredPage(1, "sweep=20251219T120000.000000Z/page-0001.json.gz", "ab" * 32, 9000, 50, NOON),
        StoredPage(2, "sweep=20251219T120100.000000Z/page-0002.json.gz", "cd" * 32, 200, 1, NOON),
    ),
)

offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(
    datetime(2005, 1, 1),  # noqa: DTZ001 - the strategy adds the time zone
    datetime(2100, 1, 1),  # noqa: DTZ001 - the strategy adds the time zone
    timezones=offsets,
)
counts = st.integers(min_value=0)
pages = st.builds(StoredPage, counts, st.text(), st.text(), counts, counts, instants)
manifests = st.builds(
    Manifest,
    day=st.dates(),
    start=instants,
    end=instants,
    base_url=st.text(),
    dialect=st.text(),
    finished_at=instants,
    asked_for=st.sampled_from(["window", "ids"]),
    complete=st.booleans(),
    rounds=counts,
    pages_read=counts,
    distinct=st.none() | counts,
    portal_total=st.none() | counts,
    pages=st.lists(pages, max_size=4).map(tuple),
)


def read(path: Path, content: bytes) -> Manifest:
    path.write_bytes(content)
    return Manifest.read(path)


@given(manifests)
@thorough
def test_a_manifest_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> None:
    path = tmp_path_factory.getbasetemp() / "manifest.json"
    assert read(path, manifest.to_bytes()) == manifest


@given(manifests)
@thorough
def test_equal_manifests_give_equal_bytes_whatever_their_time_zones(manifest: Manifest) -> None:
    in_utc = replace(manifest, start=manifest.start.astimezone(UTC))
    assert in_utc.to_bytes() == manifest.to_bytes()


def test_instants_are_written_and_read_in_utc(tmp_path: Path) -> None:
    dubai = timezone(timedelta(hours=4))
    manifest = replace(MANIFEST, start=NOON.astimezone(dubai))
    assert json.loads(manifest.to_bytes())["start"] == "2025-12-19T12:00:00+00:00"
    assert read(tmp_path / "manifest.json", manifest.to_bytes()).start.tzinfo is UTC


def test_the_records_of_a_sweep_are_those_of_its_pages() -> None:
    assert MANIFEST.records_of_day == 51
    assert replace(MANIFEST, pages=()).records_of_day == 0


def test_a_manifest_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    content = MANIFEST.to_bytes().replace(b'"version":1', b'"version":2')
    with pytest.raises(ValueError, match="is no manifest of version 1") as refused:
        read(path, content)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b'{"version": 1}',
        MANIFEST.to_bytes().replace(b'"dialect"', b'"accent"'),
        MANIFEST.to_bytes().replace(b'"asked_for":"window"', b'"asked_for":"weather"'),
        MANIFEST.to_bytes().replace(b'"sha256"', b'"sha1"'),
        MANIFEST.to_bytes().replace(b"2025-12-19T12:01", b"2025-12-19T12:61"),
    ],
)
def test_what_is_no_manifest_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.json"
    with pytest.raises(ValueError, match="is no manifest") as refused:
        read(path, content)
    assert str(path) in str(refused.value)


def test_a_manifest_cut_off_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    path, whole = tmp_path / "manifest.json", MANIFEST.to_bytes()
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="is no manifest") as refused:
            read(path, whole[:length])
        assert str(path) in str(refused.value)


def test_only_a_complete_pass_over_a_window_covers_it() -> None:
    assert MANIFEST.covers == Window(MANIFEST.start, MANIFEST.end)
    assert replace(MANIFEST, complete=False).covers is None
    assert replace(MANIFEST, asked_for="ids").covers is None
