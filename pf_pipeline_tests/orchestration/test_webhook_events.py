"""Deliveries on their day: archived, accounted for, and the same rows as polling alone."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import pytest

from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.archive.webhook_events import CROWDED_BATCHES
from pf_pipeline.leads.deliveries import delivery_id
from pf_pipeline.orchestration.build import build_definitions
from pf_pipeline.orchestration.housekeeping import housekeeping_job
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.portal_directory import LISTINGS, USERS
from pf_pipeline.receiver.loading import load_deliveries, loaded_until
from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline.sandbox.webhooks import WebhookEvent, webhook_events
from pf_pipeline_tests.conftest import (
    FIRST_SANDBOX_DAY,
    LAST_SANDBOX_DAY,
    NOW,
    PipelineFactory,
)
from pf_pipeline_tests.orchestration.conftest import RunJob, check_results
from pf_pipeline_tests.orchestration.test_unloaded_days_sensor import Ticks, days
from pf_pipeline_tests.tables import all_crm_tables, crm_rows

Form = Literal["atlas", "guide"]
DAY = date(2025, 12, 19)
MIDNIGHT = datetime(2025, 12, 19, tzinfo=UTC)
SECONDS_UNDER_WAY = timedelta(seconds=2)
WHOLE_WORLD = SandboxOptions(first_day=FIRST_SANDBOX_DAY, last_day=LAST_SANDBOX_DAY)
OWN_INSTANTS = "first_seen_at, updated_at, assigned_at"
"""When the pipeline saw a lead, which is sooner by webhook."""


def events_of_day(pipeline: Pipeline, form: Form = "atlas") -> list[WebhookEvent]:
    options = replace(WHOLE_WORLD, webhook_form=form)
    return [
        *webhook_events(
            options,
            MIDNIGHT,
            MIDNIGHT + timedelta(days=1),
            base_url=pipeline.settings.api_base_url,
        )
    ]


def receive(pipeline: Pipeline, bodies: Iterable[tuple[bytes, datetime]]) -> None:
    """What the receiver does before it answers."""
    inbox = Inbox(pipeline.settings.data_dir)
    inbox.store([(delivery_id(body), at, body) for body, at in bodies])
    inbox.close()


def receive_events(pipeline: Pipeline, events: Iterable[WebhookEvent]) -> None:
    receive(pipeline, [(event.body, event.timestamp + SECONDS_UNDER_WAY) for event in events])


def load_inbox(pipeline: Pipeline, batch: int = 17) -> None:
    """What the receiver's loader does after the answer."""
    inbox = Inbox(pipeline.settings.data_dir)
    while deliveries := inbox.after(loaded_until(pipeline.settings, inbox.inbox_id), batch):
        load_deliveries(pipeline.settings, deliveries, inbox.inbox_id)
    inbox.close()


def crm_file(pipeline: Pipeline) -> Path:
    return pipeline.settings.data_dir / "crm.duckdb"


def rows(pipeline: Pipeline, columns: str = f"* EXCLUDE ({OWN_INSTANTS})") -> Sequence[Any]:
    sql = f"SELECT {columns} FROM crm.leads ORDER BY lead_id"
    return crm_rows(crm_file(pipeline), sql)


def with_reference_data(pipeline: Pipeline) -> Pipeline:
    pipeline.refresh_properties()
    pipeline.refresh_agents()
    for directory in (USERS, LISTINGS):
        pipeline.refresh_directory(directory)  # of the contract only
    return pipeline


def at(pipeline: Pipeline, now: datetime) -> Pipeline:
    return Pipeline(pipeline.settings, now=lambda: now)


@pytest.mark.parametrize("form", ["atlas", "guide"])
def test_receiver_and_polling_together_leave_the_rows_of_polling_alone(
    make_pipeline: PipelineFactory, run_job: RunJob, tmp_path: Path, form: Form
) -> None:
    alone = make_pipeline(data_dir=tmp_path / "alone", api_dialect=form)
    together = with_reference_data(make_pipeline(data_dir=tmp_path / "together", api_dialect=form))
    assert run_job(alone, DAY).success
    receive_events(together, events_of_day(together, form))
    load_inbox(together)
    assert run_job(together, DAY).success
    assert len(rows(alone)) == 59
    assert rows(together) == rows(alone)
    for table in ("call_recordings", "rejected_leads"):
        sql = f"SELECT * EXCLUDE ({'received_at' if 'rejected' in table else 'first_seen_at'}) "
        sql += f"FROM crm.{table} ORDER BY ALL"
        assert crm_rows(crm_file(together), sql) == crm_rows(crm_file(alone), sql)


@pytest.mark.parametrize("form", ["atlas", "guide"])
def test_the_receiver_alone_brings_every_lead_to_the_same_agent(
    make_pipeline: PipelineFactory, run_job: RunJob, tmp_path: Path, form: Form
) -> None:
    polled = make_pipeline(data_dir=tmp_path / "polled", api_dialect=form)
    delivered = with_reference_data(
        make_pipeline(data_dir=tmp_path / "delivered", api_dialect=form)
    )
    assert run_job(polled, DAY).success
    receive_events(delivered, events_of_day(delivered, form))
    load_inbox(delivered)
    # The contract's events carry no call, tags and creation, and no enrichment.
    only_polls = ", tags, extra, created_at" if form == "atlas" else ""
    shared = f"* EXCLUDE ({OWN_INSTANTS}{only_polls})"
    assert rows(delivered, shared) == rows(polled, shared)


def test_the_run_of_a_day_accounts_for_what_the_receiver_loaded_and_changes_no_row(
    make_pipeline: PipelineFactory, run_job: RunJob
) -> None:
    pipeline = with_reference_data(make_pipeline())
    assert run_job(pipeline, DAY).success
    broken = [b"no JSON", b'{"id": "evt", "entity": {}}', b"[]"]
    events = events_of_day(pipeline)
    receive_events(pipeline, events)
    receive(pipeline, [(body, MIDNIGHT + timedelta(hours=1)) for body in broken])
    load_inbox(pipeline)
    before = all_crm_tables(crm_file(pipeline))
    result = run_job(pipeline, DAY)
    assert result.success
    assert check_results(result)["everything_accounted_for"].passed
    assert all_crm_tables(crm_file(pipeline)) == before
    (account,) = pipeline.account([DAY])
    assert (account.received, account.rejected) == (120 + len(events) + 3, 1 + 3)
    assert account.loaded == 59
    reasons = crm_rows(
        crm_file(pipeline),
        "SELECT reason FROM crm.rejected_leads WHERE received_from = 'webhook' ORDER BY ALL",
    )
    assert reasons == [
        ("entity.id, the lead's id, is missing",),
        ("the body holds no lead",),
        ("the body is not JSON",),
    ]


def test_what_the_receiver_loads_while_a_run_is_at_work_disturbs_no_check(
    make_pipeline: PipelineFactory, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = with_reference_data(make_pipeline())
    events = events_of_day(pipeline)
    receive_events(pipeline, events[:20])
    validate = Pipeline.validate

    def meanwhile(self: Pipeline, day: date) -> object:
        found = validate(self, day)
        receive_events(pipeline, events[20:])
        receive(pipeline, [(b"no JSON", MIDNIGHT + timedelta(hours=23))])
        load_inbox(pipeline)
        return found

    monkeypatch.setattr(Pipeline, "validate", meanwhile)
    result = run_job(pipeline, DAY)
    assert result.success
    assert check_results(result)["everything_accounted_for"].passed
    rejected = "SELECT count(*) FROM crm.rejected_leads WHERE received_from = 'webhook'"
    assert crm_rows(crm_file(pipeline), rejected) == [(1,)]


def test_deliveries_that_no_receiver_loaded_reach_the_crm_without_help(
    make_pipeline: PipelineFactory,
) -> None:
    received_at = MIDNIGHT + timedelta(hours=23, minutes=59)
    pipeline = with_reference_data(make_pipeline(now=received_at))
    body = events_of_day(pipeline)[0].body
    receive(pipeline, [(body, received_at)])
    with dg.instance_for_test() as instance:
        ticks = Ticks(instance)
        soon = at(pipeline, received_at + timedelta(minutes=5))
        assert ticks.tick(soon) == []
        later = at(pipeline, received_at + timedelta(minutes=7))
        (request,) = ticks.tick(later)
        assert days([request]) == [[DAY]]
        assert ticks.run(later, request)
        assert len(rows(pipeline)) == 1
        assert pipeline.archive.webhook_events.deliveries(DAY)[0].body == body
        assert ticks.tick(later) == []


def test_whoever_is_killed_after_archiving_archives_nothing_twice(
    make_pipeline: PipelineFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_pipeline()
    receive_events(pipeline, events_of_day(pipeline)[:3])
    with monkeypatch.context() as cut:
        cut.setattr(Inbox, "mark_archived", _power_cut)
        with pytest.raises(RuntimeError):
            pipeline.archive_deliveries([DAY])
    assert pipeline.archive_deliveries() == {DAY: 3}
    assert len(pipeline.archive.webhook_events.batches(DAY)) == 1
    assert len(pipeline.archive.webhook_events.deliveries(DAY)) == 3
    assert pipeline.archive_deliveries() == {}


def _power_cut(*_: object) -> None:
    raise RuntimeError("A power cut.")


def test_looking_for_deliveries_makes_no_inbox(make_pipeline: PipelineFactory) -> None:
    pipeline = make_pipeline()
    assert pipeline.archive_deliveries([DAY]) == {}
    assert pipeline.overdue_deliveries() == []
    assert pipeline.forget_deliveries() == 0
    assert not (pipeline.settings.data_dir / "inbox").exists()


def test_leads_that_only_a_poll_brought_are_warned_of_where_the_webhook_is_in_use(
    make_pipeline: PipelineFactory, run_job: RunJob
) -> None:
    pipeline = make_pipeline()
    unused = check_results(run_job(pipeline, DAY))["arrived_by_webhook"]
    assert unused.passed
    events = events_of_day(pipeline)
    missed = events[-1].lead_id
    receive_events(pipeline, [event for event in events if event.lead_id != missed])
    result = run_job(at(pipeline, NOW + timedelta(hours=1)), DAY)
    warned = check_results(result)["arrived_by_webhook"]
    assert result.success
    assert not warned.passed
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert missed in str(warned.description)


def test_housekeeping_packs_the_deliveries_of_days_that_are_over_and_empties_the_inbox(
    make_pipeline: PipelineFactory, instance: dg.DagsterInstance
) -> None:
    pipeline = make_pipeline()
    for event in events_of_day(pipeline)[:3]:
        receive_events(pipeline, [event])
        pipeline.archive_deliveries()
    archived = pipeline.archive.webhook_events.deliveries(DAY)
    late = at(pipeline, MIDNIGHT + timedelta(days=9))
    receive(late, [(b"still to be archived", MIDNIGHT)])
    housekeeping = build_definitions({"pipeline": late}).resolve_job_def(housekeeping_job.name)
    assert housekeeping.execute_in_process(instance=instance).success
    assert pipeline.archive.webhook_events.deliveries(DAY) == archived
    assert len(list((pipeline.settings.data_dir / "raw/webhook_events").rglob("*.gz"))) == 1
    inbox = Inbox(pipeline.settings.data_dir)
    assert [delivery.body for delivery in inbox.after(0, 10)] == [b"still to be archived"]
    inbox.close()


def test_a_day_with_many_batches_is_packed_while_it_lasts(make_pipeline: PipelineFactory) -> None:
    pipeline = make_pipeline()
    for number in range(CROWDED_BATCHES + 1):
        receive(pipeline, [(b"%d" % number, MIDNIGHT + timedelta(minutes=5 * number))])
        pipeline.archive_deliveries([DAY])
    files = list((pipeline.settings.data_dir / "raw/webhook_events").rglob("*.gz"))
    assert len(files) == 2  # the pack, and what came after it
    assert len(pipeline.archive.webhook_events.batches(DAY)) == CROWDED_BATCHES + 1
    bodies = [delivery.body for delivery in pipeline.archive.webhook_events.deliveries(DAY)]
    assert bodies == [b"%d" % number for number in range(CROWDED_BATCHES + 1)]


def test_a_damaged_day_with_many_batches_keeps_no_other_from_being_archived(
    make_pipeline: PipelineFactory,
) -> None:
    pipeline = make_pipeline()
    for number in range(CROWDED_BATCHES - 1):
        receive(pipeline, [(b"%d" % number, MIDNIGHT + timedelta(minutes=5 * number))])
        pipeline.archive_deliveries([DAY])
    damaged = min((pipeline.settings.data_dir / "raw/webhook_events").rglob("*.gz"))
    damaged.write_bytes(b"damaged")
    next_day = DAY + timedelta(days=1)
    receive(pipeline, [(b"last", MIDNIGHT + timedelta(hours=23))])
    receive(pipeline, [(b"next", MIDNIGHT + timedelta(days=1))])
    with pytest.raises(ValueError, match=damaged.name):
        pipeline.archive_deliveries([DAY, next_day])
    bodies = [one.body for one in pipeline.archive.webhook_events.deliveries(next_day)]
    assert bodies == [b"next"]
