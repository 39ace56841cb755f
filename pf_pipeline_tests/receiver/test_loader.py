"""The loader: everything, in order, whatever breaks."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from unittest import mock

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.analysis.opening import READER_RETRY_SECONDS
from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.crm import CrmError
from pf_pipeline.crm.connection import RETRY_SECONDS
from pf_pipeline.leads.deliveries import Delivery
from pf_pipeline.receiver import loader as module
from pf_pipeline.receiver.loader import Failed, Loaded, Loader, Reached, SetAside, Told
from pf_pipeline.receiver.loading import LoadedBatch

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class FakeCrm:
    """A CRM that remembers what it was given, breaks at some deliveries, and is away at times."""

    def __init__(self, poison: Sequence[int] = ()) -> None:
        self.poison = set(poison)
        self.away: list[Exception] = []
        self.loaded: list[int] = []
        self.cursor = 0
        self.sizes: list[int] = []

    def load(self, deliveries: Sequence[Delivery], _inbox_id: str) -> LoadedBatch:
        self.sizes.append(len(deliveries))
        if self.away:
            raise self.away.pop(0)
        numbers = [delivery.number for delivery in deliveries]
        if self.poison & set(numbers):
            raise ValueError("a lead's name")
        self.loaded += numbers
        self.cursor = numbers[-1]
        return LoadedBatch(len(numbers), 0, 0, 0, len(numbers), {date(2026, 1, 1): len(numbers)})


class PatientLine:
    """Time that passes at once; stops the loader when it has nothing more to do."""

    def __init__(self, stop_when: Callable[[], bool] = lambda: False) -> None:
        self.pauses: list[float] = []
        self.stopping = False
        self._stop_when = stop_when

    def wait_for_news(self, _seconds: float) -> None:
        self.stopping = True

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.stopping = self.stopping or len(self.pauses) > 200 or self._stop_when()


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.close()


def fill(inbox: Inbox, count: int) -> list[int]:
    inbox.store([(f"evt-{number}", NOW, b"{}") for number in range(1, count + 1)])
    return [*range(1, count + 1)]


def run(inbox: Inbox, crm: FakeCrm, line: PatientLine | None = None) -> list[Told]:
    told: list[Told] = []
    Loader(inbox, crm.load, lambda _: crm.cursor, line or PatientLine(), told.append).run()
    return told


def test_all_is_loaded_in_order_and_told(inbox: Inbox) -> None:
    numbers, crm = fill(inbox, 5), FakeCrm()
    told = run(inbox, crm)
    assert crm.loaded == numbers
    assert [type(one) for one in told] == [Reached, Loaded, Reached]
    assert [one.position for one in told if isinstance(one, Reached)] == [0, 5]


def test_it_begins_where_the_crm_is(inbox: Inbox) -> None:
    fill(inbox, 5)
    crm = FakeCrm()
    crm.cursor = 3
    run(inbox, crm)
    assert crm.loaded == [4, 5]


def test_without_an_inbox_there_is_nothing_to_do(inbox: Inbox) -> None:
    crm = FakeCrm()
    assert run(inbox, crm) == []
    assert not inbox.path.exists()


def test_who_waits_for_the_crm_finds_every_gap_between_two_batches() -> None:
    assert max(RETRY_SECONDS, READER_RETRY_SECONDS) < module.PAUSE_SECONDS


def test_batches_are_bounded_and_leave_the_crm_to_others_in_between(inbox: Inbox) -> None:
    numbers, crm, line = fill(inbox, 10), FakeCrm(), PatientLine()
    with mock.patch.object(module, "MOST_IN_A_BATCH", 4):
        run(inbox, crm, line)
    assert crm.loaded == numbers
    assert crm.sizes == [4, 4, 2]
    assert line.pauses == [module.PAUSE_SECONDS] * 3


@pytest.mark.parametrize(
    "error", [CrmError("busy"), OSError("full"), duckdb.IOException("full"), MemoryError()]
)
def test_while_the_crm_is_away_nothing_is_blamed(inbox: Inbox, error: Exception) -> None:
    numbers, crm, line = fill(inbox, 5), FakeCrm(), PatientLine()
    crm.away = [error] * 30
    told = run(inbox, crm, line)
    assert crm.loaded == numbers
    assert crm.sizes == [5] * 31, "a batch is not halved for that"
    assert told.count(Failed()) == 30
    assert SetAside() not in told


def test_waits_grow_are_bounded_and_differ(inbox: Inbox) -> None:
    fill(inbox, 1)
    crm, line = FakeCrm(), PatientLine()
    crm.away = [CrmError("busy")] * 30
    run(inbox, crm, line)
    waits = line.pauses[:30]
    assert 0.25 <= waits[0] <= 0.5
    assert all(15 <= seconds <= 30 for seconds in waits[-20:])
    assert len(set(waits[-20:])) > 1


def test_the_wait_after_a_success_is_short_again(inbox: Inbox) -> None:
    numbers, crm, line = fill(inbox, 4), FakeCrm(), PatientLine()
    crm.away = [CrmError("busy")] * 9
    with mock.patch.object(module, "MOST_IN_A_BATCH", 2):
        run(inbox, crm, line)
        crm.away = [CrmError("busy")]
        inbox.store([("evt-9", NOW, b"{}")])
        line.stopping = False
    assert crm.loaded == numbers
    again = PatientLine()
    run(inbox, crm, again)
    assert again.pauses[0] <= 0.5


@settings(deadline=None)
@given(
    count=st.integers(1, 40),
    poison=st.sets(st.integers(1, 40), max_size=6),
    size=st.integers(1, 40),
)
def test_bad_deliveries_never_stop_their_neighbours(
    tmp_path_factory: pytest.TempPathFactory, count: int, poison: set[int], size: int
) -> None:
    inbox = Inbox(tmp_path_factory.mktemp("inbox"))
    numbers, crm = fill(inbox, count), FakeCrm([*poison])
    with mock.patch.object(module, "MOST_IN_A_BATCH", size):
        told = run(inbox, crm)
    assert sorted(set(crm.loaded)) == [number for number in numbers if number not in poison]
    assert told.count(SetAside()) == len(poison & {*numbers})
    assert told[-1] == Reached(count)
    assert len(inbox.after(0, 100)) == count, "what was set aside stays in the inbox"
    inbox.close()


def test_one_bad_delivery_costs_few_loads(inbox: Inbox) -> None:
    fill(inbox, 1_000)
    crm = FakeCrm([500])
    run(inbox, crm)
    assert len(crm.loaded) == 999
    assert len(crm.sizes) <= 2 * 10 + 1


def test_when_nothing_loads_it_is_tried_for_long_before_deliveries_are_blamed(
    inbox: Inbox,
) -> None:
    fill(inbox, 100)
    crm, line = FakeCrm(range(1, 101)), PatientLine()
    told = run(inbox, crm, line)
    first = told.index(SetAside())
    assert told[:first].count(Failed()) == module.TRIALS - 1
    assert told.count(SetAside()) == 100


def test_what_says_something_of_a_client_is_not_logged(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    fill(inbox, 3)
    caplog.set_level("INFO", "pf_pipeline.receiver")
    run(inbox, FakeCrm([2]))
    (record,) = caplog.records
    assert record.__dict__["fields"] == {"number": 2, "error": "ValueError"}
    assert "name" not in caplog.text


def test_an_inbox_that_is_another_is_read_from_its_own_beginning(inbox: Inbox) -> None:
    fill(inbox, 5)
    cursors: dict[str, int] = {}
    loaded: list[tuple[str, int]] = []

    def load(deliveries: Sequence[Delivery], inbox_id: str) -> LoadedBatch:
        loaded.extend((inbox_id, delivery.number) for delivery in deliveries)
        cursors[inbox_id] = deliveries[-1].number
        return LoadedBatch(0, 0, 0, 0, 0, {})

    first = inbox.inbox_id
    line = PatientLine()
    waits = iter([False, True])

    def replace(_seconds: float) -> None:
        if line.stopping or next(waits):
            line.stopping = True
            return
        for path in inbox.path.parent.iterdir():
            path.unlink()
        fill(inbox, 2)

    with mock.patch.object(line, "wait_for_news", replace):
        Loader(inbox, load, lambda name: cursors.get(name, 0), line, lambda _: None).run()
    second = inbox.inbox_id
    assert loaded == [(first, number) for number in range(1, 6)] + [(second, 1), (second, 2)]


def test_a_crm_that_took_the_place_of_another_is_asked_where_to_begin(inbox: Inbox) -> None:
    """One that was restored from a backup knows less than the one before."""
    fill(inbox, 5)
    crm, line = FakeCrm(), PatientLine()
    places = ["first"]
    waits = iter([False, True])

    def restore(_seconds: float) -> None:
        if line.stopping or next(waits):
            line.stopping = True
            return
        places[0] = "second"
        crm.cursor = 2

    with mock.patch.object(line, "wait_for_news", restore):
        Loader(inbox, crm.load, lambda _: crm.cursor, line, lambda _: None, lambda: places[0]).run()
    assert crm.loaded == [1, 2, 3, 4, 5, 3, 4, 5]


def test_a_batch_is_noted_in_the_inbox_that_it_was_read_from(inbox: Inbox) -> None:
    """Or the cursor of an inbox that has just taken its place would be ahead of it."""
    fill(inbox, 5)
    first, after = inbox.inbox_id, inbox.after
    noted: list[str] = []

    def replaced_after_reading(number: int, limit: int) -> list[Delivery]:
        batch = after(number, limit)
        if inbox.inbox_id == first:
            for path in inbox.path.parent.iterdir():
                path.unlink()
            fill(inbox, 2)
        return batch

    def load(_deliveries: Sequence[Delivery], inbox_id: str) -> LoadedBatch:
        noted.append(inbox_id)
        return LoadedBatch(0, 0, 0, 0, 0, {})

    with mock.patch.object(inbox, "after", replaced_after_reading):
        Loader(inbox, load, lambda _: 0, PatientLine(), lambda _: None).run()
    assert noted == [first, inbox.inbox_id]
    assert first != inbox.inbox_id
