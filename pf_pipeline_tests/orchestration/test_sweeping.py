"""From the portal into the archive: every lead, or a word that some are missing."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pf_pipeline.archive.windows import window_of_day
from pf_pipeline.leads.parser import raw_json
from pf_pipeline.orchestration import checks
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.sweeping import Sweeper
from pf_pipeline.portal import PermanentPortalError
from pf_pipeline.sandbox import RunningSandbox, SandboxOptions, running_sandbox
from pf_pipeline_tests.conftest import PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob, check_results
from pf_pipeline_tests.portal.scripted import (
    ScriptedPortal,
    problem,
    reply,
    scripted_portal,
)
from pf_pipeline_tests.tables import crm_rows

SAMPLE_DAY = date(2025, 12, 19)
WEEK = [date(2025, 12, 13) + timedelta(days=offset) for offset in range(7)]
NEXT_MORNING = datetime(2025, 12, 20, 8, tzinfo=UTC)


@pytest.fixture
def portal() -> Iterator[ScriptedPortal]:
    with scripted_portal() as portal:
        yield portal


def leads(first: int, last: int, day: str = "2025-12-19") -> list[dict[str, str]]:
    return [
        {"id": f"lead_{n}", "createdAt": f"{day}T10:{n % 60:02}:00Z", "channel": "call"}
        for n in range(first, last)
    ]


def answer(records: list[dict[str, str]], total: int, page: int = 1) -> dict[str, object]:
    pages = -(-total // 50)
    numbers = {"total": total, "count": len(records), "perPage": 50}
    return {
        "data": records,
        "pagination": numbers | {"currentPage": page, "totalPages": pages},
    }


def archived(pipeline: Pipeline, day: date) -> set[str]:
    """The records of a day, each as JSON."""
    return {
        raw_json(record)
        for sighting in pipeline.archive.raw_leads.sightings(day)
        for record in sighting.records
    }


def at(pipeline: Pipeline, now: datetime) -> Pipeline:
    return Pipeline(pipeline.settings, now=lambda: now)


# ---- completeness


def test_a_short_sweep_is_repeated_and_then_says_that_it_is_not_complete(
    make_pipeline: PipelineFactory, portal: ScriptedPortal, caplog: pytest.LogCaptureFixture
) -> None:
    portal.plays(reply(answer(leads(0, 3), total=5)))
    pipeline = make_pipeline(api_base_url=portal.url, api_token="token")
    (manifest,) = pipeline.sweep([SAMPLE_DAY])
    assert (manifest.complete, manifest.distinct, manifest.portal_total) == (False, 3, 5)
    assert manifest.rounds > 1
    assert "the portal counts 5 leads, and gave 3" in caplog.text


def test_an_incomplete_sweep_fails_a_check_that_names_the_day_and_its_leads_are_loaded(
    make_pipeline: PipelineFactory, run_job: RunJob, portal: ScriptedPortal
) -> None:
    portal.plays(reply(answer(leads(0, 3), total=5)))
    pipeline = make_pipeline(api_base_url=portal.url, api_token="token")
    result = run_job(pipeline, SAMPLE_DAY)
    assert result.success
    failed = check_results(result)["sweeps_complete"]
    assert not failed.passed
    assert failed.description == ("2025-12-19: no sweep of it was complete")
    assert crm_rows(
        pipeline.settings.data_dir / "crm.duckdb", "SELECT count(*) FROM crm.leads"
    ) == [(3,)]


def test_a_later_complete_sweep_mends_the_day(
    make_pipeline: PipelineFactory, run_job: RunJob, portal: ScriptedPortal
) -> None:
    portal.plays(reply(answer(leads(0, 3), total=5)))
    pipeline = make_pipeline(api_base_url=portal.url, api_token="token")
    pipeline.sweep([SAMPLE_DAY])
    portal.plays(reply(answer(leads(0, 5), total=5)))
    result = run_job(pipeline, SAMPLE_DAY)
    assert check_results(result)["sweeps_complete"].passed


def test_a_day_that_was_read_in_part_and_then_forgotten_fails_the_check(
    make_pipeline: PipelineFactory, run_job: RunJob
) -> None:
    evening = datetime(2025, 12, 19, 18, tzinfo=UTC)
    pipeline = make_pipeline(now=evening)
    result = run_job(pipeline, SAMPLE_DAY)
    assert check_results(result)["sweeps_complete"].passed
    gap_problem = checks._gap_problem  # noqa: SLF001 - a run would read the rest
    assert gap_problem(at(pipeline, NEXT_MORNING.replace(hour=2)), SAMPLE_DAY) is None
    assert gap_problem(at(pipeline, NEXT_MORNING), SAMPLE_DAY) == (
        "no sweep was complete from 18:00:00 to 24:00:00 UTC"
    )


def test_a_failed_read_is_no_empty_day(
    make_pipeline: PipelineFactory, portal: ScriptedPortal
) -> None:
    portal.plays(problem(403, "Forbidden"))
    pipeline = make_pipeline(api_base_url=portal.url, api_token="token")
    with pytest.raises(PermanentPortalError):
        pipeline.sweep([SAMPLE_DAY])
    assert pipeline.archive.raw_leads.manifests(SAMPLE_DAY) == []
    assert pipeline.archive.raw_leads.gaps(SAMPLE_DAY, NEXT_MORNING) == [window_of_day(SAMPLE_DAY)]


def test_a_poll_reads_again_what_an_incomplete_one_left(
    make_pipeline: PipelineFactory, portal: ScriptedPortal
) -> None:
    noon = datetime(2025, 12, 19, 12, tzinfo=UTC)
    pipeline = make_pipeline(api_base_url=portal.url, api_token="token", now=noon)
    portal.plays(reply(answer(leads(0, 2), total=2)))
    pipeline.sweep([SAMPLE_DAY], overlap_only=True)
    portal.plays(reply(answer(leads(0, 2), total=9)))
    (short,) = at(pipeline, noon.replace(hour=15)).sweep([SAMPLE_DAY], overlap_only=True)
    assert not short.complete
    portal.plays(reply(answer(leads(0, 2), total=2)))
    (mended,) = at(pipeline, noon.replace(hour=18)).sweep([SAMPLE_DAY], overlap_only=True)
    assert mended.start == noon - timedelta(minutes=180)


# ---- one pass, or one a day


def test_days_far_apart_are_one_pass_where_there_is_no_upper_bound(
    make_pipeline: PipelineFactory, sandbox: RunningSandbox
) -> None:
    before = sandbox.stats()["leads_pages"]
    manifests = make_pipeline().sweep([WEEK[6], WEEK[0], WEEK[3]])
    assert [manifest.day for manifest in manifests] == [WEEK[0], WEEK[3], WEEK[6]]
    assert sandbox.stats()["leads_pages"] - before == manifests[0].pages_read == 11
    assert all(manifest.records_of_day == 60 and manifest.complete for manifest in manifests)


def test_each_day_is_a_pass_where_there_is_one(make_pipeline: PipelineFactory) -> None:
    manifests = make_pipeline(api_dialect="atlas").sweep(WEEK)
    assert [manifest.pages_read for manifest in manifests] == [2] * 7
    assert {manifest.portal_total for manifest in manifests} == {60}


# ---- interruption


class _PowerCutError(Exception):
    pass


def cut_after(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    """Cut the power once so many pages are stored."""
    keep, stored = Sweeper._keep, iter(range(pages))  # noqa: SLF001 - where pages come by

    def cutting(*arguments: object) -> None:
        if next(stored, None) is None:
            raise _PowerCutError
        keep(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Sweeper, "_keep", cutting)


@pytest.mark.parametrize("dialect", ["guide", "atlas"])
def test_an_interrupted_sweep_goes_on_where_it_was(
    make_pipeline: PipelineFactory,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    dialect: str,
) -> None:
    whole = make_pipeline(data_dir=tmp_path / "whole", api_dialect=dialect)
    before = sandbox.stats()["leads_pages"]
    whole.sweep(WEEK)
    pages = sandbox.stats()["leads_pages"] - before

    pipeline = make_pipeline(data_dir=tmp_path / "cut", api_dialect=dialect)
    with monkeypatch.context() as cut:
        cut_after(cut, pages=7)
        with pytest.raises(_PowerCutError):
            pipeline.sweep(WEEK)
    before = sandbox.stats()["leads_pages"]
    manifests = pipeline.sweep(WEEK)
    # What was stored is not read again. In the guide dialect two of the seven pages held later days
    # alone and were not stored; in atlas three days were whole, and are read as any day is.
    again = {"guide": 2, "atlas": 6}[dialect]
    assert sandbox.stats()["leads_pages"] - before == pages - 7 + again
    assert all(manifest.complete for manifest in manifests)
    for day in WEEK:
        assert archived(pipeline, day) == archived(whole, day)


def test_a_resumed_sweep_of_today_reads_on_to_now(
    make_pipeline: PipelineFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = datetime(2025, 12, 21, 12, tzinfo=UTC)
    pipeline = make_pipeline(now=noon)
    with monkeypatch.context() as cut:
        cut_after(cut, pages=1)
        with pytest.raises(_PowerCutError):
            pipeline.sweep([noon.date()])
    later = at(pipeline, noon + timedelta(hours=1))
    resumed, rest = later.sweep([noon.date()])
    assert resumed.end == rest.start == noon
    assert rest.end == noon + timedelta(hours=1)
    assert pipeline.archive.raw_leads.gaps(noon.date(), rest.end) == []


# ---- dialects


@pytest.mark.parametrize(("asked", "answered"), [("guide", "atlas"), ("atlas", "guide")])
def test_a_portal_that_answers_in_the_other_dialect_is_told_and_no_lead_is_lost(
    make_pipeline: PipelineFactory, caplog: pytest.LogCaptureFixture, asked: str, answered: str
) -> None:
    options = SandboxOptions(
        first_day=WEEK[0],
        last_day=WEEK[-1],
        dialect=answered,  # type: ignore[arg-type]
    )
    with running_sandbox(options) as other:
        pipeline = make_pipeline(api_base_url=other.base_url, api_dialect=asked)
        manifests = pipeline.sweep(WEEK)
    assert {manifest.records_of_day for manifest in manifests} == {60}
    told = [record.getMessage() for record in caplog.records if "dialect" in record.getMessage()]
    assert told[0] == (
        f"The portal answers in the {answered} dialect, but PF_API_DIALECT is {asked}: no lead is "
        f"lost, but set it to {answered}."
    )


def test_what_lies_beyond_the_portals_three_months_is_said(
    make_pipeline: PipelineFactory, run_job: RunJob, caplog: pytest.LogCaptureFixture
) -> None:
    now = datetime(2026, 3, 17, 12, tzinfo=UTC)
    options = SandboxOptions(
        first_day=WEEK[0], last_day=WEEK[-1], history_days=90, clock=lambda: now
    )
    with running_sandbox(options) as old:
        pipeline = make_pipeline(api_base_url=old.base_url, api_dialect="atlas", now=now)
        result = run_job(pipeline, WEEK[4], WEEK[-1])
    assert result.success
    assert "of 2025-12-17 it was not asked for what lies before 2025-12-18 13:00 UTC" in caplog.text
    said = check_results(result)["sweeps_complete"].description or ""
    assert said.startswith("2025-12-17: was never read; 2025-12-18: no sweep was complete")
    assert "2025-12-19" not in said
    assert [account.loaded > 0 for account in pipeline.account(WEEK[4:])] == [False, True, True]


# ---- late changes


@pytest.fixture
def changing() -> Iterator[Callable[[datetime], RunningSandbox]]:
    """A sandbox whose leads change, as it is at an instant that can be moved."""
    present = [NEXT_MORNING]
    options = SandboxOptions(
        first_day=SAMPLE_DAY,
        last_day=SAMPLE_DAY,
        leads_change=True,
        late_share=0.3,
        clock=lambda: present[0],
    )
    with running_sandbox(options) as running:

        def at_instant(now: datetime) -> RunningSandbox:
            present[0] = now
            return running

        yield at_instant
        assert running.stats()["response_link_hits"] == 0


def loaded(pipeline: Pipeline, run_job: RunJob) -> None:
    assert run_job(pipeline, SAMPLE_DAY).success


def recordings(pipeline: Pipeline) -> int:
    crm = pipeline.settings.data_dir / "crm.duckdb"
    return len(crm_rows(crm, "SELECT lead_id FROM crm.call_recordings"))


def test_polling_all_day_ends_with_what_one_late_look_shows(
    make_pipeline: PipelineFactory,
    run_job: RunJob,
    changing: Callable[[datetime], RunningSandbox],
    tmp_path: Path,
) -> None:
    morning = datetime(2025, 12, 19, 6, tzinfo=UTC)
    query = "SELECT lead_id, status, agent_id FROM crm.leads ORDER BY lead_id"
    polled = make_pipeline(
        api_base_url=changing(morning).base_url, data_dir=tmp_path / "polled", api_dialect="atlas"
    )
    for hour in range(0, 21, 2):
        now = morning + timedelta(hours=hour)
        changing(now)
        at(polled, now).sweep([SAMPLE_DAY], overlap_only=True)
    late = morning + timedelta(days=3)
    once = make_pipeline(
        api_base_url=changing(late).base_url,
        data_dir=tmp_path / "once",
        api_dialect="atlas",
        now=late,
    )
    loaded(at(polled, late), run_job)
    loaded(once, run_job)
    rows = crm_rows(tmp_path / "polled" / "crm.duckdb", query)
    assert rows == crm_rows(tmp_path / "once" / "crm.duckdb", query)
    assert len(rows) == 59


def test_calls_without_a_recording_are_asked_for_by_id_until_it_appears(
    make_pipeline: PipelineFactory,
    run_job: RunJob,
    changing: Callable[[datetime], RunningSandbox],
) -> None:
    evening = datetime(2025, 12, 20, 0, 30, tzinfo=UTC)
    running = changing(evening)
    pipeline = make_pipeline(api_base_url=running.base_url, api_dialect="atlas", now=evening)
    loaded(pipeline, run_job)
    before = recordings(pipeline)
    assert before > 0
    assert not pipeline.awaited_recordings().empty

    later = evening + timedelta(days=3)
    changing(later)
    asking = at(pipeline, later)
    result = run_job(
        asking,
        SAMPLE_DAY,
        run_config={"ops": {"raw_leads": {"config": {"awaited_recordings": True}}}},
    )
    assert result.success
    assert recordings(pipeline) > before
    manifest = pipeline.archive.raw_leads.manifests(SAMPLE_DAY)[-1]
    assert (manifest.asked_for, manifest.pages_read) == ("ids", 1)
    (account,) = asking.account([SAMPLE_DAY])
    assert account.agrees
    # Seven days later nobody asks any more.
    assert at(pipeline, evening + timedelta(days=8)).awaited_recordings().empty


def test_the_guide_dialect_is_not_asked_for_single_leads(
    make_pipeline: PipelineFactory, sandbox: RunningSandbox, run_job: RunJob
) -> None:
    pipeline = make_pipeline(now=NEXT_MORNING)
    loaded(pipeline, run_job)
    assert not pipeline.awaited_recordings().empty
    before = sandbox.stats()["leads_pages"]
    assert pipeline.sweep_awaited_recordings([SAMPLE_DAY]) == []
    assert sandbox.stats()["leads_pages"] == before


def test_an_unchanged_portal_stores_no_page_twice(make_pipeline: PipelineFactory) -> None:
    noon = datetime(2025, 12, 22, 0, 10, tzinfo=UTC)
    pipeline = make_pipeline(now=noon, api_dialect="atlas")
    day = date(2025, 12, 21)
    pipeline.sweep([day], overlap_only=True)
    at(pipeline, noon + timedelta(minutes=5)).sweep([day], overlap_only=True)
    stored = len([*pipeline.settings.data_dir.rglob("page-*.json.gz")])
    for minutes in (10, 15, 20, 25):
        at(pipeline, noon + timedelta(minutes=minutes)).sweep([day], overlap_only=True)
    assert len([*pipeline.settings.data_dir.rglob("page-*.json.gz")]) == stored


@pytest.fixture(autouse=True)
def _notes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="pf_pipeline")


# ---- requests


def test_eighty_days_cost_the_pages_that_they_hold_where_there_is_no_upper_bound(
    make_pipeline: PipelineFactory,
) -> None:
    days = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(80)]
    options = SandboxOptions(first_day=days[0], last_day=days[-1], leads_per_day=30)
    with running_sandbox(options) as running:
        pipeline = make_pipeline(
            api_base_url=running.base_url, now=datetime(2026, 3, 22, 1, tzinfo=UTC)
        )
        manifests = pipeline.sweep(days)
        pages = running.stats()["leads_pages"]
    assert all(manifest.complete for manifest in manifests)
    assert sum(manifest.records_of_day for manifest in manifests) == 80 * 30
    assert pages <= 1.1 * 80 * 30 / 50


@pytest.mark.parametrize("dialect", ["guide", "atlas"])
def test_a_poll_with_nothing_new_makes_three_requests_at_most(
    make_pipeline: PipelineFactory, dialect: str
) -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    options = SandboxOptions(
        first_day=noon.date(), last_day=noon.date(), leads_per_day=700, clock=lambda: noon
    )
    with running_sandbox(options) as running:
        pipeline = make_pipeline(api_base_url=running.base_url, now=noon, api_dialect=dialect)
        pipeline.sweep([noon.date()], overlap_only=True)
        before = sum(running.stats()["requests"].values())
        (manifest,) = at(pipeline, noon + timedelta(minutes=5)).sweep(
            [noon.date()], overlap_only=True
        )
        requests = sum(running.stats()["requests"].values()) - before
    assert manifest.complete
    assert 100 < manifest.records_of_day < 150
    assert requests <= 3
