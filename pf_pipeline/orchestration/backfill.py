"""Runs the leads job in this process, for a range of days, and says how it ended in words."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg

from pf_pipeline.orchestration.accounts import DayAccount
from pf_pipeline.orchestration.build import build_definitions
from pf_pipeline.orchestration.failures import sentence_of, was_interrupted
from pf_pipeline.orchestration.instance import open_instance
from pf_pipeline.orchestration.jobs import leads_job
from pf_pipeline.orchestration.partitions import range_tags
from pf_pipeline.orchestration.pipeline import Pipeline

QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class BackfillOutcome:
    """How a backfill ended.

    Attributes:
        accounts: What became of each day's records; empty if the run failed before that.
        problems: What failed, one sentence each; empty if nothing did. What a check found that
            stops nothing is here, too, beside the accounts.
        warnings: What people should look at although it succeeded.
    """

    accounts: list[DayAccount]
    problems: list[str]
    warnings: list[str]


def backfill(pipeline: Pipeline, first: date, last: date) -> BackfillOutcome:
    """Materialize every asset for a range of days in one run.

    Args:
        pipeline: The steps, with a watcher that shows progress.
        first: The first UTC day.
        last: The last one, included.
    """
    with open_instance(pipeline.settings.data_dir) as instance:
        job = build_definitions({"pipeline": pipeline}).resolve_job_def(leads_job.name)
        result = job.execute_in_process(
            instance=instance,
            tags=range_tags(first, last),
            run_config=QUIET,
            raise_on_error=False,
        )
    failed, warned = _check_findings(result)
    if not result.success:
        return BackfillOutcome([], failed or _step_errors(result), warned)
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    return BackfillOutcome(pipeline.account(days), failed, warned)


def _check_findings(result: dg.ExecuteInProcessResult) -> tuple[list[str], list[str]]:
    """What checks found wrong, and what they only warn of."""
    failed: list[str] = []
    warned: list[str] = []
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed:
            is_error = evaluation.severity is dg.AssetCheckSeverity.ERROR
            words = (evaluation.description or "").rstrip(".")
            found = f"The check {evaluation.check_name} failed: {words}."
            (failed if is_error else warned).append(found)
    return failed, warned


def _step_errors(result: dg.ExecuteInProcessResult) -> list[str]:
    """The sentences of the steps that failed.

    Raises:
        KeyboardInterrupt: They did not fail but were interrupted; Dagster swallows that.
    """
    failures = [
        event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_FAILURE
    ]
    if any(was_interrupted(event) for event in failures):
        raise KeyboardInterrupt
    return [sentence_of(event) for event in failures] or ["The run failed; see the Dagster UI."]
