"""The assets on the way of a lead, each partitioned by UTC day."""

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import dagster as dg

from pf_pipeline.orchestration import metadata
from pf_pipeline.orchestration.failures import failing_clearly
from pf_pipeline.orchestration.partitions import IN_BATCHES, LEAD_DAYS, days_of
from pf_pipeline.orchestration.pipeline import Pipeline

OWNERS = ["team:data-engineering"]

PORTAL_RETRIES = dg.RetryPolicy(
    max_retries=2, delay=20, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""For a portal that is away for longer than the client's own retries bridge."""


def _by_day(**options: Any) -> Callable[..., dg.AssetsDefinition]:  # noqa: ANN401 - Dagster's own
    """An asset partitioned by day, with what all of them share."""
    with warnings.catch_warnings():
        # Backfill policies are beta since 2024; a warning an asset at every start helps nobody.
        warnings.simplefilter("ignore", category=dg.BetaWarning)
        decorator: Callable[..., dg.AssetsDefinition] = dg.asset(
            partitions_def=LEAD_DAYS, backfill_policy=IN_BATCHES, owners=OWNERS, **options
        )
    return decorator


class SweepConfig(dg.Config):
    """How far back a sweep reads."""

    overlap_only: bool = False


@_by_day(group_name="portal", kinds={"python", "json"}, retry_policy=PORTAL_RETRIES)
def raw_leads(
    context: dg.AssetExecutionContext, config: SweepConfig, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """Pages of leads exactly as the portal sent them.

    Each materialization adds one *sweep* a day to the raw archive and never touches an earlier
    one. The manifest, written last, makes a sweep count.
    """
    with failing_clearly():
        manifests = pipeline.sweep(
            days_of(context.partition_keys), overlap_only=config.overlap_only
        )
    for manifest in manifests:
        pages = [
            [str(page.number), str(page.records_of_day), f"{page.size:,}", page.file]
            for page in manifest.pages
        ]
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": manifest.records_of_day,
                "pages": len(manifest.pages),
                "asked_from": manifest.start.isoformat(),
                "asked_until": manifest.end.isoformat(),
                "preview": metadata.markdown_table(
                    ["page", "records of the day", "bytes", "stored as"],
                    pages[: metadata.PREVIEW_ROWS],
                ),
            },
            partition_key=manifest.day.isoformat(),
        )
    return dg.MaterializeResult()


@_by_day(
    deps=[raw_leads],
    group_name="leads",
    kinds={"pandas", "parquet"},
    metadata={"dagster/column_schema": metadata.observation_schema()},
)
def validated_leads(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """Leads parsed from either dialect and validated by pandera, one row an observation.

    Phones are in E.164, references have a normalised key. What is no usable lead stands beside
    them, whole, with its reason.
    """
    with failing_clearly():
        for day in days_of(context.partition_keys):
            observed = pipeline.validate(day)
            context.add_asset_metadata(
                {
                    "dagster/partition_row_count": len(observed.observations),
                    "received": observed.received,
                    "leads": observed.leads,
                    "duplicate": observed.duplicates,
                    "rejected": len(observed.rejected),
                    "reasons": metadata.counted(Counter(observed.rejected["reason"]), "reason"),
                    "preview": metadata.preview(observed.observations),
                },
                partition_key=day.isoformat(),
            )
    return dg.MaterializeResult()


@_by_day(
    deps=[validated_leads, "properties", "agents"],
    group_name="leads",
    kinds={"duckdb", "parquet"},
    metadata={"dagster/column_schema": metadata.assigned_schema()},
)
def assigned_leads(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """Each lead of the day, merged from its observations, with its agent, the rule and the reason.

    The DuckDB join on the listing reference: the agent who owns the property gets the lead, else
    the agent whom the portal names, else nobody.
    """
    with failing_clearly():
        assigned = pipeline.assign(days_of(context.partition_keys))
    for day, leads in assigned.items():
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": len(leads),
                "by_rule": metadata.counted(Counter(leads["assignment_rule"]), "rule"),
                "preview": metadata.preview(leads),
            },
            partition_key=day.isoformat(),
        )
    return dg.MaterializeResult()


@_by_day(deps=[assigned_leads], group_name="crm", kinds={"duckdb", "table"})
def crm_leads(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """The day's leads in ``crm.leads``, merged with whatever else is known of them.

    Loading the same again changes nothing. An agent whom a person chose stays.
    """
    days = days_of(context.partition_keys)
    with failing_clearly():
        loaded = pipeline.load(days)
        accounts = pipeline.account(days)
    for account in accounts:
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": account.loaded,
                "received": account.received,
                "duplicate": account.duplicate,
                "rejected": account.rejected,
                "by_rule": metadata.counted(account.by_rule, "rule"),
            },
            partition_key=account.day.isoformat(),
        )
    return dg.MaterializeResult(
        metadata={
            "rows_inserted_in_run": loaded.inserted,
            "rows_updated_in_run": loaded.updated,
            "rows_unchanged_in_run": loaded.unchanged,
        }
    )


@_by_day(deps=[crm_leads], group_name="crm", kinds={"duckdb", "table"})
def call_recordings(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """Links to the call recordings of the day's leads, with talk and wait times, for managers."""
    days = days_of(context.partition_keys)
    with failing_clearly():
        pipeline.load_recordings(days)
        accounts = pipeline.account(days)
    for account in accounts:
        context.add_asset_metadata(
            {"dagster/partition_row_count": account.recordings},
            partition_key=account.day.isoformat(),
        )
    return dg.MaterializeResult()
