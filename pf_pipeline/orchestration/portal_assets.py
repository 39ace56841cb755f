"""The portal's own people and listings: whose lead it is where the brokerage's data is silent."""

from collections.abc import Callable

import dagster as dg
import pandas as pd

from pf_pipeline.orchestration import metadata
from pf_pipeline.orchestration.failures import failing_clearly
from pf_pipeline.orchestration.lead_assets import OWNERS
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.portal_directory import LISTINGS, USERS, Directory, Refreshed

READ_IN_FULL = "read_in_full"

# The assets' result types stand without a parameter: with one, Dagster does not know them in an
# asset that reports a check.

USER_COLUMNS = {
    "portal_user_id": "The user's id at the portal.",
    "portal_profile_id": "The id of the user's public profile, which leads carry (atlas).",
    "email": "The user's email, in lower case.",
    "profile_email": "The email of the public profile, in lower case.",
    "status": "The user's status at the portal.",
}
LISTING_COLUMNS = {
    "portal_listing_id": "The listing's id at the portal.",
    "reference": "The reference under which the portal lists it.",
    "reference_key": "The reference without case and blanks.",
    "portal_profile_id": "The public profile that the portal gave it to.",
    "state": "Its state at the portal.",
}


def _directory(directory: Directory, columns: dict[str, str]) -> Callable[..., dg.AssetsDefinition]:
    """An asset that is one of the portal's lists, with what both of them share."""
    decorator: Callable[..., dg.AssetsDefinition] = dg.asset(
        group_name="portal",
        kinds={"json", "duckdb"},
        owners=OWNERS,
        metadata={
            "dagster/table_name": f"pipeline.{directory.name}",
            "dagster/column_schema": metadata.text_columns(columns),
        },
        check_specs=[
            dg.AssetCheckSpec(
                READ_IN_FULL,
                asset=directory.name,
                description="The portal gave every entry that it counts. Stops nothing: without "
                "it, the other rules decide.",
            )
        ],
    )
    return decorator


@_directory(USERS, USER_COLUMNS)
def portal_users(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The portal's users with their public profiles and emails.

    A lead names a public profile; this tells whose it is, where PF_AGENTS does not. Read in the
    atlas dialect. Then every unassigned lead in the CRM is tried again.
    """
    with failing_clearly():
        refreshed = pipeline.refresh_directory(USERS)
        with pipeline.crm() as crm:
            return _told(refreshed, crm.reference_data().portal_users)


@_directory(LISTINGS, LISTING_COLUMNS)
def portal_listings(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The portal's listings, drafts and archived ones too, with the portal's own owner of each.

    Decides about leads that neither a property nor their own agent decides. Read in the atlas
    dialect. Then every unassigned lead in the CRM is tried again.
    """
    with failing_clearly():
        refreshed = pipeline.refresh_directory(LISTINGS)
        with pipeline.crm() as crm:
            return _told(refreshed, crm.reference_data().portal_listings)


def _told(refreshed: Refreshed, known: pd.DataFrame) -> dg.MaterializeResult[None]:
    """What was read, and what is known now: only if that changed are assigned days out of date."""
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(known),
            "leads_newly_assigned": refreshed.newly_assigned,
        },
        data_version=metadata.data_version(known),
        check_results=[
            dg.AssetCheckResult(
                check_name=READ_IN_FULL,
                passed=not refreshed.problem,
                severity=dg.AssetCheckSeverity.WARN,
                description=refreshed.words,
            )
        ],
    )
