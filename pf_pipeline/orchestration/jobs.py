"""What is run together, and when."""

from datetime import datetime, timedelta

import dagster as dg

from pf_pipeline.orchestration.partitions import DAYS_PER_RUN, LEAD_DAYS, range_tags
from pf_pipeline.orchestration.pipeline import Pipeline

FULL_DAYS_AT_NIGHT = 2
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
POLL = {"pf/trigger": "poll"}
NIGHTLY = {"pf/trigger": "nightly"}

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
            tags=POLL,
            run_config={"ops": {"raw_leads": {"config": {"overlap_only": True}}}},
        )
        for day in days
        if LEAD_DAYS.has_partition_key(day.isoformat())
    ]


def nightly_request(now: datetime) -> dg.RunRequest:
    """One run for the last full UTC days, read from their start: what surfaced late comes in."""
    today = now.date()
    first, last = today - timedelta(days=FULL_DAYS_AT_NIGHT), today - timedelta(days=1)
    return dg.RunRequest(tags=NIGHTLY | range_tags(first, last))


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
    """Poll, unless the last poll is still at it."""
    unfinished = context.instance.get_runs_count(
        dg.RunsFilter(job_name=leads_job.name, tags=POLL, statuses=UNFINISHED)
    )
    if unfinished:
        return dg.SkipReason("The last poll has not finished yet.")
    overlap = timedelta(minutes=pipeline.settings.overlap_minutes)
    return poll_requests(context.scheduled_execution_time, overlap)


@dg.schedule(
    job=leads_job,
    cron_schedule="30 1 * * *",
    execution_timezone="UTC",
    description="Reads the last two full days once more every night, from their start: for what "
    "surfaced later than the polls look back.",
)
def nightly_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Sweep the last full days again."""
    return nightly_request(context.scheduled_execution_time)
