"""Loads what was received and never loaded, without anyone's help."""

import logging
from datetime import date
from pathlib import Path

import dagster as dg

from pf_pipeline.orchestration.jobs import UNFINISHED, leads_job
from pf_pipeline.orchestration.partitions import LEAD_DAYS, days_of_run, range_tags, span
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.unloaded_days import Plan, days_behind, from_cursor, plan, to_cursor

UNLOADED = {"pf/trigger": "unloaded days"}
LOADING_ASSETS = [
    dg.AssetKey(name)
    for name in (
        "raw_webhook_events",
        "validated_leads",
        "assigned_leads",
        "crm_leads",
        "call_recordings",
    )
]
"""All but the portal: what was received is to be loaded, nothing is to be asked for."""

AT_WORK = [*UNFINISHED, dg.DagsterRunStatus.CANCELING]
ASSET_JOB = "__ASSET_JOB"
"""How Dagster calls the job of assets that are materialized without one."""

logger = logging.getLogger("pf_pipeline.runs")


@dg.sensor(
    job=leads_job,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=120,
    description="Loads days of which something was received that is not in the CRM: because a run "
    "was killed, a sweep was ended later than its run, or webhook deliveries came and no run "
    "archived them. Asks the portal for nothing. Where a load does not succeed it is tried again, "
    "after 10 minutes first and after 6 hours at most.",
)
def unloaded_days_sensor(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.SensorResult:
    """Ask for runs of the days that are behind, unless runs are at it."""
    behind = _days_behind(pipeline)
    planned = plan(
        behind,
        _days_at_work(context.instance) if behind else [],
        from_cursor(context.cursor),
        pipeline.now(),
    )
    for day, tried in planned.tried.items():
        if tried.times > 1 and any(first <= day <= last for first, last in planned.spans):
            logger.warning(
                "The load of %s has not succeeded yet: it is tried for the %d. time.",
                day,
                tried.times,
            )
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(asset_selection=LOADING_ASSETS, tags=UNLOADED | range_tags(first, last))
            for first, last in planned.spans
        ],
        skip_reason=None if planned.spans else dg.SkipReason(_why_not(planned)),
        cursor=to_cursor(planned.tried),
    )


def _days_behind(pipeline: Pipeline) -> set[date]:
    received: dict[date, frozenset[str]] = {}
    loaded: dict[date, frozenset[str]] = {}
    overdue = set(pipeline.overdue_deliveries())
    crm_stands = _crm_stands(pipeline.settings.crm_location)
    for day in pipeline.archive.days():
        if not LEAD_DAYS.has_partition_key(day.isoformat()):
            continue
        try:
            received[day] = pipeline.archive.sources(day)
        except ValueError as error:  # a damaged pack: no load could read it, and other days wait
            logger.warning("%s The day is not looked at.", error)
            continue
        if crm_stands:
            loaded[day] = pipeline.archive.loaded(day, pipeline.crm_name)
    return days_behind(received, loaded) | overdue


def _crm_stands(location: str) -> bool:
    """Whether the CRM can hold what was once loaded: a file that was removed does not."""
    path = location.removeprefix("duckdb:///")
    return path == location or Path(path).exists()


def _days_at_work(instance: dg.DagsterInstance) -> set[date]:
    """The days that unfinished runs work on, whoever started them."""
    runs = instance.get_runs(dg.RunsFilter(statuses=AT_WORK))
    return {
        day
        for run in runs
        if run.job_name == leads_job.name or run.job_name.startswith(ASSET_JOB)
        for day in days_of_run(run.tags)
    }


def _why_not(planned: Plan) -> str:
    words = []
    if planned.at_work:
        words.append(f"A run is at work on {span(planned.at_work)}.")
    if planned.waiting:
        next_at = min(planned.tried[day].next_at for day in planned.waiting)
        words.append(
            f"The load of {span(planned.waiting)} has not succeeded: see its runs. It is tried "
            f"again at {next_at:%Y-%m-%d %H:%M} UTC."
        )
    return " ".join(words) or "All that was received is in the CRM."
