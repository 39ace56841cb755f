"""What must hold of each day before the next asset may use it.

A run may take one day or a range; a check looks at every day of its run and names those that fail.
Executed alone it has no days of its own: it looks at all that the asset has been materialized for.
"""

from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Any

import dagster as dg
import pandas as pd
from pandera.errors import SchemaErrors

from pf_pipeline.archive.windows import Window, window_of_day
from pf_pipeline.leads.schema import COLUMNS, Observation
from pf_pipeline.orchestration.arrivals import in_minutes
from pf_pipeline.orchestration.failures import failing_clearly
from pf_pipeline.orchestration.lead_assets import (
    assigned_leads,
    crm_leads,
    raw_leads,
    validated_leads,
)
from pf_pipeline.orchestration.metadata import markdown_table
from pf_pipeline.orchestration.partitions import days_of, days_of_run, span
from pf_pipeline.orchestration.pipeline import LEAD_ID, Pipeline

FEW_REJECTS = 10
"""So many rejects a day are tolerated whatever their share: a small day is no broken one."""

MOST_NAMED = 5
"""Leads that a warning names."""

Problems = Callable[[Pipeline, list[date]], dict[date, str]]
"""Looks at days; gives what is wrong with those that fail."""


def _check_each_day(
    name: str,
    asset: dg.AssetsDefinition,
    description: str,
    problems_of: Problems,
    *,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    blocking: bool = True,
) -> dg.AssetChecksDefinition:
    """A check that holds when ``problems_of`` finds nothing on any day of the run."""

    @dg.asset_check(
        asset=asset,
        name=name,
        description=description,
        blocking=blocking,
    )
    def check(
        context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.AssetCheckResult:
        days = days_of_run(context.run.tags) or days_of(
            list(context.instance.get_materialized_partitions(asset.key))
        )
        with failing_clearly():
            found = problems_of(pipeline, days)
        problems = {day.isoformat(): problem for day, problem in found.items()}
        return dg.AssetCheckResult(
            passed=not problems,
            severity=severity,
            description="; ".join(f"{day}: {text}" for day, text in problems.items())
            or f"Holds for {span(days)}",
            metadata=_findings(days, problems),
        )

    return check


def _findings(days: list[date], problems: dict[str, str]) -> dict[str, Any]:
    findings: dict[str, Any] = {"days_checked": len(days), "days_failing": len(problems)}
    if problems:
        findings["problems"] = markdown_table(["day", "problem"], [*map(list, problems.items())])
    return findings


def _day_by_day(problem_of: Callable[[Pipeline, date], str | None]) -> Problems:
    """Looks at one day after the other."""

    def problems_of(pipeline: Pipeline, days: list[date]) -> dict[date, str]:
        found = {day: problem_of(pipeline, day) for day in days}
        return {day: problem for day, problem in found.items() if problem is not None}

    return problems_of


def _gap_problem(pipeline: Pipeline, day: date) -> str | None:
    ends = [
        manifest.end
        for manifest in pipeline.archive.raw_leads.manifests(day)
        if manifest.asked_for == "window"
    ]
    if not ends:
        return "was never read"
    whole = window_of_day(day)
    # The last poll of a day that has just ended may not have come yet.
    grace = timedelta(minutes=pipeline.settings.overlap_minutes)
    until = whole.end if pipeline.now() >= whole.end + grace else max(ends)
    gaps = pipeline.archive.raw_leads.gaps(day, until)
    if not gaps:
        return None
    if gaps == [whole]:
        return "no sweep of it was complete"
    spans = ", ".join(f"{gap.start:%H:%M:%S} to {_until(gap)}" for gap in gaps[:3])
    return f"no sweep was complete from {spans} UTC"


def _until(gap: Window) -> str:
    """The end of a gap within its day."""
    return "24:00:00" if gap.end.time() == time.min else f"{gap.end:%H:%M:%S}"


def _schema_problems(pipeline: Pipeline, days: list[date]) -> dict[date, str]:
    """Days are looked at together, because that costs hardly more than one, and singly if in doubt.

    A column that one of them lacks would be filled up among others that have it.
    """
    found: dict[date, str] = {}
    for batch in pipeline.batches(days):
        staged = {day: pipeline.archive.observations.read(day) for day in batch}
        complete = all(tuple(frame.columns) == COLUMNS for frame in staged.values())
        if complete and _schema_problem(pd.concat(staged.values(), ignore_index=True)) is None:
            continue
        problems = {day: _schema_problem(frame) for day, frame in staged.items()}
        found |= {day: problem for day, problem in problems.items() if problem is not None}
    return found


def _schema_problem(observations: pd.DataFrame) -> str | None:
    try:
        Observation.validate(observations, lazy=True)
    except SchemaErrors as errors:
        rules = errors.failure_cases["check"].astype("str").unique()
        return f"the staged file breaks the schema: {', '.join(rules)}"
    return None


def _reject_problem(pipeline: Pipeline, day: date) -> str | None:
    rejected = pipeline.archive.rejected.rows(day)
    leads = pipeline.archive.observations.read(day, ["lead_id"])["lead_id"].nunique()
    limit = pipeline.settings.max_rejected_share
    if rejected <= max(FEW_REJECTS, limit * (leads + rejected)):
        return None
    reasons = pipeline.archive.rejected.read(day, ["reason"])["reason"].value_counts()
    return (
        f"{rejected} of {leads + rejected} records are no usable leads (limit {limit:.0%}), "
        f"mostly: {reasons.index[0]}"
    )


def _unique_problem(pipeline: Pipeline, day: date) -> str | None:
    assigned = pipeline.archive.assigned.read_with_sources(day, LEAD_ID)
    observed = pipeline.archive.observations.read_with_sources(day, LEAD_ID)
    lead_ids, validated = assigned.frame["lead_id"], observed.frame["lead_id"].nunique()
    # Where another run has validated the day since, its own check compares the numbers.
    is_comparable = assigned.sources == observed.sources
    if lead_ids.is_unique and (len(lead_ids) == validated or not is_comparable):
        return None
    return f"{len(lead_ids)} rows for {validated} leads"


def _unassigned_problem(pipeline: Pipeline, day: date) -> str | None:
    rules = pipeline.archive.assigned.read(day, ["assignment_rule"])["assignment_rule"]
    share = (rules == "unassigned").mean() if len(rules) else 0.0
    limit = pipeline.settings.max_unassigned_share
    return f"{share:.0%} of the leads have no agent (limit {limit:.0%})" if share > limit else None


def _account_problems(pipeline: Pipeline, days: list[date]) -> dict[date, str]:
    return {
        account.day: f"received {account.received}, but loaded {account.loaded} + duplicate "
        f"{account.duplicate} + rejected {account.rejected}"
        for account in pipeline.account(days)
        if not account.agrees
    }


def _arrival_problems(pipeline: Pipeline, days: list[date]) -> dict[date, str]:
    return {
        arrivals.day: f"{len(arrivals.poll_only)} of {arrivals.leads} leads came by polls alone, "
        f"{in_minutes(arrivals.median_delay)} after their creation in the middle and "
        f"{in_minutes(arrivals.longest_delay)} at worst, the first of them "
        f"{', '.join(arrivals.poll_only['lead_id'].head(MOST_NAMED))}"
        for arrivals in pipeline.arrivals(days).values()
        if not arrivals.poll_only.empty
    }


ALL_CHECKS = [
    _check_each_day(
        "sweeps_complete",
        raw_leads,
        "Every moment of the day was read by a sweep that saw as many leads as the portal counts. "
        "Stops nothing: leads that did come are loaded.",
        _day_by_day(_gap_problem),
        blocking=False,
    ),
    _check_each_day(
        "schema",
        validated_leads,
        "The staged rows keep to the columns, types and rules of a lead (its pandera schema).",
        _schema_problems,
    ),
    _check_each_day(
        "rejects_under_threshold",
        validated_leads,
        "Few of a day's records are rejected; many would mean that the portal changed its format.",
        _day_by_day(_reject_problem),
    ),
    _check_each_day(
        "lead_ids_unique",
        assigned_leads,
        "The join gave each lead exactly one row, and lost none.",
        _day_by_day(_unique_problem),
    ),
    _check_each_day(
        "unassigned_share",
        assigned_leads,
        "Most leads find an agent; if not, properties or agents are out of date.",
        _day_by_day(_unassigned_problem),
        severity=dg.AssetCheckSeverity.WARN,
        blocking=False,
    ),
    _check_each_day(
        "everything_accounted_for",
        crm_leads,
        "received = loaded + duplicate + rejected, each counted where it stands: in the archive, "
        "the CRM, the staged files and the CRM's rejects.",
        _account_problems,
    ),
    _check_each_day(
        "arrived_by_webhook",
        crm_leads,
        "Where the webhook is in use, it brought every lead. Those that came by polls alone are "
        "not lost, but late: was the receiver down, or is a subscription missing?",
        _arrival_problems,
        severity=dg.AssetCheckSeverity.WARN,
        blocking=False,
    ),
]
