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
    """What a sweep reads.

    Attributes:
        overlap_only: What is missing of the days and the overlap before it, as polls do; else the
            whole days.
        awaited_recordings: Nothing but the calls that have no recording yet, by their ids.
    """

    overlap_only: bool = False
    awaited_recordings: bool = False


@_by_day(group_name="portal", kinds={"python", "json"})
def raw_leads(
    context: dg.AssetExecutionContext, config: SweepConfig, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """Pages of leads exactly as the portal sent them.

    Each materialization adds one *sweep* a day to the raw archive and never touches an earlier
    one. The manifest, written last, makes a sweep count. One that was interrupted is resumed.
    """
    days = days_of(context.partition_keys)
    with failing_clearly():
        if config.awaited_recordings:
            manifests = pipeline.sweep_awaited_recordings(days)
        else:
            manifests = pipeline.sweep(days, overlap_only=config.overlap_only)
    for manifest in manifests:
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": manifest.records_of_day,
                "asked_from": metadata.instant(manifest.start),
                "asked_until": metadata.instant(manifest.end),
                "complete": manifest.complete,
                "pages_read": manifest.pages_read,
                "pages_of_the_day": len(manifest.pages),
                "stored_in": metadata.where_stored(manifest),
            },
            partition_key=manifest.day.isoformat(),
        )
    return dg.MaterializeResult()


@_by_day(group_name="portal", kinds={"python", "json"})
def raw_webhook_events(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """Webhook deliveries exactly as the portal posted them, by the day of their arrival.

    Brings what the receiver's inbox holds into the raw archive. Each materialization adds a
    *batch* to a day, if anything came, and never touches an earlier one. The receiver has loaded
    these leads seconds after they came; here they become part of the archive that outlives it.
    """
    days = days_of(context.partition_keys)
    with failing_clearly():
        archived = pipeline.archive_deliveries(days)
        stored = {day: len(pipeline.archive.webhook_events.deliveries(day)) for day in days}
    for day in days:
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": stored[day],
                "newly_archived": archived.get(day, 0),
            },
            partition_key=day.isoformat(),
        )
    return dg.MaterializeResult()


@_by_day(
    deps=[raw_leads, raw_webhook_events],
    group_name="leads",
    kinds={"pandas", "parquet"},
    metadata={"dagster/column_schema": metadata.observation_schema()},
)
def validated_leads(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """Leads parsed and validated, one row an observation of a lead.

    From either dialect of the portal; checked by pandera. Phones are in E.164, references have a
    normalised key. What is no usable lead stands beside them, whole, with its reason.
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
                    "reasons": metadata.counted(
                        Counter(observed.rejected["reason"]), "reason", of="records"
                    ),
                    "preview": metadata.preview(observed.observations),
                },
                partition_key=day.isoformat(),
            )
    return dg.MaterializeResult()


@_by_day(
    deps=[validated_leads, "properties", "agents", "portal_users", "portal_listings"],
    group_name="leads",
    kinds={"duckdb", "parquet"},
    metadata={"dagster/column_schema": metadata.assigned_schema()},
)
def assigned_leads(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """Each lead of the day with its agent, the rule and the reason.

    Merged from the lead's observations. The DuckDB join on the listing reference decides: the
    agent who owns the property gets the lead, else the agent whom the portal names, else the
    portal's own owner of the listing, else nobody.
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


@_by_day(
    deps=[assigned_leads],
    group_name="crm",
    kinds={"duckdb", "table"},
    metadata={
        "dagster/table_name": "crm.leads",
        "dagster/column_schema": metadata.crm_leads_schema(),
    },
)
def crm_leads(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """The day's leads in the CRM, merged with whatever else is known of them.

    Loading the same again changes nothing. An agent whom a person chose stays. For each day,
    received = loaded + duplicate + rejected.
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
                "loaded": account.loaded,
                "duplicate": account.duplicate,
                "rejected": account.rejected,
                "by_rule": metadata.counted(account.by_rule, "rule"),
            },
            partition_key=account.day.isoformat(),
        )
    return dg.MaterializeResult(metadata=metadata.load_counts(loaded))


@_by_day(
    deps=[crm_leads],
    group_name="crm",
    kinds={"duckdb", "table"},
    metadata={
        "dagster/table_name": "crm.call_recordings",
        "dagster/column_schema": metadata.recordings_schema(),
    },
)
def call_recordings(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[Any]:
    """Links to the call recordings of the day's leads, for managers.

    With talk and wait times, and the agent who has the lead. The recordings themselves stay where
    the portal keeps them.
    """
    days = days_of(context.partition_keys)
    with failing_clearly():
        loaded = pipeline.load_recordings(days)
        accounts = pipeline.account(days)
    for account in accounts:
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": account.recordings,
                "leads": account.loaded,
                "with_recording": account.recordings,
            },
            partition_key=account.day.isoformat(),
        )
    return dg.MaterializeResult(metadata=metadata.load_counts(loaded))
