import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from threading import Timer

import duckdb
import pytest

from pf_pipeline.crm import CrmError
from pf_pipeline_tests.crm.builders import SAMPLE, CrmFile, guide_lead, lead, seen
from pf_pipeline_tests.crm.other_processes import (
    OtherProcess,
    hold,
    hold_plainly,
    hold_read_only,
    load_each,
    other_process,
)

A_WHILE = 0.4
SOON = 5.0
"""Much longer than anything that need not wait takes, much shorter than a lock's deadline."""


@pytest.fixture
def release_later(request: pytest.FixtureRequest) -> Callable[[OtherProcess], None]:
    def release(other: OtherProcess) -> None:
        timer = Timer(A_WHILE, other.release)
        request.addfinalizer(timer.join)
        timer.start()

    return release


def test_a_second_process_waits_for_the_first_and_then_works(
    crm: CrmFile, release_later: Callable[[OtherProcess], None]
) -> None:
    with other_process(hold, crm, seen(lead("first"))) as first:
        started = time.monotonic()
        release_later(first)
        crm.load(seen(lead("second")))
        waited = time.monotonic() - started
        first.wait()
    assert waited >= A_WHILE
    assert [row["lead_id"] for row in crm.rows("leads")] == ["first", "second"]


def test_who_waits_for_longer_than_the_deadline_is_told_in_one_sentence(crm: CrmFile) -> None:
    with other_process(hold, crm) as first:
        started = time.monotonic()
        with pytest.raises(CrmError) as raised, crm.open(lock_timeout=A_WHILE):
            pass
        waited = time.monotonic() - started
        first.release()
        first.wait()
    assert A_WHILE <= waited < SOON
    assert str(raised.value) == (
        f"Another run held the CRM {crm.path} for more than {A_WHILE} s: try again, or raise "
        "PF_LOCK_TIMEOUT_SECONDS."
    )


def test_who_holds_the_crm_is_not_disturbed_by_those_who_give_up(crm: CrmFile) -> None:
    with crm.open() as warehouse:
        for _ in range(2):
            with pytest.raises(CrmError), crm.open(lock_timeout=0.1):
                pass
        good = seen(guide_lead())
        warehouse.load_leads(good.observations, good.rejected, days=[])
    assert crm.lead()["name"] == "John Doe"


@pytest.mark.parametrize("notebook", [hold_plainly, hold_read_only])
def test_a_notebook_that_holds_the_file_is_named_as_the_obstacle(
    crm: CrmFile, notebook: Callable[..., None]
) -> None:
    with other_process(notebook, crm):
        started = time.monotonic()
        with pytest.raises(CrmError) as raised, crm.open(lock_timeout=A_WHILE):
            pass
        waited = time.monotonic() - started
    assert A_WHILE <= waited < SOON
    assert str(raised.value) == (
        f"The CRM {crm.path} is open in another program: close it there (a notebook?)."
    )


def test_a_notebook_that_closes_the_file_in_time_is_waited_for(
    crm: CrmFile, release_later: Callable[[OtherProcess], None]
) -> None:
    with other_process(hold_plainly, crm) as notebook:
        release_later(notebook)
        crm.load(seen(guide_lead()))
    assert crm.lead()["lead_id"] == SAMPLE


@pytest.mark.parametrize("read_only", [True, False])
def test_a_connection_in_the_same_process_is_told_in_one_sentence(
    crm: CrmFile, *, read_only: bool
) -> None:
    with (
        duckdb.connect(str(crm.path), read_only=read_only),
        pytest.raises(CrmError) as raised,
        crm.open(lock_timeout=A_WHILE),
    ):
        pass
    assert str(raised.value) == (
        f"The CRM {crm.path} is open elsewhere in this program: close it there first."
    )
    crm.load(seen(guide_lead()))


def test_a_connection_in_the_same_process_that_is_closed_in_time_is_waited_for(
    crm: CrmFile,
) -> None:
    ours = duckdb.connect(str(crm.path))
    closing = Timer(A_WHILE, ours.close)
    closing.start()
    crm.load(seen(guide_lead()))
    closing.join()
    assert crm.lead()["lead_id"] == SAMPLE


def test_an_exception_while_the_crm_is_open_frees_it(crm: CrmFile) -> None:
    with pytest.raises(RuntimeError, match="a defect elsewhere"), crm.open():
        raise RuntimeError("a defect elsewhere")
    with other_process(load_each, crm, [seen(guide_lead())]) as other:
        other.wait()
    assert crm.lead()["lead_id"] == SAMPLE


def test_an_exception_in_a_load_frees_the_crm(crm: CrmFile) -> None:
    good = seen(guide_lead())
    with pytest.raises(duckdb.Error), crm.open() as warehouse:
        warehouse.load_leads(good.observations.assign(tags="no JSON"), good.rejected, days=[])
    with other_process(load_each, crm, [good]) as other:
        other.wait()
    assert crm.lead()["lead_id"] == SAMPLE


def test_a_file_that_could_not_be_opened_is_free_again(crm: CrmFile) -> None:
    content = crm.path.read_bytes()
    crm.path.write_bytes(b"no database")
    with pytest.raises(CrmError), crm.open():
        pass
    crm.path.write_bytes(content)
    with other_process(load_each, crm, [seen(guide_lead())]) as other:
        other.wait()
    assert crm.lead()["lead_id"] == SAMPLE


@pytest.mark.parametrize("holder", [hold, hold_plainly])
def test_a_holder_that_was_killed_holds_nothing(crm: CrmFile, holder: Callable[..., None]) -> None:
    with other_process(holder, crm) as other:
        other.kill()
        with crm.open(lock_timeout=SOON) as warehouse:
            assert warehouse.query("SELECT count(*) AS n FROM crm.leads")["n"].item() == 0


def test_processes_that_load_at_once_lose_nothing(crm: CrmFile) -> None:
    names = [[f"lead {process}.{number}" for number in range(3)] for process in range(4)]
    with ExitStack() as stack:
        others = [
            stack.enter_context(
                other_process(load_each, crm, [seen(lead(name), lead("shared")) for name in each])
            )
            for each in names
        ]
        for other in others:
            other.wait()
    loaded = [row["lead_id"] for row in crm.rows("leads")]
    assert loaded == [*chain(*names), "shared"]


def test_threads_that_load_at_once_lose_nothing(crm: CrmFile) -> None:
    batches = [seen(lead(f"lead {number}"), lead("shared")) for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        loads = [*pool.map(crm.load, batches)]
    assert sum(loaded.inserted for loaded in loads) == len(batches) + 1
    assert len(crm.rows("leads")) == len(batches) + 1
