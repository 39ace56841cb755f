import sqlite3
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from pf_pipeline.portal import PermanentPortalError, RequestBudget, StoppedError
from pf_pipeline.portal.stopping import Stop

PERIOD = 0.8
# An instant is noted after the budget let go, on a busy machine noticeably after: what was a
# period apart may look closer. Half a period still tells one budget from one for each process.
CERTAINLY_ONE_PERIOD = PERIOD / 2


def spend(path: Path, limit: int, times: int) -> list[float]:
    """Use a budget some times, and note when each request was let go."""
    budget = RequestBudget(path, "shared", limit, period_seconds=PERIOD)
    instants = []
    for _ in range(times):
        budget.acquire()
        instants.append(time.monotonic())
    budget.close()
    return instants


def wait_for_a_turn(path: Path, close_after: float) -> str:
    """Wait for a turn that is a minute away, in a thread, and close the budget meanwhile."""
    budget = RequestBudget(path, "shared", 1)
    ends: list[str] = []

    def wait() -> None:
        try:
            budget.acquire()
        except StoppedError as error:
            ends.append(type(error).__name__)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(close_after)
    assert thread.is_alive()
    budget.close()
    thread.join(10)
    return "still waiting" if thread.is_alive() else ends[0]


def most_in_any_window(instants: list[float], seconds: float) -> int:
    return max(sum(start <= t < start + seconds for t in instants) for start in instants)


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that budgets wanted to wait; nothing does."""
    waited: list[float] = []
    monkeypatch.setattr(Stop, "pause", lambda _, seconds: waited.append(seconds))
    return waited


def test_processes_share_one_budget(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        spent = [processes.submit(spend, tmp_path / "budget", 50, 20) for _ in range(4)]
        instants = [instant for one in spent for instant in one.result()]
    assert len(instants) == 80
    assert most_in_any_window(instants, CERTAINLY_ONE_PERIOD) <= 50


def test_threads_share_one_budget(tmp_path: Path) -> None:
    budget = RequestBudget(tmp_path / "budget", "shared", 10, period_seconds=PERIOD)
    instants: list[float] = []

    def spend_six() -> None:
        for _ in range(6):
            budget.acquire()
            instants.append(time.monotonic())

    threads = [threading.Thread(target=spend_six) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    budget.close()
    assert len(instants) == 30
    assert most_in_any_window(instants, CERTAINLY_ONE_PERIOD) <= 10


def test_a_whole_budget_may_go_at_once_and_the_rest_waits_its_turn(
    tmp_path: Path, waited: list[float]
) -> None:
    budget = RequestBudget(tmp_path / "budget", "shared", 2)
    for _ in range(6):
        budget.acquire()
    budget.close()
    # A little more than the minute: see the safety margin.
    assert [round(seconds / 61.2) for seconds in waited] == [1, 1, 2, 2]
    assert all(seconds > 60 for seconds in waited)


def test_a_larger_limit_does_not_jump_the_queue(tmp_path: Path, waited: list[float]) -> None:
    small = RequestBudget(tmp_path / "budget", "shared", 1)
    large = RequestBudget(tmp_path / "budget", "shared", 10)
    small.acquire()
    small.acquire()
    large.acquire()
    small.close()
    large.close()
    assert [round(seconds / 61.2) for seconds in waited] == [1, 1]


def test_what_was_spent_is_remembered_when_the_file_is_opened_again(
    tmp_path: Path, waited: list[float]
) -> None:
    for _ in range(2):
        budget = RequestBudget(tmp_path / "budget", "shared", 1)
        budget.acquire()
        budget.close()
    assert len(waited) == 1


def test_budgets_of_different_names_do_not_share(tmp_path: Path, waited: list[float]) -> None:
    for name in ("requests", "tokens"):
        budget = RequestBudget(tmp_path / "budget", name, 1)
        budget.acquire()
        budget.close()
    assert waited == []


def test_a_restart_of_the_machine_does_not_block_the_budget(
    tmp_path: Path, waited: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = RequestBudget(tmp_path / "budget", "shared", 1)
    budget.acquire()
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)  # the clock starts again
    budget.acquire()
    budget.close()
    assert waited == []


def test_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    budget = RequestBudget(tmp_path / "budget", "shared", 5, period_seconds=0.01)
    for _ in range(200):
        budget.acquire()
    budget.close()
    with sqlite3.connect(tmp_path / "budget") as connection:
        (count,) = connection.execute("SELECT count(*) FROM requests").fetchone()
    connection.close()
    assert count <= 10


def test_a_budget_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    budget = RequestBudget(tmp_path / "budget", "shared", 5)
    budget.acquire()
    budget.close()
    assert threading.active_count() == before


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "budget").write_text("not a database, but long enough to be looked at " * 50)
    with pytest.raises(PermanentPortalError, match=r"^The request budget in .* delete the file\.$"):
        RequestBudget(tmp_path / "budget", "shared", 5)


def test_an_unusable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PermanentPortalError, match="make its folder writable"):
        RequestBudget(tmp_path / "file" / "budget", "shared", 5)


def test_closing_a_budget_wakes_who_waits_in_every_process(tmp_path: Path) -> None:
    budget = RequestBudget(tmp_path / "budget", "shared", 1)
    budget.acquire()
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as processes:
        ends = [processes.submit(wait_for_a_turn, tmp_path / "budget", 0.2) for _ in range(3)]
        assert [end.result() for end in ends] == ["StoppedError"] * 3
    budget.close()


def test_one_who_waits_can_be_woken_alone(tmp_path: Path) -> None:
    budget = RequestBudget(tmp_path / "budget", "shared", 1)
    budget.acquire()
    stop, other = Stop(), Stop()
    other.set()

    def wait() -> None:
        with pytest.raises(StoppedError):
            budget.acquire(stop)

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    stop.set()
    waiting.join(10)
    assert not waiting.is_alive()
    with pytest.raises(StoppedError):
        budget.acquire(other)
    budget.close()


def test_a_stop_that_is_set_costs_no_place(tmp_path: Path) -> None:
    budget = RequestBudget(tmp_path / "budget", "shared", 1)
    stop = Stop()
    stop.set()
    with pytest.raises(StoppedError):
        budget.acquire(stop)
    budget.acquire()  # would take a minute, had the other one been counted
    budget.close()


def test_a_budget_that_is_closed_lets_nothing_through(tmp_path: Path) -> None:
    budget = RequestBudget(tmp_path / "budget", "shared", 1)
    budget.close()
    with pytest.raises(StoppedError):
        budget.acquire()


def test_parts_stop_with_the_whole_and_not_the_other_way_round() -> None:
    whole = Stop()
    part, other = Stop(whole), Stop(whole)
    part.set()
    other.check()
    whole.check()
    whole.set()
    with pytest.raises(StoppedError):
        other.pause(0)
    with pytest.raises(StoppedError):
        Stop(whole).check()
