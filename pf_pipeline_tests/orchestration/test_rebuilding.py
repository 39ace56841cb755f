"""A CRM made anew from raw files and reference data: the same rows, and nothing lost meanwhile."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.crm import CrmBusyError, CrmError
from pf_pipeline.crm.connection import held
from pf_pipeline.crm.replacing import put_in_place
from pf_pipeline.orchestration import rebuilding
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.rebuilding import RebuildError, Rebuilt, rebuild
from pf_pipeline_tests.conftest import PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob
from pf_pipeline_tests.orchestration.test_webhook_events import (
    Form,
    crm_file,
    events_of_day,
    load_inbox,
    receive,
    receive_events,
    with_reference_data,
)
from pf_pipeline_tests.tables import all_crm_tables, crm_rows

FIRST, DAY = date(2025, 12, 18), date(2025, 12, 19)
MIDNIGHT = datetime(2025, 12, 19, tzinfo=UTC)
LEADS = 118
"""Of two days, without their rejects."""


@pytest.fixture
def make_used(make_pipeline: PipelineFactory, run_job: RunJob) -> Callable[..., Pipeline]:
    """A CRM of two polled days and the deliveries of one, some of them no leads."""

    def make(dialect: Form = "guide") -> Pipeline:
        pipeline = with_reference_data(make_pipeline(api_dialect=dialect))
        receive_events(pipeline, events_of_day(pipeline, dialect))
        receive(pipeline, [(b"no JSON", MIDNIGHT), (b'{"data": [{}, 7]}', MIDNIGHT)])
        load_inbox(pipeline)
        assert run_job(pipeline, FIRST, DAY).success
        return pipeline

    return make


def equal(rebuilt: Rebuilt) -> bool:
    assert len(rebuilt.differences) == 10
    return all(found.is_equal for found in rebuilt.differences)


def differing(rebuilt: Rebuilt) -> dict[str, tuple[int, int, int]]:
    return {
        found.table: (found.removed, found.added, found.changed)
        for found in rebuilt.differences
        if not found.is_equal
    }


def by_hand(pipeline: Pipeline, sql: str) -> None:
    with duckdb.connect(str(crm_file(pipeline))) as connection:
        connection.execute(sql)


def left_behind(pipeline: Pipeline) -> list[str]:
    names = [path.name for path in crm_file(pipeline).parent.iterdir()]
    return [name for name in names if name.startswith(".rebuild-") or name.endswith(".wal")]


@pytest.mark.parametrize("dialect", ["guide", "atlas"])
def test_it_is_equal_row_for_row(make_used: Callable[..., Pipeline], dialect: Form) -> None:
    pipeline = make_used(dialect)
    before = all_crm_tables(crm_file(pipeline))
    old_file = crm_file(pipeline).stat().st_ino
    rebuilt = rebuild(pipeline)
    assert equal(rebuilt)
    assert (rebuilt.leads, rebuilt.in_place) == (LEADS, True)
    assert crm_file(pipeline).stat().st_ino != old_file
    assert all_crm_tables(crm_file(pipeline)) == before
    assert left_behind(pipeline) == []
    assert all(account.agrees for account in pipeline.account([FIRST, DAY]))


def test_without_the_old_crm_it_is_equal_too(make_used: Callable[..., Pipeline]) -> None:
    pipeline = make_used()
    before = all_crm_tables(crm_file(pipeline))
    crm_file(pipeline).unlink()
    rebuilt = rebuild(pipeline)
    assert (rebuilt.differences, rebuilt.carried) == ([], 0)
    assert all_crm_tables(crm_file(pipeline)) == before


def test_packed_days_are_read_alike(make_used: Callable[..., Pipeline]) -> None:
    pipeline = make_used()
    for day in (FIRST, DAY):
        pipeline.archive.raw_leads.pack(day)
        pipeline.archive.webhook_events.pack(day)
    assert equal(rebuild(pipeline))


def test_it_needs_no_staged_file(make_used: Callable[..., Pipeline]) -> None:
    pipeline = make_used()
    for path in (pipeline.settings.data_dir / "staged").rglob("*.*"):
        path.unlink()
    assert equal(rebuild(pipeline))


def test_a_dry_run_keeps_the_old_one(make_used: Callable[..., Pipeline]) -> None:
    pipeline = make_used()
    by_hand(pipeline, "UPDATE leads SET message = 'changed by hand' WHERE lead_id = 'lead_987654'")
    old = crm_file(pipeline).stat()
    rebuilt = rebuild(pipeline, dry_run=True)
    assert differing(rebuilt) == {"crm.leads": (0, 0, 1)}
    assert not rebuilt.in_place
    assert crm_file(pipeline).stat().st_ino == old.st_ino
    assert left_behind(pipeline) == []


def test_a_persons_decision_is_carried_over(make_used: Callable[..., Pipeline]) -> None:
    pipeline = make_used()
    by_hand(pipeline, "UPDATE leads SET agent_id = 'A-07' WHERE lead_id = 'lead_987654'")
    for assign_anew in (False, True):
        assert equal(rebuild(pipeline, assign_anew=assign_anew))
    sql = "SELECT agent_id FROM crm.leads WHERE lead_id = 'lead_987654'"
    assert crm_rows(crm_file(pipeline), sql) == [("A-07",)]
    pipeline.load([DAY])
    sql = "SELECT agent_id, assignment_rule FROM crm.leads WHERE lead_id = 'lead_987654'"
    assert crm_rows(crm_file(pipeline), sql) == [("A-07", "manual")]


def test_agents_keep_their_leads_when_a_property_has_another_owner(
    make_pipeline: PipelineFactory, run_job: RunJob, tmp_path: Path
) -> None:
    properties = tmp_path / "properties.csv"
    properties.write_text("internal_ref,agent_id\nAPT-DOWNTOWN-101,A-01\n")
    pipeline = make_pipeline(properties=str(properties))
    assert run_job(pipeline, DAY).success
    properties.write_text("internal_ref,agent_id\nAPT-DOWNTOWN-101,A-02\n")
    pipeline.refresh_properties()
    owner = "SELECT agent_id FROM crm.leads WHERE lead_id = 'lead_987654'"
    assert equal(rebuild(pipeline))
    assert crm_rows(crm_file(pipeline), owner) == [("A-01",)]
    rebuilt = rebuild(pipeline, assign_anew=True)
    assert set(differing(rebuilt)) >= {"crm.leads", "crm.lead_events", "pipeline.given_agents"}
    assert crm_rows(crm_file(pipeline), owner) == [("A-02",)]


def test_leads_that_got_their_agent_later_keep_it_and_when(
    make_pipeline: PipelineFactory, run_job: RunJob, tmp_path: Path
) -> None:
    properties = tmp_path / "properties.csv"
    properties.write_text("internal_ref,agent_id\n")
    nobody = tmp_path / "agents.csv"
    nobody.write_text("agent_id,name,email,portal_user_id,portal_profile_id,active\n")
    early = make_pipeline(properties=str(properties), agents=str(nobody))
    assert run_job(early, DAY).success
    late = make_pipeline(now=early.now() + timedelta(days=1))
    late.refresh_properties()
    late.refresh_agents()
    assert equal(rebuild(late))


def test_reference_data_that_only_the_crm_holds_is_kept(
    make_used: Callable[..., Pipeline], make_pipeline: PipelineFactory
) -> None:
    make_used()
    assert equal(rebuild(make_pipeline(properties="crm", agents="crm")))


def test_what_comes_in_meanwhile_is_not_lost(
    make_used: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_used()
    arrive = iter([b"first", b"second", b"third"])
    load = rebuilding._NewCrm._load  # noqa: SLF001 - the moment after a day was loaded

    def meanwhile(self: object, *arguments: object) -> None:
        load(self, *arguments)  # type: ignore[arg-type]
        body = next(arrive, None)
        if body is not None:
            lead = b'{"id": "new_%b", "createdAt": "2025-12-19T12:00:00Z"}' % body
            receive(pipeline, [(lead, MIDNIGHT + timedelta(hours=12))])
            load_inbox(pipeline)

    monkeypatch.setattr(rebuilding._NewCrm, "_load", meanwhile)  # noqa: SLF001
    assert equal(rebuild(pipeline))
    sql = "SELECT count(*) FROM crm.leads WHERE lead_id LIKE 'new_%'"
    assert crm_rows(crm_file(pipeline), sql) == [(3,)]
    before = all_crm_tables(crm_file(pipeline))
    load_inbox(pipeline)
    assert all_crm_tables(crm_file(pipeline)) == before


def test_what_comes_in_as_often_as_it_looks_is_in_it_and_noted(
    make_used: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_used()
    arrive = iter(range(rebuilding.MOST_ROUNDS))
    load = rebuilding._NewCrm._load  # noqa: SLF001 - the moment after a day was loaded

    def meanwhile(self: object, *arguments: object) -> None:
        load(self, *arguments)  # type: ignore[arg-type]
        for number in arrive:
            lead = b'{"id": "new_%d", "createdAt": "2025-12-19T12:00:00Z"}' % number
            receive(pipeline, [(lead, MIDNIGHT + timedelta(hours=12))])
            break

    monkeypatch.setattr(rebuilding._NewCrm, "_load", meanwhile)  # noqa: SLF001
    rebuild(pipeline)
    sql = "SELECT count(*) FROM crm.leads WHERE lead_id LIKE 'new_%'"
    assert crm_rows(crm_file(pipeline), sql) == [(rebuilding.MOST_ROUNDS,)]
    with closing(Inbox(pipeline.settings.data_dir)) as inbox, pipeline.crm() as crm:
        assert crm.webhook_cursor(inbox.inbox_id) == inbox.last_number


def test_a_property_that_changes_its_owner_meanwhile_is_taken_over(
    make_pipeline: PipelineFactory,
    run_job: RunJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    properties = tmp_path / "properties.csv"
    properties.write_text("internal_ref,agent_id\nAPT-DOWNTOWN-101,A-01\n")
    pipeline = make_pipeline(properties=str(properties))
    assert run_job(pipeline, DAY).success
    load = rebuilding._NewCrm._load  # noqa: SLF001 - the moment after a day was loaded

    def meanwhile(self: object, *arguments: object) -> None:
        load(self, *arguments)  # type: ignore[arg-type]
        properties.write_text("internal_ref,agent_id\nAPT-DOWNTOWN-101,A-02\n")

    monkeypatch.setattr(rebuilding._NewCrm, "_load", meanwhile)  # noqa: SLF001
    rebuild(pipeline)
    owner = "SELECT agent_id FROM crm.properties"
    assert crm_rows(crm_file(pipeline), owner) == [("A-02",)]


def test_deliveries_that_nobody_loaded_yet_are_in_it(make_used: Callable[..., Pipeline]) -> None:
    pipeline = make_used()
    lead = b'{"id": "waiting", "createdAt": "2025-12-19T12:00:00Z"}'
    receive(pipeline, [(lead, MIDNIGHT)])
    assert set(differing(rebuild(pipeline))) == {"crm.leads", "pipeline.lead_observations"}
    sql = "SELECT count(*) FROM crm.leads WHERE lead_id = 'waiting'"
    assert crm_rows(crm_file(pipeline), sql) == [(1,)]


def test_the_old_one_stays_readable_and_as_it_is_until_the_swap(
    make_used: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_used()
    seen = []

    def reading(new: Path, old: Path) -> None:
        seen.append(crm_rows(old, "SELECT count(*) FROM crm.leads"))
        with pytest.raises(CrmBusyError), held(old, 0.1):
            pytest.fail("somebody could load into the old one, and the new one would not have it")
        put_in_place(new, old)

    monkeypatch.setattr(rebuilding, "put_in_place", reading)
    rebuild(pipeline)
    assert seen == [[(LEADS,)]]


def test_a_damaged_crm_is_kept_beside_the_new_one(make_used: Callable[..., Pipeline]) -> None:
    pipeline = make_used()
    before = all_crm_tables(crm_file(pipeline))
    crm_file(pipeline).write_bytes(b"damaged" * 1000)
    rebuilt = rebuild(pipeline)
    assert rebuilt.put_aside is not None
    assert rebuilt.put_aside.read_bytes() == b"damaged" * 1000
    assert "cannot be opened" in str(rebuilt.damage)
    assert all_crm_tables(crm_file(pipeline)) == before


def test_a_busy_crm_is_not_taken_for_a_damaged_one(
    make_used: Callable[..., Pipeline], make_pipeline: PipelineFactory
) -> None:
    make_used()
    hasty = make_pipeline(lock_timeout_seconds=0.1)
    with FileLock(f"{crm_file(hasty)}.lock"), pytest.raises(CrmBusyError):
        rebuild(hasty)


def test_a_damaged_page_is_named_and_the_old_one_stays(make_used: Callable[..., Pipeline]) -> None:
    pipeline = make_used()
    before = all_crm_tables(crm_file(pipeline))
    page = next((pipeline.settings.data_dir / "raw/leads").rglob("page-*.json.gz"))
    page.write_bytes(b"damaged")
    with pytest.raises(RebuildError, match=r"\.json\.gz .* The old CRM stays as it is"):
        rebuild(pipeline)
    assert all_crm_tables(crm_file(pipeline)) == before
    assert left_behind(pipeline) == []


@pytest.mark.parametrize(
    ("addition", "name"),
    [
        ("ALTER TABLE leads ADD COLUMN score INTEGER", r"leads\.score"),
        ("CREATE TABLE targets (agent_id VARCHAR)", "targets"),
        ("CREATE VIEW hot AS SELECT lead_id FROM leads", "hot"),
    ],
)
def test_what_people_added_to_the_crm_is_not_lost(
    make_used: Callable[..., Pipeline], addition: str, name: str
) -> None:
    pipeline = make_used()
    by_hand(pipeline, addition)
    with pytest.raises(RebuildError, match=rf"would lose \({name}\)"):
        rebuild(pipeline)
    assert left_behind(pipeline) == []


def test_a_crm_of_another_name_is_no_damaged_one(
    make_used: Callable[..., Pipeline], make_pipeline: PipelineFactory
) -> None:
    other = crm_file(make_used()).rename(crm_file(make_used()).with_name("other.duckdb"))
    renamed = make_pipeline(crm_url=f"duckdb:///{other}")
    with pytest.raises(CrmError, match="another file name"):
        rebuild(renamed)
    assert other.exists()


def test_two_at_once_are_one_too_many(make_used: Callable[..., Pipeline]) -> None:
    pipeline = make_used()
    lock = crm_file(pipeline).with_name(".crm.duckdb.rebuild.lock")
    with FileLock(lock), pytest.raises(RebuildError, match="Another rebuild"):
        rebuild(pipeline)


def test_changes_that_a_crash_left_in_the_log_are_not_lost(
    make_used: Callable[..., Pipeline],
) -> None:
    """DuckDB's log of the old CRM must never be read as that of the new one."""
    pipeline = make_used()
    connection = duckdb.connect(str(crm_file(pipeline)))
    connection.execute("PRAGMA disable_checkpoint_on_shutdown")
    connection.execute("UPDATE leads SET agent_id = 'A-07' WHERE lead_id = 'lead_987654'")
    connection.close()
    assert crm_file(pipeline).with_name("crm.duckdb.wal").exists()
    rebuild(pipeline)
    sql = "SELECT agent_id FROM crm.leads WHERE lead_id = 'lead_987654'"
    assert crm_rows(crm_file(pipeline), sql) == [("A-07",)]
    assert left_behind(pipeline) == []
