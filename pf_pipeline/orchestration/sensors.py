"""Says what went wrong where people look: in the log."""

import logging

import dagster as dg

from pf_pipeline.orchestration.failures import sentence_of
from pf_pipeline.orchestration.partitions import days_of_run

logger = logging.getLogger("pf_pipeline.runs")


def failure_message(run: dg.DagsterRun, error: str) -> str:
    """One line about a failed run: which, for which days, and why."""
    days = days_of_run(run.tags)
    span = f" for {days[0]} to {days[-1]}" if days else ""
    return f"Run {run.run_id[:8]} of {run.job_name}{span} failed: {error}"


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Logs one line for every failed run: which, for which days, and why.",
)
def failed_run_sensor(context: dg.RunFailureSensorContext) -> None:
    """Log every failed run, with its days and the first step's own words."""
    failures = [sentence_of(event) for event in context.get_step_failure_events()]
    words = failures[0] if failures else context.failure_event.message or "no step says why."
    message = failure_message(context.dagster_run, words.strip())
    logger.error(message)
    context.log.error(message)
