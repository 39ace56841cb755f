"""The archive of webhook deliveries: batches add up, each delivery is read once, as received."""

import gzip
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pf_pipeline.archive import files
from pf_pipeline.archive.webhook_events import RawWebhookEvents
from pf_pipeline.leads.deliveries import Delivery
from pf_pipeline_tests.archive.builders import NOON

DAY = NOON.date()
FIRST = Delivery(1, "a", NOON, b'{"id": 1}')
SECOND = Delivery(2, "b", NOON + timedelta(seconds=1), b"\xff\x00 no text")
THIRD = Delivery(3, "c", NOON + timedelta(seconds=2), b'{\r\n"id": "\xe2\x80\xa8"}\n')


@pytest.fixture
def events(tmp_path: Path) -> RawWebhookEvents:
    return RawWebhookEvents(tmp_path)


def stored(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.rglob("*.jsonl.gz"))


def test_deliveries_come_back_byte_for_byte_in_order(events: RawWebhookEvents) -> None:
    assert events.deliveries(DAY) == []
    events.add(DAY, [THIRD])
    events.add(DAY, [FIRST, SECOND])
    assert events.deliveries(DAY) == [FIRST, SECOND, THIRD]
    assert events.days() == [DAY]
    assert events.deliveries(date(2020, 1, 1)) == []


def test_nothing_makes_no_batch(events: RawWebhookEvents, tmp_path: Path) -> None:
    assert events.add(DAY, []) is None
    assert stored(tmp_path) == []
    assert events.days() == []


def test_the_same_batch_again_is_the_same_file(events: RawWebhookEvents, tmp_path: Path) -> None:
    name = events.add(DAY, [FIRST, SECOND])
    assert events.add(DAY, [FIRST, SECOND]) == name
    assert len(stored(tmp_path)) == 1
    assert events.batches(DAY) == {name}


def test_a_delivery_in_two_batches_is_read_once(events: RawWebhookEvents) -> None:
    events.add(DAY, [FIRST])
    events.add(DAY, [FIRST, SECOND])
    assert events.deliveries(DAY) == [FIRST, SECOND]


def test_the_deliveries_of_some_batches_can_be_read(events: RawWebhookEvents) -> None:
    first, second = events.add(DAY, [FIRST]), events.add(DAY, [SECOND, THIRD])
    assert first is not None
    assert second is not None
    for _ in range(2):
        assert events.deliveries(DAY, frozenset({first})) == [FIRST]
        assert events.deliveries(DAY, frozenset({second})) == [SECOND, THIRD]
        assert events.deliveries(DAY, frozenset()) == []
        events.pack(DAY)  # changes nothing of it


def test_packing_leaves_one_file_and_changes_nothing(
    events: RawWebhookEvents, tmp_path: Path
) -> None:
    for delivery in (FIRST, SECOND, THIRD):
        events.add(DAY, [delivery])
    batches = events.batches(DAY)
    assert events.pack(DAY) == 3
    assert len(stored(tmp_path)) == 1
    assert (events.batches(DAY), events.deliveries(DAY)) == (batches, [FIRST, SECOND, THIRD])
    assert events.pack(DAY) == 0
    late = Delivery(4, "d", NOON + timedelta(seconds=9), b"late")
    events.add(DAY, [late])
    assert events.pack(DAY) == 2
    assert events.deliveries(DAY) == [FIRST, SECOND, THIRD, late]
    assert len(events.batches(DAY)) == 4


def test_whoever_is_killed_while_packing_changes_nothing(
    events: RawWebhookEvents, tmp_path: Path
) -> None:
    events.add(DAY, [FIRST])
    events.add(DAY, [SECOND])
    originals = {path: path.read_bytes() for path in stored(tmp_path)}
    events.pack(DAY)
    for path, content in originals.items():
        path.write_bytes(content)  # as if they had not been removed yet
    assert events.deliveries(DAY) == [FIRST, SECOND]
    assert len(events.batches(DAY)) == 2
    events.pack(DAY)
    assert len(stored(tmp_path)) == 1


def test_a_pack_that_does_not_read_back_takes_no_ones_place(
    events: RawWebhookEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.add(DAY, [FIRST])
    events.add(DAY, [SECOND])
    other = gzip.compress(b"other")
    monkeypatch.setattr(gzip, "compress", lambda *_, **__: other)
    with pytest.raises(ValueError, match="does not read back"):
        events.pack(DAY)
    monkeypatch.undo()
    assert events.deliveries(DAY) == [FIRST, SECOND]


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b", gzip.compress(b""), gzip.compress(b"{}\n")])
def test_a_damaged_file_is_named(events: RawWebhookEvents, tmp_path: Path, damage: bytes) -> None:
    events.add(DAY, [FIRST])
    (path,) = stored(tmp_path)
    path.write_bytes(damage)
    with pytest.raises(ValueError, match=path.name):
        events.deliveries(DAY)


def test_a_file_that_lacks_deliveries_is_damaged(events: RawWebhookEvents, tmp_path: Path) -> None:
    events.add(DAY, [FIRST, SECOND])
    (path,) = stored(tmp_path)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-1])))
    with pytest.raises(ValueError, match="lacks deliveries"):
        events.deliveries(DAY)


def test_only_the_owner_may_read_it(events: RawWebhookEvents, tmp_path: Path) -> None:
    events.add(DAY, [FIRST])
    (path,) = stored(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == files.OWNER_ONLY_FILE
    assert stat.S_IMODE(path.parent.stat().st_mode) == files.OWNER_ONLY_FOLDER


@given(
    cuts=st.lists(st.lists(st.integers(0, 9), max_size=5, unique=True), max_size=5),
    packs=st.sets(st.integers(0, 5)),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_however_batches_are_cut_each_delivery_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[list[int]], packs: set[int]
) -> None:
    events = RawWebhookEvents(tmp_path_factory.mktemp("events"))
    every = [
        Delivery(number, f"id{number}", NOON + timedelta(seconds=number), b"%d" % number)
        for number in range(10)
    ]
    for position, cut in enumerate(cuts):
        events.add(DAY, [every[number] for number in sorted(cut)])
        if position in packs:
            events.pack(DAY)
    wanted = sorted({number for cut in cuts for number in cut})
    assert events.deliveries(DAY) == [every[number] for number in wanted]
