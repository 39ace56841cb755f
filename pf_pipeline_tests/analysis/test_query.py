"""``query`` answers one SELECT, writes nothing, and is in nobody's way."""

import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Timer

import duckdb
import pandas as pd
import pytest
from filelock import FileLock

from pf_pipeline.analysis import QueryError, query
from pf_pipeline.settings import Settings, load_settings
from pf_pipeline_tests.analysis.conftest import Ask
from pf_pipeline_tests.crm.builders import CrmFile, lead, seen
from pf_pipeline_tests.crm.other_processes import (
    READY,
    hold,
    hold_plainly,
    hold_read_only,
    load_each,
    load_for_ever,
    other_process,
)

COUNT = "SELECT count(*) AS leads FROM crm.leads"
READERS, QUESTIONS = 5, 5
A_WHILE = 0.4


def ask_again_and_again(connection: Connection, settings: Settings, times: int) -> None:
    """Ask so many times and then tell the answers."""
    connection.send(READY)
    connection.send([int(query(COUNT, settings=settings)["leads"].item()) for _ in range(times)])


def test_days_and_hours_are_those_of_the_display_time_zone(ask: Ask) -> None:
    found = ask(
        "SELECT created_at, created_at::DATE AS day, hour(created_at) AS hour FROM crm.leads"
    )
    # 20:30 and 21:30 UTC on the 19th are 00:30 and 01:30 on the 20th in Dubai.
    assert sorted(found["hour"]) == [0, 1]
    assert {str(day) for day in found["day"]} == {"2025-12-20"}
    assert str(found["created_at"].dtype) == "datetime64[us, Asia/Dubai]"
    assert min(found["created_at"]) == pd.Timestamp("2025-12-19 20:30", tz="UTC")


def test_sums_are_numbers(ask: Ask) -> None:
    found = ask("SELECT sum(talk_seconds) AS talk, 1.5 AS share FROM crm.call_recordings")
    assert found.to_dict("records") == [{"talk": 60, "share": 1.5}]
    assert [str(dtype) for dtype in found.dtypes] == ["Int64", "float64"]


def test_values_are_bound(ask: Ask) -> None:
    found = ask("SELECT lead_id FROM crm.leads WHERE channel = ?", "call")
    assert found["lead_id"].tolist() == ["call-1"]


def test_an_answer_without_rows_has_columns(ask: Ask) -> None:
    found = ask("SELECT lead_id, created_at FROM crm.leads WHERE false")
    assert found.dtypes.astype(str).to_dict() == {
        "lead_id": "str",
        "created_at": "datetime64[us, Asia/Dubai]",
    }
    assert found.merge(found, on="lead_id").empty


@pytest.mark.parametrize(
    "name", ["crm.duckdb", "CRM.duckdb", "pipeline.duckdb", "o'clock leads.db"]
)
def test_tables_have_their_names_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    crm = CrmFile(tmp_path / name)
    crm.load(seen(lead()))
    settings = load_settings(_env_file=None, crm_url=crm.location)
    for table in ("crm.leads", "crm.agents", "pipeline.lead_observations"):
        assert len(query(f"FROM {table}", settings=settings)) == (table != "crm.agents")


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM crm.leads",
        "UPDATE crm.leads SET agent_id = 'x'",
        "CREATE TABLE crm.mine (a INTEGER)",
        "SELECT 1; DELETE FROM crm.leads",
        "COPY (SELECT 1) TO 'out.csv'",
        "SET threads = 1",
        "",
        "-- nothing",
    ],
)
def test_whatever_is_no_question_is_refused(ask: Ask, crm: CrmFile, sql: str) -> None:
    before = crm.path.read_bytes()
    with pytest.raises(QueryError, match="must be one SELECT"):
        ask(sql)
    assert crm.path.read_bytes() == before


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELEC 1", 'The query cannot be understood: syntax error at or near "SELEC".'),
        ("FROM crm.lead", "The query cannot be understood: Table with name lead does not exist."),
        (
            "SELECT phon FROM crm.leads",
            'The query cannot be understood: Referenced column "phon" not found in FROM clause.',
        ),
        ("FROM leads", "The query reads 'leads', but only tables such as crm.leads can be read."),
    ],
)
def test_a_wrong_question_is_told_in_one_sentence(ask: Ask, sql: str, sentence: str) -> None:
    with pytest.raises(QueryError) as raised:
        ask(sql)
    assert str(raised.value) == sentence


def test_a_question_leaves_nothing_but_the_lock_file_behind(ask: Ask, crm: CrmFile) -> None:
    before = crm.path.read_bytes()
    ask("FROM crm.leads")
    assert crm.path.read_bytes() == before
    left = {path.name for path in crm.path.parent.iterdir()}
    assert left <= {crm.path.name, f"{crm.path.name}.lock"}


def test_a_missing_crm_is_told_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "crm.duckdb"
    settings = load_settings(_env_file=None, crm_url=f"duckdb:///{path}")
    with pytest.raises(QueryError) as raised:
        query(COUNT, settings=settings)
    assert str(raised.value) == (
        f"There is no CRM {path} yet: load leads first, for example by make demo."
    )
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_is_no_crm_is_told(ask: Ask, crm: CrmFile) -> None:
    crm.path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(QueryError, match=rf"^The CRM {crm.path} cannot be read: .*\.$"):
        ask(COUNT)
    crm.path.unlink()
    with duckdb.connect(str(crm.path)) as other:
        other.execute("CREATE TABLE mine (a INTEGER)")
    with pytest.raises(QueryError, match="has no leads yet"):
        ask(COUNT)


def test_a_crm_that_a_killed_load_left_behind_is_read(ask: Ask, crm: CrmFile) -> None:
    with other_process(load_for_ever, crm, [seen(lead("x")), seen(lead("y", phone="050"))]) as load:
        load.wait_until_ready()
        load.kill()
    assert ask(COUNT)["leads"].item() >= 3


def test_a_reader_without_permission_to_write_reads(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Tests may run as root, whom no permission stops.
    monkeypatch.setattr("pf_pipeline.analysis.opening.FileLock.acquire", denied)
    assert ask(COUNT)["leads"].item() == 2


@pytest.mark.parametrize("holder", [hold, hold_plainly])
def test_a_reader_waits_for_whoever_writes(
    ask: Ask, crm: CrmFile, holder: object, request: pytest.FixtureRequest
) -> None:
    with other_process(holder, crm) as writer:  # type: ignore[arg-type]
        timer = Timer(A_WHILE, writer.release)
        request.addfinalizer(timer.join)
        timer.start()
        started = time.monotonic()
        assert ask(COUNT)["leads"].item() == 2
        assert time.monotonic() - started >= A_WHILE / 2


@pytest.mark.parametrize("holder", [hold, hold_plainly])
def test_a_reader_who_waits_too_long_is_told(
    settings: Settings, crm: CrmFile, holder: object
) -> None:
    hurried = settings.model_copy(update={"lock_timeout_seconds": A_WHILE})
    with other_process(holder, crm), pytest.raises(QueryError) as raised:  # type: ignore[arg-type]
        query(COUNT, settings=hurried)
    assert str(raised.value) == (
        f"The CRM {crm.path} was being written to for more than {A_WHILE} s: try again, or raise "
        "PF_LOCK_TIMEOUT_SECONDS."
    )


def test_a_load_that_waits_for_readers_is_not_overtaken(settings: Settings, crm: CrmFile) -> None:
    hurried = settings.model_copy(update={"lock_timeout_seconds": A_WHILE})
    # As a load has it that waits behind its lock until those who read are done.
    with (
        FileLock(f"{crm.path}.lock"),
        other_process(hold_read_only, crm),
        pytest.raises(QueryError, match="was being written to"),
    ):
        query(COUNT, settings=hurried)


def test_readers_do_not_wait_for_each_other(ask: Ask, crm: CrmFile) -> None:
    with other_process(hold_read_only, crm):
        assert ask(COUNT)["leads"].item() == 2


def test_a_frame_that_is_kept_holds_nothing(ask: Ask, crm: CrmFile) -> None:
    kept = ask("FROM crm.leads")
    with other_process(load_each, crm, [seen(lead("new"))]) as load:
        load.wait()
    assert len(kept) == 2
    assert ask(COUNT)["leads"].item() == 3


def test_a_question_that_takes_too_long_is_ended_and_frees_the_crm(ask: Ask, crm: CrmFile) -> None:
    endless = "SELECT max(a.range * b.range) FROM range(100000000) a, range(100000000) b, crm.leads"
    with pytest.raises(
        QueryError, match=r"^The query took more than 0.2 s, and loads have to wait"
    ):
        ask(endless, longest=0.2)
    with other_process(load_each, crm, [seen(lead("new"))]) as load:
        load.wait()


def test_readers_and_a_load_at_once_all_come_to_their_end(settings: Settings, crm: CrmFile) -> None:
    batches = [seen(lead(f"lead {number}")) for number in range(10)]
    with ExitStack() as stack:
        readers = [
            stack.enter_context(other_process(ask_again_and_again, settings, QUESTIONS))
            for _ in range(READERS)
        ]
        load = stack.enter_context(other_process(load_each, crm, batches))
        answers = [list(told(reader.connection)) for reader in readers]
        load.wait()
        for reader in readers:
            reader.wait()
    assert [len(found) for found in answers] == [QUESTIONS] * READERS
    assert all(found == sorted(found) for found in answers)  # a load is seen whole or not at all
    assert len(crm.rows("leads")) == 2 + len(batches)


def told(connection: Connection) -> Iterator[int]:
    assert connection.poll(60), "the reader did not come to its end"
    yield from connection.recv()


def test_threads_of_one_program_may_ask_at_once(ask: Ask) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: ask(COUNT)["leads"].item(), range(12))]
    assert found == [2] * 12


def test_settings_are_those_of_the_environment(
    crm: CrmFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(crm.path.parent)
    monkeypatch.setenv("PF_DATA_DIR", os.fspath(crm.path.parent))
    monkeypatch.setenv("PF_DISPLAY_TIMEZONE", "Africa/Cairo")
    shutil.copy(crm.path, crm.path.with_name("copy.duckdb"))
    assert str(query("SELECT created_at FROM crm.leads").dtypes.iloc[0]) == (
        "datetime64[us, Africa/Cairo]"
    )
