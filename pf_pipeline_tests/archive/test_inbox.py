"""The inbox: what is stored once stays, whatever happens, and is handed out in order."""

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.archive import inbox as module
from pf_pipeline.archive.inbox import Inbox, InboxCounts, InboxError

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = NOON.date()


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.close()


def delivery(number: int, at: datetime = NOON) -> tuple[str, datetime, bytes]:
    return f"evt-{number}", at, f"body {number}".encode()


def test_looking_into_it_makes_none(inbox: Inbox, tmp_path: Path) -> None:
    assert inbox.last_number == 0
    assert inbox.inbox_id == ""
    assert inbox.after(0, 10) == []
    assert inbox.unarchived(DAY) == []
    assert inbox.unarchived_days() == []
    assert inbox.forget_archived(NOON) == 0
    assert inbox.counts() == InboxCounts(0, 0, 0)
    inbox.mark_archived([])
    assert [*tmp_path.iterdir()] == []


def test_deliveries_come_out_as_they_went_in(inbox: Inbox) -> None:
    instant = datetime(2026, 1, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    body = bytes(range(256))
    assert inbox.store([("a", instant, body), ("b", NOON, b"")]) == [True, True]
    first, second = inbox.after(0, 10)
    assert first == (1, "a", instant, body)
    assert second == (2, "b", NOON, b"")
    assert first.received_at.tzinfo is not None
    assert inbox.after(1, 10) == [second]
    assert inbox.after(0, 1) == [first]
    assert inbox.last_number == 2


def test_a_repeated_delivery_is_counted_and_stored_once(inbox: Inbox) -> None:
    assert inbox.store([delivery(1), delivery(1), delivery(2)]) == [True, False, True]
    assert inbox.store([delivery(2), delivery(3), delivery(2)]) == [False, True, False]
    assert [found.delivery_id for found in inbox.after(0, 10)] == ["evt-1", "evt-2", "evt-3"]
    assert inbox.counts() == InboxCounts(stored=3, repeats=3, unarchived=3)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 9), max_size=9), max_size=9))
def test_whatever_the_batches_each_stands_there_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]
) -> None:
    inbox = Inbox(tmp_path_factory.mktemp("inbox"))
    told = [fresh for batch in batches for fresh in inbox.store([*map(delivery, batch)])]
    sent = [f"evt-{number}" for batch in batches for number in batch]
    assert [name for name, fresh in zip(sent, told, strict=True) if fresh] == [*dict.fromkeys(sent)]
    assert [found.delivery_id for found in inbox.after(0, 100)] == [*dict.fromkeys(sent)]
    counts = inbox.counts()
    assert counts.stored + counts.repeats == len(sent)
    inbox.close()


def test_a_large_batch_is_stored_whole(inbox: Inbox) -> None:
    many = [delivery(number) for number in range(2 * module.ROWS_A_STATEMENT + 1)]
    assert all(inbox.store(many))
    assert not any(inbox.store(many))
    assert len(inbox.after(0, 10_000)) == len(many)


def test_days_are_utc_and_half_open(inbox: Inbox) -> None:
    midnight = datetime(2026, 1, 2, tzinfo=UTC)
    instants = [midnight - timedelta(microseconds=1), midnight, midnight + timedelta(days=1)]
    inbox.store([delivery(number, at) for number, at in enumerate(instants, start=1)])
    assert inbox.unarchived_days() == [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)]
    assert [found.number for found in inbox.unarchived(date(2026, 1, 2))] == [2]
    inbox.mark_archived([2])
    assert inbox.unarchived(date(2026, 1, 2)) == []
    assert inbox.unarchived_days() == [date(2026, 1, 1), date(2026, 1, 3)]


def test_only_what_is_archived_and_old_is_forgotten(inbox: Inbox) -> None:
    earlier = NOON - timedelta(seconds=1)
    inbox.store([delivery(1, earlier), delivery(2, earlier), delivery(3, NOON)])
    inbox.mark_archived([1, 3])
    assert inbox.forget_archived(NOON) == 1
    assert [found.number for found in inbox.after(0, 10)] == [2, 3]


def test_a_number_is_never_used_again(inbox: Inbox) -> None:
    inbox.store([delivery(1), delivery(2)])
    inbox.mark_archived([1, 2])
    assert inbox.forget_archived(NOON + timedelta(days=1)) == 2
    assert inbox.last_number == 2
    inbox.store([delivery(3)])
    assert [found.number for found in inbox.after(2, 10)] == [3]


def test_forgetting_goes_on_over_many_transactions(inbox: Inbox) -> None:
    with mock.patch.object(module, "ROWS_A_TRANSACTION", 2):
        inbox.store([delivery(number) for number in range(5)])
        inbox.mark_archived([1, 2, 3, 4, 5])
        assert inbox.forget_archived(NOON + timedelta(days=1)) == 5
    assert inbox.counts().stored == 0


def test_what_was_forgotten_leaves_no_trace_in_the_file(inbox: Inbox) -> None:
    inbox.store([("a", NOON, b"a telling name"), delivery(1)])
    inbox.mark_archived([1])
    inbox.forget_archived(NOON + timedelta(days=1))
    inbox.close()
    left = b"".join(path.read_bytes() for path in inbox.path.parent.iterdir())
    assert b"a telling name" not in left
    assert b"body 1" in left


def test_each_inbox_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = set()
    for folder in ("one", "two"):
        inbox = Inbox(tmp_path / folder)
        inbox.store([delivery(1)])
        names |= {inbox.inbox_id, Inbox(tmp_path / folder).inbox_id}
        inbox.close()
    assert len(names) == 2


def test_only_the_owner_may_look_into_it(inbox: Inbox) -> None:
    inbox.store([delivery(1)])
    assert stat.S_IMODE(inbox.path.parent.stat().st_mode) == 0o700
    for path in inbox.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_commit_is_flushed(inbox: Inbox) -> None:
    inbox.store([delivery(1)])
    settings = {
        name: inbox._connection().execute(f"PRAGMA {name}").fetchone()[0]  # noqa: SLF001
        for name in ("journal_mode", "synchronous")
    }
    assert settings == {"journal_mode": "wal", "synchronous": 2}


def test_two_who_begin_at_once_make_one_inbox(tmp_path: Path) -> None:
    inboxes = [Inbox(tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        told = threads.map(lambda one: one[1].store([delivery(one[0])]), enumerate(inboxes))
        assert [*told] == [[True]] * 8
    assert len({one.inbox_id for one in inboxes}) == 1
    assert inboxes[0].counts().stored == 8
    for one in inboxes:
        one.close()


def test_a_writer_waits_for_another_process(inbox: Inbox) -> None:
    inbox.store([delivery(1)])
    holder = subprocess.Popen(  # noqa: S603 - our own command
        [
            sys.executable,
            "-c",
            HOLD,
            str(inbox.path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        hasty = Inbox(inbox.path.parent.parent, patience=0.05)
        with pytest.raises(InboxError, match="locked"):
            hasty.store([delivery(2)])
        assert len(hasty.after(0, 10)) == 1, "readers wait for nobody"
        with ThreadPoolExecutor(1) as thread:
            stored = thread.submit(inbox.store, [delivery(2)])
            holder.stdin.write("\n")
            holder.stdin.flush()
            assert stored.result(30) == [True]
        hasty.close()


def test_an_inbox_that_was_removed_is_made_anew(inbox: Inbox) -> None:
    """What went on into a file without a name would be lost with its last reader."""
    inbox.store([delivery(1)])
    before = inbox.inbox_id
    for path in inbox.path.parent.iterdir():
        path.unlink()
    assert inbox.store([delivery(1)]) == [True]
    assert Inbox(inbox.path.parent.parent).counts().stored == 1
    assert inbox.inbox_id not in {"", before}


def test_a_file_that_is_no_inbox_is_named_and_left_alone(inbox: Inbox) -> None:
    inbox.path.parent.mkdir()
    inbox.path.write_bytes(b"no database" * 100)
    for use in (lambda: inbox.after(0, 1), lambda: inbox.store([delivery(1)])):
        with pytest.raises(InboxError, match="cannot be used: file is not a database"):
            use()
    assert inbox.path.read_bytes() == b"no database" * 100


def test_an_inbox_of_another_version_is_left_alone(inbox: Inbox) -> None:
    inbox.store([delivery(1)])
    inbox.close()
    with sqlite3.connect(inbox.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InboxError, match="another version"):
        inbox.store([delivery(2)])


def test_it_is_found_writable_or_not(inbox: Inbox) -> None:
    inbox.check_writable()
    inbox.close()
    inbox.path.unlink()
    inbox.path.mkdir()
    with pytest.raises(InboxError):
        inbox.check_writable()


def test_a_folder_with_an_odd_name_holds_one_too(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "50% off? #1 & more")
    inbox.store([delivery(1)])
    assert inbox.path.exists()
    assert Inbox(tmp_path / "50% off? #1 & more").last_number == 1
    inbox.close()
