"""What is run together, and when."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, timedelta

import dagster as dg

from pf_pipeline.crm import CrmError
from pf_pipeline.orchestration.partitions import DAYS_PER_RUN, LEAD_DAYS, range_tags
from pf_pipeline.orchestration.pipeline import Pipeline

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
POLL = {"pf/trigger": "poll"}
POLL_SECONDS = 900
"""A poll that takes longer, or that a power cut left behind, is ended: other runs have an hour, and
no poll would begin until then."""
TICK_LOCK_SECONDS = 15.0
"""How long a tick waits for the CRM: Dagster gives up a tick after a minute, with other words."""
AWAITED = {"pf/trigger": "awaited recordings"}
NIGHTLY = {"pf/trigger": "nightly"}
SCHEDULED = {"pf/trigger": [trigger["pf/trigger"] for trigger in (POLL, AWAITED, NIGHTLY)]}
"""Runs that the schedules asked for: two that work on one day would count each other's records."""
POLLED_ASSETS = [
    dg.AssetKey(name)
    for name in (
        "properties",
        "agents",
        "raw_leads",
        "raw_webhook_events",
        "validated_leads",
        "assigned_leads",
        "crm_leads",
        "call_recordings",
    )
]
"""All but the portal's users and listings, which change seldom and take many requests, and the
report, which is made once a day."""

leads_job = dg.define_asset_job(
    "leads_job",
    selection=dg.AssetSelection.all(),
    description="Brings the leads of one day, or of a range of days, from the portal into the CRM: "
    "properties and agents, raw pages, validation, assignment, leads, call recordings.\n\n"
    "To load days, press *Materialize all* and choose them (*Show all partitions* for days that "
    f"are long past). One run takes up to {DAYS_PER_RUN} days. Loading a day again is safe.",
)


def poll_requests(now: datetime, overlap: timedelta) -> list[dg.RunRequest]:
    """One run for each day that the time from ``now - overlap`` to ``now`` touches."""
    days = sorted({(now - overlap).date(), now.date()})
    return [
        dg.RunRequest(
            partition_key=day.isoformat(),
            asset_selection=POLLED_ASSETS,
            tags=POLL | {"dagster/max_runtime": str(POLL_SECONDS)},
            run_config=_reading(overlap_only=True),
        )
        for day in days
        if LEAD_DAYS.has_partition_key(day.isoformat())
    ]


def awaited_request(days: Collection[date]) -> dg.RunRequest:
    """One run for the days with calls that have no recording yet, which are asked for by id."""
    return dg.RunRequest(
        asset_selection=POLLED_ASSETS,
        tags=AWAITED | range_tags(min(days), max(days)),
        run_config=_reading(awaited_recordings=True),
    )


def nightly_request(now: datetime, trailing_days: int) -> dg.RunRequest:
    """One run for the last full UTC days, read from their start: what changed late comes in."""
    today = now.date()
    first, last = today - timedelta(days=trailing_days), today - timedelta(days=1)
    return dg.RunRequest(tags=NIGHTLY | range_tags(first, last))


def _reading(**config: bool) -> dict[str, object]:
    """The run config that makes ``raw_leads`` read something else than whole days."""
    return {"ops": {"raw_leads": {"config": config}}}


@dg.schedule(
    job=leads_job,
    cron_schedule="*/5 * * * *",
    execution_timezone="UTC",
    description="Asks the portal every five minutes for what is new, and once more for the last "
    "hours (PF_OVERLAP_MINUTES), because leads surface late. Waits while the last poll still runs.",
)
def poll_schedule(
    context: dg.ScheduleEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Poll, unless the last poll, or another scheduled run, is still at it."""
    unfinished = context.instance.get_runs_count(
        dg.RunsFilter(job_name=leads_job.name, tags=SCHEDULED, statuses=UNFINISHED)
    )
    if unfinished:
        return dg.SkipReason("The last scheduled run has not finished yet.")
    overlap = timedelta(minutes=pipeline.settings.overlap_minutes)
    return poll_requests(context.scheduled_execution_time, overlap)


@dg.schedule(
    job=leads_job,
    cron_schedule="32 1 * * *",
    execution_timezone="UTC",
    description="Reads the last full days (PF_TRAILING_DAYS) once more every night, from their "
    "start: for statuses that moved, recordings that appeared, and leads that surfaced very late.",
)
def nightly_schedule(
    context: dg.ScheduleEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.RunRequest:
    """Sweep the last full days again."""
    return nightly_request(context.scheduled_execution_time, pipeline.settings.trailing_days)


@dg.schedule(
    job=leads_job,
    cron_schedule="22 * * * *",
    execution_timezone="UTC",
    description="Asks once an hour, by id, for the calls of the last days (PF_TRAILING_DAYS) that "
    "have no recording yet. Only the atlas dialect can be asked so.",
)
def recordings_schedule(
    pipeline: dg.ResourceParam[Pipeline],
) -> dg.RunRequest | dg.SkipReason:
    """Ask for recordings, if there are any to wait for."""
    if pipeline.settings.api_dialect == "guide":
        return dg.SkipReason("The guide dialect cannot be asked for single leads.")
    patience = min(TICK_LOCK_SECONDS, pipeline.settings.lock_timeout_seconds)
    settings = pipeline.settings.model_copy(update={"lock_timeout_seconds": patience})
    try:
        days = set(replace(pipeline, settings=settings).awaited_recordings()["day"])
    except CrmError as error:
        return dg.SkipReason(str(error))
    if not days:
        return dg.SkipReason("No call of the last days lacks a recording.")
    return awaited_request(days)
