"""Group commit: who waits for whom, and for how long."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest

from pf_pipeline.archive.inbox import Inbox, InboxError
from pf_pipeline.receiver import writer as module
from pf_pipeline.receiver.metrics import Metrics
from pf_pipeline.receiver.writer import GroupCommit, OverloadedError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class HeldInbox(Inbox):
    """An inbox whose disk waits to be released."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.released = threading.Event()
        self.batches: list[int] = []

    def store(self, batch: Sequence[tuple[str, datetime, bytes]]) -> list[bool]:
        assert self.released.wait(60)
        self.batches.append(len(batch))
        return super().store(batch)


Work = Callable[[GroupCommit, HeldInbox], Awaitable[None]]


def with_commits(folder: Path, work: Work, told: Callable[[], None] = lambda: None) -> HeldInbox:
    inbox = HeldInbox(folder)
    commits = GroupCommit(inbox, Metrics(), told)

    async def main() -> None:
        try:
            await asyncio.wait_for(work(commits, inbox), 60)
        finally:
            inbox.released.set()

    asyncio.run(main())
    commits.close()
    inbox.close()
    return inbox


def store(commits: GroupCommit, number: int) -> asyncio.Task[bool]:
    return asyncio.create_task(commits.store(f"evt-{number}", NOW, b"{}"))


def test_requests_share_a_commit(tmp_path: Path) -> None:
    async def work(commits: GroupCommit, inbox: HeldInbox) -> None:
        first = [store(commits, number) for number in range(3)]
        await asyncio.sleep(0.05)
        assert commits.waiting == 3
        then = [store(commits, number % 4) for number in range(3, 11)]
        await asyncio.sleep(0.05)
        inbox.released.set()
        assert await asyncio.gather(*first) == [True] * 3
        assert await asyncio.gather(*then) == [True] + [False] * 7
        assert commits.waiting == 0

    assert with_commits(tmp_path, work).batches == [3, 8]


def test_news_is_told_after_each_commit(tmp_path: Path) -> None:
    told: list[int] = []

    async def work(commits: GroupCommit, inbox: HeldInbox) -> None:
        inbox.released.set()
        await store(commits, 1)
        await store(commits, 2)

    inbox = Inbox(tmp_path)
    with_commits(tmp_path, work, lambda: told.append(inbox.last_number))
    assert told == [1, 2]


def test_too_many_are_told_to_come_later(tmp_path: Path) -> None:
    async def work(commits: GroupCommit, inbox: HeldInbox) -> None:
        waiting = [store(commits, number) for number in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(OverloadedError):
            await commits.store("evt-9", NOW, b"{}")
        inbox.released.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await commits.store("evt-9", NOW, b"{}")

    with mock.patch.object(module, "MOST_WAITING", 3):
        with_commits(tmp_path, work)


def test_a_disk_that_hangs_lets_nobody_wait_for_ever(tmp_path: Path) -> None:
    async def work(commits: GroupCommit, inbox: HeldInbox) -> None:
        early = store(commits, 1)
        await asyncio.sleep(0.02)
        late = store(commits, 2)
        for waiting in (early, late):
            with pytest.raises(OverloadedError):
                await waiting
        with pytest.raises(OverloadedError):
            await commits.store("evt-3", NOW, b"{}")
        inbox.released.set()
        while not inbox.batches:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.01)
        with mock.patch.object(module, "PATIENCE_SECONDS", 60):
            assert await store(commits, 4)

    with mock.patch.object(module, "PATIENCE_SECONDS", 0.1):
        with_commits(tmp_path, work)


def test_a_failed_commit_fails_all_its_requests_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("a file in its place")

    async def work(commits: GroupCommit, inbox: HeldInbox) -> None:
        inbox.released.set()
        answers = await asyncio.gather(
            *(store(commits, number) for number in range(3)), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [InboxError] * 3
        assert commits.failing
        (tmp_path / "inbox").unlink()
        assert await store(commits, 1)
        assert not commits.failing

    with_commits(tmp_path, work)


def test_a_request_that_is_given_up_harms_no_other(tmp_path: Path) -> None:
    async def work(commits: GroupCommit, inbox: HeldInbox) -> None:
        given_up, other = store(commits, 1), store(commits, 2)
        await asyncio.sleep(0.02)
        given_up.cancel()
        inbox.released.set()
        assert await other

    assert with_commits(tmp_path, work).batches == [2]
