import hashlib
import tarfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest

from pf_pipeline.archive import Manifest, RawLeads, packs
from pf_pipeline.archive.files import write_atomically
from pf_pipeline_tests.archive.builders import (
    DAY,
    NEXT_DAY,
    NOON,
    Page,
    after,
    files_under,
    finish,
    ids_of,
    lead,
    open_pass,
    page,
    records_of,
    store,
)

SWEEPS = 5


@pytest.fixture
def raw(tmp_path: Path) -> RawLeads:
    return RawLeads(tmp_path)


def sweep(raw: RawLeads, minutes: int) -> None:
    """A page that never changes, one that always does, one with an odd spelling, in one pass."""
    at = after(minutes)
    odd = b'{ "data" : [{"id":"odd","createdAt":"2025-12-19T10:30:00Z"}],"n":1.10e2 }\r\n'
    store(
        raw,
        page(1, lead("same"), at=at),
        page(2, lead("moving", status=minutes), at=at),
        Page(3, odd, [lead("odd")], at, None),
        days=(DAY, NEXT_DAY),
        at=at,
    )


def fill(raw: RawLeads, first: int = 0) -> None:
    for minutes in range(first, first + SWEEPS):
        sweep(raw, minutes)


def day_folder(data_dir: Path) -> Path:
    return data_dir / "raw/leads/date=2025-12-19"


def what_readers_see(raw: RawLeads) -> object:
    seen = Counter(
        (repr(sighting.records), sighting.first_at, sighting.last_at, sighting.times)
        for sighting in raw.sightings(DAY)
    )
    return seen, raw.manifests(DAY), raw.covered(DAY)


def test_a_packed_day_is_one_file_and_reads_the_same(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    before, files = what_readers_see(raw), files_under(day_folder(tmp_path))
    packed = raw.pack(DAY)
    assert packed is not None
    assert what_readers_see(raw) == before
    pack = "pack=20251219T120400.000000Z.tar.xz"
    assert list(files_under(day_folder(tmp_path))) == [pack]
    assert [path.name for path in day_folder(tmp_path).iterdir()] == [pack]
    assert (packed.files_before, packed.files_after) == (len(files), 1)
    assert packed.bytes_before == sum(map(len, files.values()))
    assert packed.bytes_after == (day_folder(tmp_path) / pack).stat().st_size


def test_sweeps_keep_their_names_whether_they_are_packed_or_not(raw: RawLeads) -> None:
    names = {f"sweep=20251219T120{minute}00.000000Z" for minute in range(SWEEPS)}
    assert raw.sweeps(DAY) == frozenset()
    fill(raw)
    assert raw.sweeps(DAY) == names
    raw.pack(DAY)
    assert raw.sweeps(DAY) == names
    store(raw, page(1, lead("new")), at=after(60))
    later = {"sweep=20251219T130000.000000Z"}
    assert raw.sweeps(DAY) == names | later
    raw.pack(DAY)
    assert raw.sweeps(DAY) == names | later
    raw.unpack(DAY)
    assert raw.sweeps(DAY) == names | later


def test_a_sweep_that_has_not_ended_is_none_yet(raw: RawLeads) -> None:
    with open_pass(raw) as leads_pass:
        leads_pass.store(page(1, lead("lead_1")))
    assert raw.sweeps(DAY) == frozenset()


def test_chosen_sweeps_can_be_read_alone(raw: RawLeads) -> None:
    store(raw, page(1, lead("lead_1")))
    store(raw, page(1, lead("lead_1")), page(2, lead("lead_2")), at=after(60))
    (first, second) = sorted(raw.sweeps(DAY))
    for _ in range(2):
        assert [len(manifest.pages) for manifest in raw.manifests(DAY, {first})] == [1]
        assert [seen.times for seen in raw.sightings(DAY, {first})] == [1]
        assert [seen.times for seen in raw.sightings(DAY, {second})] == [1, 1]
        assert [seen.times for seen in raw.sightings(DAY, {first, second})] == [2, 1]
        assert [*raw.sightings(DAY, ())] == []
        raw.pack(DAY)


def test_anybody_can_open_a_pack(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    manifests = raw.manifests(DAY)
    raw.pack(DAY)
    (pack,) = day_folder(tmp_path).iterdir()
    with tarfile.open(pack) as tar:
        names = tar.getnames()
        files = {name: tar.extractfile(name) for name in names}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    sweeps = [f"sweep=20251219T120{minute}00.000000Z" for minute in range(SWEEPS)]
    assert names == [
        *(f"{sweep}/manifest.json" for sweep in sweeps),
        f"{sweeps[0]}/page-0001.json",
        *(f"{sweep}/page-0002.json" for sweep in sweeps),
        f"{sweeps[0]}/page-0003.json",
    ]
    for manifest in manifests:
        for stored in manifest.pages:
            body = contents[stored.file.removesuffix(".gz")]
            assert hashlib.sha256(body).hexdigest() == stored.sha256


def test_unpacked_every_file_is_what_it_was_byte_for_byte(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    before = files_under(tmp_path)
    raw.pack(DAY)
    assert raw.unpack(DAY) == len(files_under(day_folder(tmp_path)))
    assert files_under(tmp_path / "raw/leads/date=2025-12-19") == files_under(day_folder(tmp_path))
    assert {
        name: text for name, text in files_under(tmp_path).items() if "lock" not in name
    } == before


def test_a_day_without_a_pack_needs_no_unpacking(raw: RawLeads) -> None:
    fill(raw)
    assert raw.unpack(DAY) == 0
    assert raw.unpack(date(2025, 1, 1)) == 0


def test_what_is_packed_is_not_packed_again(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    raw.pack(DAY)
    before = files_under(tmp_path)
    assert raw.pack(DAY) is None
    assert files_under(tmp_path) == before


def test_an_unknown_day_is_not_packed(raw: RawLeads, tmp_path: Path) -> None:
    assert raw.pack(DAY) is None
    assert files_under(tmp_path) == {}


def test_a_later_pack_takes_in_the_earlier_one(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    raw.pack(DAY)
    fill(raw, SWEEPS)
    before = what_readers_see(raw)
    packed = raw.pack(DAY)
    assert packed is not None
    assert packed.files_before == 1 + 2 * SWEEPS
    assert what_readers_see(raw) == before
    assert len(list(day_folder(tmp_path).iterdir())) == 1
    assert ids_of(raw).count("same") == 2 * SWEEPS


def test_an_unchanged_page_that_is_packed_is_not_stored_again(
    raw: RawLeads, tmp_path: Path
) -> None:
    fill(raw)
    raw.pack(DAY)
    store(raw, page(1, lead("same"), at=after(30)), at=after(30))
    assert [name for name in files_under(day_folder(tmp_path)) if "page" in name] == []
    assert ids_of(raw).count("same") == SWEEPS + 1


def test_a_sweep_that_was_closed_late_joins_an_existing_pack(raw: RawLeads) -> None:
    with open_pass(raw, at=after(-1)) as leads_pass:
        leads_pass.store(page(1, lead("late")))
    fill(raw)
    raw.pack(DAY)
    raw.close_abandoned(after(24 * 60))
    assert raw.pack(DAY) is not None
    assert ids_of(raw).count("late") == 1
    assert len(raw.manifests(DAY)) == SWEEPS + 1


def test_running_and_interrupted_passes_stay_loose(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    with open_pass(raw, at=after(30)) as leads_pass:
        leads_pass.store(page(1, lead("running")))
        raw.pack(DAY)
        names = list(files_under(day_folder(tmp_path)))
        assert names[1:] == ["sweep=20251219T123000.000000Z/page-0001.json.gz"]
        finish(leads_pass)
    assert ids_of(raw).count("running") == 1


def test_what_no_manifest_names_stays_where_it_is(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    note = day_folder(tmp_path) / "sweep=20251219T120000.000000Z/note.txt"
    note.write_text("mine")
    raw.pack(DAY)
    assert note.read_text() == "mine"
    assert len(raw.manifests(DAY)) == SWEEPS


def test_days_are_told_in_order_packed_or_not(raw: RawLeads, tmp_path: Path) -> None:
    assert raw.days() == []
    assert raw.packable_days(before=NEXT_DAY) == []
    fill(raw)
    (tmp_path / "raw/leads/date=2025-12-21").mkdir()
    assert raw.days() == [DAY, NEXT_DAY]
    assert raw.packable_days(before=NEXT_DAY) == [DAY]
    raw.pack(DAY)
    assert raw.days() == [DAY, NEXT_DAY]
    assert raw.packable_days(before=date(2025, 12, 21)) == [NEXT_DAY]


def test_a_day_is_crowded_until_it_is_packed(raw: RawLeads) -> None:
    for minutes in range(72):
        assert not raw.is_crowded(DAY)
        store(raw, at=after(minutes))
    assert raw.is_crowded(DAY)
    raw.pack(DAY)
    assert not raw.is_crowded(DAY)


# ---- at the same time


def test_readers_see_every_sweep_while_days_are_packed_and_unpacked(raw: RawLeads) -> None:
    fill(raw)
    before = what_readers_see(raw)

    def pack_and_unpack() -> None:
        for _ in range(15):
            raw.pack(DAY)
            raw.unpack(DAY)

    with ThreadPoolExecutor(1) as pool:
        packing = pool.submit(pack_and_unpack)
        reads = 0
        while not packing.done():
            assert what_readers_see(raw) == before
            reads += 1
        packing.result()
    assert reads > 1


def test_a_reader_in_whose_midst_a_day_is_packed_misses_no_sweep(
    raw: RawLeads, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(raw)
    read = Manifest.read
    packed: list[object] = []

    def pack_first(path: Path) -> Manifest:
        if not packed:
            packed.append(raw.pack(DAY))
        return read(path)

    monkeypatch.setattr(Manifest, "read", pack_first)
    assert len(raw.manifests(DAY)) == SWEEPS
    assert packed != [None]


def test_passes_go_on_while_their_day_is_packed(raw: RawLeads) -> None:
    def store_many() -> None:
        for number in range(30):
            store(raw, page(1, lead("same")), page(2, lead(f"{number}")), at=after(number))

    with ThreadPoolExecutor(1) as pool:
        storing = pool.submit(store_many)
        while not storing.done():
            raw.pack(DAY)
        storing.result()
    raw.pack(DAY)
    assert Counter(ids_of(raw)) == {"same": 30} | {f"{number}": 1 for number in range(30)}


def test_several_may_pack_a_day_at_once(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    before = what_readers_see(raw)
    with ThreadPoolExecutor(4) as pool:
        packed = list(pool.map(raw.pack, [DAY] * 8))
    assert sum(one is not None for one in packed) == 1
    assert what_readers_see(raw) == before
    assert len(list(day_folder(tmp_path).iterdir())) == 1


# ---- damage


def half_of_it(content: bytes) -> bytes:
    return content[: len(content) // 2]


def something_else(_: bytes) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz"):
        pass
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (half_of_it, r"The pack .* cannot be read"),
        (something_else, r"The pack .* does not read back as it was written"),
    ],
)
def test_a_pack_that_does_not_read_back_is_not_put_in_place(
    raw: RawLeads,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: Callable[[bytes], bytes],
    said: str,
) -> None:
    fill(raw)
    before = files_under(day_folder(tmp_path))

    def on_a_faulty_disk(path: Path, content: bytes, *, check: Callable[[Path], None]) -> None:
        write_atomically(path, written(content), check=check)

    monkeypatch.setattr(packs, "write_atomically", on_a_faulty_disk)
    with pytest.raises(ValueError, match=said):
        raw.pack(DAY)
    assert files_under(day_folder(tmp_path)) == before


def test_a_day_with_a_damaged_page_stays_loose(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    damaged = day_folder(tmp_path) / "sweep=20251219T120200.000000Z/page-0002.json.gz"
    damaged.write_bytes(b"damaged")
    before = files_under(day_folder(tmp_path))
    with pytest.raises(ValueError, match="The stored page") as refused:
        raw.pack(DAY)
    assert str(damaged) in str(refused.value)
    assert files_under(day_folder(tmp_path)) == before
    damaged.unlink()
    with pytest.raises(ValueError, match=r"The stored page .* it is missing"):
        raw.pack(DAY)


def test_a_pack_cut_off_anywhere_is_refused_by_name(raw: RawLeads, tmp_path: Path) -> None:
    fill(raw)
    raw.pack(DAY)
    (pack,) = day_folder(tmp_path).iterdir()
    whole = pack.read_bytes()
    for length in range(0, len(whole), 7):
        pack.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"The pack .* cannot be read") as refused:
            list(raw.sightings(DAY))
        assert str(pack) in str(refused.value)


def test_a_pack_with_any_byte_changed_is_refused_or_reads_the_same(
    raw: RawLeads, tmp_path: Path
) -> None:
    fill(raw)
    before = sorted(map(repr, records_of(raw)))
    raw.pack(DAY)
    (pack,) = day_folder(tmp_path).iterdir()
    whole = pack.read_bytes()
    refused = 0
    for position in range(0, len(whole), 5):
        changed = bytearray(whole)
        changed[position] ^= 0x41
        pack.write_bytes(changed)
        try:
            assert sorted(map(repr, records_of(raw))) == before
        except ValueError:
            refused += 1
    assert refused > len(whole) / 5 * 0.9


def test_a_pack_that_is_damaged_is_neither_unpacked_nor_replaced(
    raw: RawLeads, tmp_path: Path
) -> None:
    fill(raw)
    raw.pack(DAY)
    (pack,) = day_folder(tmp_path).iterdir()
    pack.write_bytes(pack.read_bytes()[:-60])
    sweep(raw, 50)
    before = files_under(day_folder(tmp_path))
    for work in (raw.pack, raw.unpack):
        with pytest.raises(ValueError, match="The pack"):
            work(DAY)
    assert before.items() <= files_under(day_folder(tmp_path)).items()


def test_a_day_on_which_there_was_nothing_can_be_packed(raw: RawLeads) -> None:
    store(raw, at=NOON)
    assert raw.pack(DAY) is not None
    assert (len(raw.manifests(DAY)), records_of(raw)) == (1, [])
